//! Many records in one write.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, MutexGuard},
};

use super::{
    Written,
    append::{Opened, Place, RawFile as _, Swap},
    line::{Tail, write_all},
    registry::FileId,
};
use crate::{
    fork::{self, Heirloom},
    trap::Ledger,
};

/// A file behind a buffer of bounded size.
///
/// What cannot be written stays, and is tried again when the buffer is full and at a flush; a record that finds no room
/// fails. A record of which only a part was written is completed when writing succeeds again, or, in a file that was
/// opened anew, written once more as a whole.
#[derive(Debug)]
pub(super) struct Buffered<P: Place> {
    pub(super) place: P,
    capacity: usize,
    state: Heirloom<State<P::File>>,
}

#[derive(Debug)]
struct State<F> {
    /// None before a delayed opening and after `close`; then nothing is held.
    file: Option<F>,
    id: Option<FileId>,
    buffer: Buffer,
}

impl<P: Place> Buffered<P> {
    pub(super) fn new(place: P, capacity: usize, opened: Option<Opened<P::File>>) -> Self {
        let mut state = State { file: None, id: None, buffer: Buffer::new(capacity) };
        if let Some(opened) = opened {
            state.exchange(opened);
        }
        fork::watch();
        Self { place, capacity, state: Heirloom::new(state) }
    }

    /// Takes a record. With a `ledger` it is held on that account; without one nobody learns what becomes of it.
    pub(super) fn write(&self, record: &[u8], ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        self.take(&mut self.state(), record, ledger)
    }

    /// As [`write`](Self::write), if `admit` says so. The file is not [exchanged](Self::swap) in between.
    #[inline]
    pub(super) fn write_if(
        &self,
        record: &[u8],
        ledger: Option<&Arc<Ledger>>,
        admit: &impl Fn() -> bool,
    ) -> io::Result<Option<Written>> {
        let mut state = self.state();
        if admit() { self.take(&mut state, record, ledger).map(Some) } else { Ok(None) }
    }

