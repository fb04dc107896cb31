//! A file with a buffer: many records in one write.

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
    opener::{FileOpener, OpenedFile, RawFile, Swap},
    registry::FileId,
};
use crate::stdio::line_state::{LineState, write_all};
use crate::{
    fork::{self, ForkMutex},
    ledger::{End, Receipts},
};

/// A file behind a bounded buffer.
///
/// What cannot be written stays in the buffer and is tried again when the buffer is full and at a flush. A record that
/// does not fit fails. A partially written record is completed once writing succeeds again, or written again as a whole
/// to a newly opened file.
///
/// Callers may hold locks, so receipts end only in [`complete_written`](Self::complete_written).
#[derive(Debug)]
pub(super) struct BufferedFile<P: FileOpener> {
    pub(super) opener: P,
    capacity: usize,
    state: ForkMutex<State<P::File>>,
    /// Shared with the buffer.
    written: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct State<F> {
    /// None before a lazy open and after `close`; then the buffer is empty.
    file: Option<F>,
    id: Option<FileId>,
    buffer: Buffer,
}

impl<P: FileOpener> BufferedFile<P> {
    /// The first record opens the file, or a [swap](Self::swap).
    pub(super) fn new(opener: P, capacity: usize) -> Self {
        let written = Arc::default();
        let state = State::new(capacity, &written);
        fork::watch();
        Self { opener, capacity, state: ForkMutex::new(state), written }
    }

    /// Buffers or writes the first line.
    #[inline]
    pub(super) fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.write_first(&mut self.state(), lines)
    }

    /// Like [`write`](Self::write) if `admit` returns true, else returns false. The file is not [swapped](Self::swap)
    /// in between.
    #[inline]
    pub(super) fn write_if(&self, lines: &mut Lines<'_>, admit: &impl Fn() -> bool) -> io::Result<bool> {
        let mut state = self.state();
        if admit() { self.write_first(&mut state, lines).map(|()| true) } else { Ok(false) }
    }

    /// Ends the receipts of written records. Not under a lock.
    #[inline]
    pub(super) fn complete_written(&self) {
        if self.written.load(Ordering::Relaxed) > 0 {
            let mut written = self.state().buffer.take_written();
            written.end(written.len(), End::Written);
        }
    }

    /// Whether a record of this length fits into the buffer without a write.
    pub(super) fn would_buffer(&self, len: u64) -> bool {
        let state = self.state();
        state.file.is_some() && usize::try_from(len).is_ok_and(|len| state.buffer.has_room(len))
    }

    /// How many bytes are buffered.
    pub(super) fn buffered(&self) -> usize {
        self.state().buffer.bytes.len()
    }

