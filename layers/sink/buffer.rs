//! Many records in one write.

use std::{
    collections::VecDeque,
    io, mem,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Lines,
    append::{Opened, Place, RawFile as _, Swap},
    line::{Tail, write_all},
    registry::FileId,
};
use crate::{
    fork::{self, ForkMutex},
    ledger::{End, Receipts},
};

/// A file behind a buffer of bounded size.
///
/// What cannot be written stays, and is tried again when the buffer is full and at a flush; a record that finds no room
/// fails. A record of which only a part was written is completed when writing succeeds again, or, in a file that was
/// opened anew, written once more as a whole.
///
/// What this writes is on no account before [`end_written`](Self::end_written): whoever calls it may hold locks.
#[derive(Debug)]
pub(super) struct Buffered<P: Place> {
    pub(super) place: P,
    capacity: usize,
    state: ForkMutex<State<P::File>>,
    /// As in the buffer.
    written: Arc<AtomicUsize>,
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
        let written = Arc::default();
        let mut state = State::new(capacity, &written);
        if let Some(opened) = opened {
            state.exchange(opened);
        }
        fork::watch();
        Self { place, capacity, state: ForkMutex::new(state), written }
    }

    /// Takes the first line.
    #[inline]
    pub(super) fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.take(&mut self.state(), lines)
    }

    /// As [`write`](Self::write), if `admit` says so; false if not. The file is not [exchanged](Self::swap) in between.
    #[inline]
    pub(super) fn write_if(&self, lines: &mut Lines<'_>, admit: &impl Fn() -> bool) -> io::Result<bool> {
        let mut state = self.state();
        if admit() { self.take(&mut state, lines).map(|()| true) } else { Ok(false) }
    }

    /// Ends the receipts of what was written. Not under a lock.
    #[inline]
    pub(super) fn end_written(&self) {
        if self.written.load(Ordering::Relaxed) > 0 {
            let mut written = self.state().buffer.take_written();
            written.end(written.len(), End::Written);
        }
    }

    /// Whether a record of so many bytes would be held without writing others.
    pub(super) fn would_hold(&self, len: u64) -> bool {
        let state = self.state();
        state.file.is_some() && usize::try_from(len).is_ok_and(|len| state.buffer.has_room(len))
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
    fn take(&self, state: &mut State<P::File>, lines: &mut Lines<'_>) -> io::Result<()> {
        let Some((record, _)) = lines.first() else { return Ok(()) };
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
                buffer.write_past(record, write)?;
                lines.written(1);
                return Ok(());
            }
        }
        match record {
            [] => lines.written(1),
            record => buffer.push(record, lines),
        }
        Ok(())
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

    /// Writes what is held, for the last time. Gives what cannot be written, and why.
    pub(super) fn end(&self) -> Result<(), (io::Error, Receipts)> {
        let mut state = self.state();
        let result = self.follow(&mut state).and_then(|()| state.emit());
        self.leave(&mut state);
        result.map_err(|error| (error, state.buffer.give_up()))
    }

    fn leave(&self, state: &mut State<P::File>) {
        if let Some(file) = state.file.take() {
            self.place.leave(&file);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<P::File>> {
        let fresh = || {
            self.written.store(0, Ordering::Relaxed);
            State::new(self.capacity, &self.written)
        };
        self.state.lock(|state| state.buffer.leave_to_the_parent(), fresh)
    }
}

impl<F: super::append::RawFile> State<F> {
    fn new(capacity: usize, written: &Arc<AtomicUsize>) -> Self {
        Self { file: None, id: None, buffer: Buffer::new(capacity, Arc::clone(written)) }
    }

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
        let left = self.end();
        self.end_written();
        drop(left);
    }
}

/// The records that are held back.
#[derive(Debug)]
struct Buffer {
    /// Whole records, one after the other.
    bytes: Vec<u8>,
    /// How long each is.
    lens: VecDeque<usize>,
    /// Of those that were written and not told yet, then of those that are here.
    receipts: Receipts,
    /// How many were written; changed under the lock.
    written: Arc<AtomicUsize>,
    /// How much of the first record is at its place already.
    done: usize,
    capacity: usize,
    /// Whether the place ends in a part of a record that is not the first one here.
    tail: Tail,
}

impl Buffer {
    fn new(capacity: usize, written: Arc<AtomicUsize>) -> Self {
        let (bytes, lens, receipts) = (Vec::new(), VecDeque::new(), Receipts::default());
        Self { bytes, lens, receipts, written, done: 0, capacity, tail: Tail::new(false) }
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        self.bytes.len() + len <= self.capacity
    }