    /// Whether a record of so many bytes would be held without writing others.
    pub(super) fn would_hold(&self, len: usize) -> bool {
        let state = self.state();
        state.file.is_some() && state.buffer.has_room(len)
    }

    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.state().buffer.bytes.len()
    }

    /// Exchanges the file, after what is held was written to the old one as far as that takes it; `work` is told how many
    /// bytes remain. They go to the new one.
    pub(super) fn swap<R>(&self, work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R)) -> R {
        self.swap_as_is(|state| state.emit().unwrap_or_default(), work)
    }

    /// As [`swap`](Self::swap), but all that is held goes to the new file.
    pub(super) fn swap_holding<R>(&self, work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R)) -> R {
        self.swap_as_is(|_| {}, work)
    }

    fn swap_as_is<R>(
        &self,
        before: impl FnOnce(&mut State<P::File>),
        work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R),
    ) -> R {
        let mut state = self.state();
        before(&mut state);
        let held = (state.buffer.bytes.len() - state.buffer.done) as u64;
        let (swap, result) = work(&self.place, state.file.as_ref(), held);
        match swap {
            Swap::Keep => {}
            Swap::Close => self.leave(&mut state),
            Swap::Open(opened) => {
                self.leave(&mut state);
                state.exchange(opened);
            }
        }
        result
    }

    #[inline]
    fn take(&self, state: &mut State<P::File>, record: &[u8], ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        if state.file.is_none() {
            state.exchange(self.place.open()?);
        }
        if !state.buffer.has_room(record.len()) {
            self.follow(state)?;
        }
        let State { file, buffer, .. } = state;
        let write = |bytes: &[u8]| match &*file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if !buffer.has_room(record.len()) {
            let emitted = buffer.emit(write);
            if !buffer.has_room(record.len()) {
                emitted?;
                // It is longer than the buffer, which is empty now.
                return buffer.write_past(record, write).map(|()| Written::Through);
            }
        }
        Ok(buffer.push(record, ledger))
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        fork::check();
        let mut state = self.state();
        self.follow(&mut state)?;
        state.emit()
    }

    /// Flushes; then `look` gets the file, if there is one.
    pub(super) fn flush_and<R>(&self, look: impl FnOnce(&P::File) -> io::Result<R>) -> io::Result<Option<R>> {
        let mut state = self.state();
        self.follow(&mut state)?;
        state.emit()?;
        state.file.as_ref().map(look).transpose()
    }

    /// Opens the path again if it is watched and leads elsewhere; what is held goes to the new file. Where it cannot be
    /// opened, the old file stays in use as long as it has a name.
    fn follow(&self, state: &mut State<P::File>) -> io::Result<()> {
        let Some(file) = state.file.as_ref().filter(|_| self.place.is_due() && self.place.is_elsewhere(state.id))
        else {
            return Ok(());
        };
        match self.place.open() {
            Ok(opened) => {
                self.place.leave(file);
                state.exchange(opened);
                Ok(())
            }
            Err(error) if self.place.is_lost(file) => Err(error),
            Err(error) => {
                self.place.note("reopen", error);
                Ok(())
            }
        }
    }

    /// Opens the path again; the old file stays in use if that fails. What the old file does not take goes to the new one.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let mut state = self.state();
        // Before opening: should it be the same file, it is to be seen whether a part of a record is its end. What the old
        // file does not take stays in the buffer.
        state.emit().unwrap_or_default();
        let opened = self.place.open()?;
        self.leave(&mut state);
        state.exchange(opened);
        Ok(())
    }

    /// The next record opens the file again. Where the buffer cannot be emptied, the file stays open.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut state = self.state();
        state.emit()?;
        self.leave(&mut state);
        Ok(())
    }

    /// Writes what is held, for the last time.
    pub(super) fn end(&self) {
        let mut state = self.state();
        if self.follow(&mut state).and_then(|()| state.emit()).is_err() {
            state.buffer.give_up();
        }
        self.leave(&mut state);
    }

    fn leave(&self, state: &mut State<P::File>) {
        if let Some(file) = state.file.take() {
            self.place.leave(&file);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<P::File>> {
        let fresh = || State { file: None, id: None, buffer: Buffer::new(self.capacity) };
        self.state.lock(|state| state.buffer.leave_to_the_parent(), fresh)
    }
}

impl<F: super::append::RawFile> State<F> {
    /// What is held goes to another file from here on.
    fn exchange(&mut self, opened: Opened<F>) {
        self.buffer.start_over(opened.unended);
        self.id = opened.id;
        self.file = Some(opened.file);
    }

    fn emit(&mut self) -> io::Result<()> {
        match &self.file {
            Some(file) => self.buffer.emit(|bytes| file.write(bytes)),
            None => Ok(()),
        }
    }
}

impl<P: Place> Drop for Buffered<P> {
    fn drop(&mut self) {
        fork::check();
        self.end();
    }
}

/// The records that are held back.
#[derive(Debug)]
struct Buffer {
    /// Whole records, one after the other.
    bytes: Vec<u8>,
    /// How long each is.
    lens: VecDeque<usize>,
    /// Whose they are.
    runs: VecDeque<Run>,
    /// How much of the first record is at its place already.
    done: usize,
    capacity: usize,
    /// Whether the place ends in a part of a record that is not the first one here.
    tail: Tail,
}

/// Records of one owner, one after the other.
#[derive(Debug)]
struct Run {
    ledger: Option<Arc<Ledger>>,
    records: u64,
}

impl Buffer {
    fn new(capacity: usize) -> Self {
        let (bytes, lens, runs) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Self { bytes, lens, runs, done: 0, capacity, tail: Tail::new(false) }
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        self.bytes.len() + len <= self.capacity
    }

    #[inline]
    fn push(&mut self, record: &[u8], ledger: Option<&Arc<Ledger>>) -> Written {
        if record.is_empty() {
            return Written::Through;
        }
        if self.bytes.capacity() < self.capacity {
            // One byte more than asked for: a torn tail may need a line break.
            self.bytes.reserve_exact(self.capacity + 1 - self.bytes.len());
        }
        let mut len = record.len();
        if self.tail.is_torn() {
            self.tail.set(false);
            self.bytes.push(b'\n');
            len += 1;
        }
        self.bytes.extend_from_slice(record);
        self.lens.push_back(len);
        self.sign(ledger);
        match ledger {
            Some(ledger) => {
                ledger.queue(1);
                Written::Held
            }
            None => Written::Through,
        }
    }

    /// One more record of an owner.
    #[inline]
    fn sign(&mut self, ledger: Option<&Arc<Ledger>>) {
        match self.runs.back_mut() {
            Some(run) if run.ledger.as_ref().map(Arc::as_ptr) == ledger.map(Arc::as_ptr) => run.records += 1,
            _ => self.runs.push_back(Run { ledger: ledger.cloned(), records: 1 }),
        }
    }

    /// Writes past the empty buffer.
    fn write_past(&mut self, record: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        self.tail.write(record, write)
    }

    /// Writes all that is held; on failure, what was not written stays.
    fn emit(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        let result = write_all(&self.bytes[self.done..], |bytes| {
            let count = write(bytes)?.min(bytes.len());
            self.done += count;
            Ok(count)
        });
        self.let_go();
        result.map_err(|cut| cut.error)
    }

    /// Lets go of the records that are at their place.
    fn let_go(&mut self) {
        let (mut whole, mut records) = (0, 0);
        if self.done == self.bytes.len() {
            (whole, records) = (self.done, self.lens.len());
        }
        while let Some(len) = self.lens.get(records).filter(|len| whole + **len <= self.done) {
            whole += len;
            records += 1;
        }
        self.done -= whole;
        self.bytes.drain(..whole);
        self.lens.drain(..records);
        self.settle(records as u64, Ledger::settle_written);
    }

    /// Settles the first records.
    fn settle(&mut self, mut records: u64, how: fn(&Ledger, u64)) {
        while let Some(run) = self.runs.front_mut().filter(|_| records > 0) {
            let settled = run.records.min(records);
            if let Some(ledger) = &run.ledger {
                how(ledger, settled);
            }
            records -= settled;
            run.records -= settled;
            if run.records == 0 {
                self.runs.pop_front();
            }
        }
    }

    /// What is held goes to another file from here on, from the beginning of the first record.
    fn start_over(&mut self, unended: bool) {
        // A write that panicked has left that undone.
        self.let_go();
        self.done = 0;
        match self.lens.front_mut() {
            Some(first) if unended => {
                *first += 1;
                self.bytes.insert(0, b'\n');
                self.tail.set(false);
            }
            _ => self.tail.set(unended),
        }
    }

    /// What is held was so before a fork: the parent writes it. It may have written a part of a record.
    fn leave_to_the_parent(&mut self) {
        let is_torn = self.done > 0 || self.tail.is_torn();
        self.bytes.clear();
        self.lens.clear();
        self.done = 0;
        self.tail.set(is_torn);
        self.settle(u64::MAX, Ledger::settle_dropped);
    }

    /// Nobody will write what is held.
    fn give_up(&mut self) {
        self.bytes.clear();
        self.lens.clear();
        self.done = 0;
        self.settle(u64::MAX, Ledger::settle_failed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::faults::{Fault, Script};

    #[test]
    fn t41_a_partly_written_record_is_completed_when_there_is_room_again() {
        let script = Script::new([Fault::Take(9), Fault::Full, Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        assert_eq!(sink.write(b"first\n", None).unwrap(), Written::Through);
        assert_eq!(sink.write(b"second\n", None).unwrap(), Written::Through);
        assert!(sink.flush().is_err());
        assert_eq!(script.text(), "first\nsec");
        assert!(sink.flush().is_err());
        // The whole record that was written has made room.
        assert_eq!(sink.write(b"third\n", None).unwrap(), Written::Through);
        sink.flush().unwrap();
        assert_eq!(script.text(), "first\nsecond\nthird\n");
    }

    #[test]
    fn t41_a_partly_written_record_begins_anew_in_a_new_file() {
        let script = Script::new([Fault::Take(3), Fault::Full, Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        sink.write(b"first\n", None).unwrap();
        assert!(sink.flush().is_err());
        script.rotate();
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.files(), ["fir", "first\n"]);
    }

    #[test]
    fn t41_a_partly_written_record_is_marked_in_a_file_opened_again() {
        let script = Script::new([Fault::Take(3), Fault::Full, Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        sink.write(b"first\n", None).unwrap();
        assert!(sink.flush().is_err());
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn t41_a_reopening_sees_what_its_own_flush_has_torn() {
        let script = Script::new([Fault::Take(3), Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        sink.write(b"first\n", None).unwrap();
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn memory_is_bounded_and_long_records_go_past() {
        let script = Script::new([]);
        let sink = Buffered::new(script.clone(), 10, None);
        sink.write(b"short\n", None).unwrap();
        assert_eq!(script.text(), "");
        sink.write(b"longer than that\n", None).unwrap();
        assert_eq!(script.text(), "short\nlonger than that\n");
        script.fail_from_now_on();
        sink.write(b"123456789\n", None).unwrap();
        assert!(sink.write(b"a\n", None).is_err());
        assert!(sink.write(b"longer than that\n", None).is_err());
        let state = sink.state();
        assert_eq!((state.buffer.bytes.len(), state.buffer.lens.len()), (10, 1));
    }

    #[test]
    fn records_without_a_byte_take_no_room() {
        let sink = Buffered::new(Script::new([]), 10, None);
        for _ in 0..100 {
            sink.write(b"", None).unwrap();
        }
        assert!(sink.state().buffer.lens.is_empty());
    }

    #[test]
    fn t38_a_buffer_goes_to_the_new_file_and_waits_where_there_is_none() {
        let script = Script::new([]);
        script.watch();
        let sink = Buffered::new(script.clone(), 4, None);
        sink.write(b"1\n", None).unwrap();
        script.rotate();
        sink.write(b"2\n", None).unwrap();
        sink.flush().unwrap();
        assert_eq!(script.files(), ["", "1\n2\n"]);
        script.rotate();
        script.refuse_to_open(1);
        sink.write(b"3\n", None).unwrap();
        sink.flush().unwrap();
        assert_eq!((script.files().last().unwrap().as_str(), script.noted()), ("", 1));
        sink.write(b"4\n", None).unwrap();
        sink.flush().unwrap();
        script.delete();
        script.refuse_to_open(2);
        sink.write(b"5\n", None).unwrap();
        assert!(sink.flush().is_err());
        sink.write(b"6\n", None).unwrap();
        assert!(sink.write(b"7\n", None).is_err());
        sink.flush().unwrap();
        assert_eq!(script.files(), ["", "1\n2\n3\n", "4\n", "5\n6\n"]);
    }
}