    /// Writes the buffer to the old file, then swaps the file. `work` gets the number of bytes that could not be
    /// written; they go to the new file.
    pub(super) fn swap<R>(&self, work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R)) -> R {
        self.swap_after(|state| state.write_out().unwrap_or_default(), work)
    }

    /// Like [`swap`](Self::swap), but the whole buffer goes to the new file.
    pub(super) fn swap_keeping_buffer<R>(
        &self,
        work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R),
    ) -> R {
        self.swap_after(|_| {}, work)
    }

    fn swap_after<R>(
        &self,
        before: impl FnOnce(&mut State<P::File>),
        work: impl FnOnce(&P, Option<&P::File>, u64) -> (Swap<P::File>, R),
    ) -> R {
        let mut state = self.state();
        before(&mut state);
        let buffered = (state.buffer.bytes.len() - state.buffer.done) as u64;
        let (swap, result) = work(&self.opener, state.file.as_ref(), buffered);
        match swap {
            Swap::Keep => {}
            Swap::Close => self.release(&mut state),
            Swap::Open(opened) => {
                self.release(&mut state);
                state.replace_file(opened);
            }
        }
        result
    }

    #[inline]
    fn write_first(&self, state: &mut State<P::File>, lines: &mut Lines<'_>) -> io::Result<()> {
        let Some((record, _)) = lines.first() else { return Ok(()) };
        if state.file.is_none() {
            state.replace_file(self.opener.open()?);
        }
        if !state.buffer.has_room(record.len()) {
            self.follow_path(state)?;
        }
        let State { file, buffer, .. } = state;
        let write = |bytes: &[u8]| match &*file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if !buffer.has_room(record.len()) {
            let result = buffer.write_out(write);
            if !buffer.has_room(record.len()) {
                result?;
                // It is longer than the buffer, which is empty now.
                buffer.write_directly(record, write)?;
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
        self.follow_path(&mut state)?;
        state.write_out()
    }

    /// Flushes, then calls `then` with the file, if it is open.
    pub(super) fn flush_and<R>(&self, then: impl FnOnce(&P::File) -> io::Result<R>) -> io::Result<Option<R>> {
        let mut state = self.state();
        self.follow_path(&mut state)?;
        state.write_out()?;
        state.file.as_ref().map(then).transpose()
    }

    /// Opens the path again if it is watched and has changed; the buffer goes to the new file. If it cannot be opened,
    /// the old file stays in use as long as it has a name.
    fn follow_path(&self, state: &mut State<P::File>) -> io::Result<()> {
        let Some(file) =
            state.file.as_ref().filter(|_| self.opener.is_check_due() && self.opener.path_changed(state.id))
        else {
            return Ok(());
        };
        match self.opener.open() {
            Ok(opened) => {
                self.opener.release(file);
                state.replace_file(opened);
                Ok(())
            }
            Err(error) if self.opener.is_unlinked(file) => Err(error),
            Err(error) => {
                self.opener.defer_error("reopen", error);
                Ok(())
            }
        }
    }

    /// Opens the path again; the old file stays in use if that fails. What cannot be written to the old file goes to
    /// the new one.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let mut state = self.state();
        // Before opening: if it is the same file, opening must see whether it ends mid-line. What cannot be written
        // stays in the buffer.
        state.write_out().unwrap_or_default();
        let opened = self.opener.open()?;
        self.release(&mut state);
        state.replace_file(opened);
        Ok(())
    }

    /// The next record opens the file again. If the buffer cannot be written, the file stays open.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut state = self.state();
        state.write_out()?;
        self.release(&mut state);
        Ok(())
    }

    /// Writes the buffer for the last time. Returns the receipts of what cannot be written, and why.
    pub(super) fn finish(&self) -> Result<(), (io::Error, Receipts)> {
        let mut state = self.state();
        let result = self.follow_path(&mut state).and_then(|()| state.write_out());
        self.release(&mut state);
        result.map_err(|error| (error, state.buffer.discard()))
    }

    fn release(&self, state: &mut State<P::File>) {
        if let Some(file) = state.file.take() {
            self.opener.release(&file);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<P::File>> {
        let fresh = || {
            self.written.store(0, Ordering::Relaxed);
            State::new(self.capacity, &self.written)
        };
        self.state.lock(|state| state.buffer.discard_inherited(), fresh)
    }
}

impl<F: RawFile> State<F> {
    fn new(capacity: usize, written: &Arc<AtomicUsize>) -> Self {
        Self { file: None, id: None, buffer: Buffer::new(capacity, Arc::clone(written)) }
    }

    /// From here on the buffer goes to another file.
    fn replace_file(&mut self, opened: OpenedFile<F>) {
        self.buffer.restart_in_new_file(opened.ends_mid_line);
        self.id = opened.id;
        self.file = Some(opened.file);
    }

    fn write_out(&mut self) -> io::Result<()> {
        match &self.file {
            Some(file) => self.buffer.write_out(|bytes| file.write(bytes)),
            None => Ok(()),
        }
    }
}

impl<P: FileOpener> Drop for BufferedFile<P> {
    fn drop(&mut self) {
        fork::check();
        let unwritten = self.finish();
        self.complete_written();
        drop(unwritten);
    }
}

/// The buffered records.
#[derive(Debug)]
struct Buffer {
    /// Complete records, one after the other.
    bytes: Vec<u8>,
    /// The length of each.
    lens: VecDeque<usize>,
    /// First of the written records, then of the buffered ones.
    receipts: Receipts,
    /// How many receipts are of written records; changed under the lock.
    written: Arc<AtomicUsize>,
    /// How many bytes of the first record are written already.
    done: usize,
    capacity: usize,
    /// Whether the file ends in a part of a record that is not the first one here.
    line_state: LineState,
}

impl Buffer {
    fn new(capacity: usize, written: Arc<AtomicUsize>) -> Self {
        let (bytes, lens, receipts) = (Vec::new(), VecDeque::new(), Receipts::default());
        Self { bytes, lens, receipts, written, done: 0, capacity, line_state: LineState::new(false) }
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        self.bytes.len() + len <= self.capacity
    }

    #[inline]
    fn push(&mut self, record: &[u8], lines: &mut Lines<'_>) {
        if self.bytes.capacity() < self.capacity {
            // One more byte for the line break after a partial record.
            self.bytes.reserve_exact(self.capacity + 1 - self.bytes.len());
        }
        let mut len = record.len();
        if self.line_state.ends_mid_line() {
            self.line_state.set(false);
            self.bytes.push(b'\n');
            len += 1;
        }
        self.bytes.extend_from_slice(record);
        self.lens.push_back(len);
        lines.take_receipt(&mut self.receipts);
    }

    /// Writes a record that does not fit into the empty buffer.
    fn write_directly(&mut self, record: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        self.line_state.write(record, write)
    }

    /// Writes the buffer; on failure, what was not written stays.
    fn write_out(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        let result = write_all(&self.bytes[self.done..], |bytes| {
            let count = write(bytes)?.min(bytes.len());
            self.done += count;
            Ok(count)
        });
        self.remove_written();
        result.map_err(|partial| partial.error)
    }

    /// Removes the records that are written completely.
    fn remove_written(&mut self) {
        let (mut bytes, mut records) = (0, 0);
        if self.done == self.bytes.len() {
            (bytes, records) = (self.done, self.lens.len());
        }
        while let Some(len) = self.lens.get(records).filter(|len| bytes + **len <= self.done) {
            bytes += len;
            records += 1;
        }
        self.done -= bytes;
        self.bytes.drain(..bytes);
        self.lens.drain(..records);
        self.written.fetch_add(records, Ordering::Relaxed);
    }

    fn take_written(&mut self) -> Receipts {
        self.receipts.split(self.written.swap(0, Ordering::Relaxed))
    }

    /// From here on the buffer goes to another file, from the beginning of the first record.
    fn restart_in_new_file(&mut self, ends_mid_line: bool) {
        // A write that panicked did not do this.
        self.remove_written();
        self.done = 0;
        match self.lens.front_mut() {
            Some(first) if ends_mid_line => {
                *first += 1;
                self.bytes.insert(0, b'\n');
                self.line_state.set(false);
            }
            _ => self.line_state.set(ends_mid_line),
        }
    }

    /// In a child of a fork: the parent writes the buffer, perhaps a part of a record already, and the receipts are
    /// void.
    fn discard_inherited(&mut self) {
        let ends_mid_line = self.done > 0 || self.line_state.ends_mid_line();
        self.written.store(0, Ordering::Relaxed);
        drop(self.discard());
        self.line_state.set(ends_mid_line);
    }

    /// Empties the buffer and returns the receipts of what was in it.
    fn discard(&mut self) -> Receipts {
        self.bytes.clear();
        self.lens.clear();
        self.done = 0;
        let written = self.take_written();
        let unwritten = mem::replace(&mut self.receipts, written);
        self.written.store(self.receipts.len(), Ordering::Relaxed);
        unwritten
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sink::{
        faults::{Fault, Script},
        lines::with_line,
    };

    impl BufferedFile<Script> {
        fn put(&self, record: &[u8]) -> io::Result<()> {
            with_line(record, |lines| self.write(lines))
        }
    }

    #[test]
    fn t41_a_partly_written_record_is_completed_when_there_is_room_again() {
        let script = Script::new([Fault::Take(9), Fault::Full, Fault::Full]);
        let sink = BufferedFile::new(script.clone(), 20);
        sink.put(b"first\n").unwrap();
        sink.put(b"second\n").unwrap();
        assert!(sink.flush().is_err());
        assert_eq!(script.text(), "first\nsec");
        assert!(sink.flush().is_err());
        // The whole record that was written has made room.
        sink.put(b"third\n").unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "first\nsecond\nthird\n");
    }

    #[test]
    fn t41_a_partly_written_record_begins_anew_in_a_new_file() {
        let script = Script::new([Fault::Take(3), Fault::Full, Fault::Full]);
        let sink = BufferedFile::new(script.clone(), 20);
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
        let sink = BufferedFile::new(script.clone(), 20);
        sink.put(b"first\n").unwrap();
        assert!(sink.flush().is_err());
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn t41_a_reopening_sees_what_its_own_flush_has_torn() {
        let script = Script::new([Fault::Take(3), Fault::Full]);
        let sink = BufferedFile::new(script.clone(), 20);
        sink.put(b"first\n").unwrap();
        sink.reopen().unwrap();
        sink.flush().unwrap();
        assert_eq!(script.text(), "fir\nfirst\n");
    }

    #[test]
    fn memory_is_bounded_and_long_records_go_past() {
        let script = Script::new([]);
        let sink = BufferedFile::new(script.clone(), 10);
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
        let sink = BufferedFile::new(Script::new([]), 10);
        for _ in 0..100 {
            sink.put(b"").unwrap();
        }
        assert!(sink.state().buffer.lens.is_empty());
    }

    #[test]
    fn t38_a_buffer_goes_to_the_new_file_and_waits_where_there_is_none() {
        let script = Script::new([]);
        script.watch();
        let sink = BufferedFile::new(script.clone(), 4);
        sink.put(b"1\n").unwrap();
        script.rotate();
        sink.put(b"2\n").unwrap();
        sink.flush().unwrap();
        assert_eq!(script.files(), ["", "1\n2\n"]);
        script.rotate();
        script.refuse_to_open(1);
        sink.put(b"3\n").unwrap();
        sink.flush().unwrap();
        assert_eq!((script.files().last().unwrap().as_str(), script.deferred()), ("", 1));
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