    #[inline]
    fn push(&mut self, record: &[u8], lines: &mut Lines<'_>) {
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
        lines.hold(&mut self.receipts);
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
        self.written.fetch_add(records, Ordering::Relaxed);
    }

    fn take_written(&mut self) -> Receipts {
        self.receipts.split(self.written.swap(0, Ordering::Relaxed))
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

    /// What is held was so before a fork: the parent writes it, and receipts are void. It may have written a part of a record.
    fn leave_to_the_parent(&mut self) {
        let is_torn = self.done > 0 || self.tail.is_torn();
        self.written.store(0, Ordering::Relaxed);
        drop(self.give_up());
        self.tail.set(is_torn);
    }

    /// Nobody will write what is held.
    fn give_up(&mut self) -> Receipts {
        self.bytes.clear();
        self.lens.clear();
        self.done = 0;
        let written = self.take_written();
        let left = mem::replace(&mut self.receipts, written);
        self.written.store(self.receipts.len(), Ordering::Relaxed);
        left
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::{
        Written,
        faults::{Fault, Script},
        lines::write_one,
    };

    impl Buffered<Script> {
        fn put(&self, record: &[u8]) -> io::Result<Written> {
            write_one(record, |lines| self.write(lines))
        }
    }

    #[test]
    fn t41_a_partly_written_record_is_completed_when_there_is_room_again() {
        let script = Script::new([Fault::Take(9), Fault::Full, Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        assert_eq!(sink.put(b"first\n").unwrap(), Written::Through);
        assert_eq!(sink.put(b"second\n").unwrap(), Written::Through);
        assert!(sink.flush().is_err());
        assert_eq!(script.text(), "first\nsec");
        assert!(sink.flush().is_err());
        // The whole record that was written has made room.
        assert_eq!(sink.put(b"third\n").unwrap(), Written::Through);
        sink.flush().unwrap();
        assert_eq!(script.text(), "first\nsecond\nthird\n");
    }

    #[test]
    fn t41_a_partly_written_record_begins_anew_in_a_new_file() {
        let script = Script::new([Fault::Take(3), Fault::Full, Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        sink.put(b"first\n").unwrap();
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
        sink.put(b"first\n").unwrap();
        assert!(sink.flush().is_err());
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn t41_a_reopening_sees_what_its_own_flush_has_torn() {
        let script = Script::new([Fault::Take(3), Fault::Full]);
        let sink = Buffered::new(script.clone(), 20, None);
        sink.put(b"first\n").unwrap();
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn memory_is_bounded_and_long_records_go_past() {
        let script = Script::new([]);
        let sink = Buffered::new(script.clone(), 10, None);
        sink.put(b"short\n").unwrap();
        assert_eq!(script.text(), "");
        sink.put(b"longer than that\n").unwrap();
        assert_eq!(script.text(), "short\nlonger than that\n");
        script.fail_from_now_on();
        sink.put(b"123456789\n").unwrap();
        assert!(sink.put(b"a\n").is_err());
        assert!(sink.put(b"longer than that\n").is_err());
        let state = sink.state();
        assert_eq!((state.buffer.bytes.len(), state.buffer.lens.len()), (10, 1));
    }

    #[test]
    fn records_without_a_byte_take_no_room() {
        let sink = Buffered::new(Script::new([]), 10, None);
        for _ in 0..100 {
            sink.put(b"").unwrap();
        }
        assert!(sink.state().buffer.lens.is_empty());
    }

    #[test]
    fn t38_a_buffer_goes_to_the_new_file_and_waits_where_there_is_none() {
        let script = Script::new([]);
        script.watch();
        let sink = Buffered::new(script.clone(), 4, None);
        sink.put(b"1\n").unwrap();
        script.rotate();
        sink.put(b"2\n").unwrap();
        sink.flush().unwrap();
        assert_eq!(script.files(), ["", "1\n2\n"]);
        script.rotate();
        script.refuse_to_open(1);
        sink.put(b"3\n").unwrap();
        sink.flush().unwrap();
        assert_eq!((script.files().last().unwrap().as_str(), script.noted()), ("", 1));
        sink.put(b"4\n").unwrap();
        sink.flush().unwrap();
        script.delete();
        script.refuse_to_open(2);
        sink.put(b"5\n").unwrap();
        assert!(sink.flush().is_err());
        sink.put(b"6\n").unwrap();
        assert!(sink.put(b"7\n").is_err());
        sink.flush().unwrap();
        assert_eq!(script.files(), ["", "1\n2\n3\n", "4\n", "5\n6\n"]);
    }
}
