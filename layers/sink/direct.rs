//! Appends complete records to a file, without a lock around the write.

use std::{
    io,
    ops::Deref,
    sync::{Arc, MutexGuard},
};

use super::opener::{FileOpener, OpenedFile, RawFile, Swap};
use crate::fork::{ForkMutex, ForkRwLock};
use crate::stdio::line_state::LineState;

/// An unbuffered file: one write(2) for each record or batch.
///
/// The system appends a write to a regular file as a whole, so threads and processes need no lock. Only after a short
/// write (the disk is almost full) do threads take a lock, until the partial record is completed or marked. A record
/// that another thread is writing at that moment may come in between.
#[derive(Debug)]
pub(super) struct DirectFile<P: FileOpener> {
    pub(super) opener: P,
    open: ForkRwLock<Option<Arc<OpenedFile<P::File>>>>,
    line_state: LineState,
    lock: ForkMutex<()>,
}

impl<P: FileOpener> DirectFile<P> {
    /// The first record opens the file, or a [swap](Self::swap).
    pub(super) fn new(opener: P) -> Self {
        Self { opener, open: ForkRwLock::new(None), line_state: LineState::new(false), lock: ForkMutex::default() }
    }

    #[inline]
    pub(super) fn write(&self, record: &[u8]) -> io::Result<()> {
        self.write_to(&*self.current()?, record)
    }

    /// The open file; opened again if the path is watched and has changed.
    #[inline]
    fn current(&self) -> io::Result<Arc<OpenedFile<P::File>>> {
        let opened = self.open_file()?;
        if self.opener.is_check_due() && self.opener.path_changed(opened.id) {
            self.follow_path(&opened)
        } else {
            Ok(opened)
        }
    }

    /// Like [`write`](Self::write) if `admit` returns true, else returns false. The file is not [swapped](Self::swap)
    /// in between.
    #[inline]
    pub(super) fn write_if(&self, record: &[u8], admit: &impl Fn() -> bool) -> io::Result<bool> {
        loop {
            let open = self.open.read();
            let Some(opened) = &*open else {
                drop(open);
                self.open_cold()?;
                continue;
            };
            return if admit() { self.write_to(opened, record).map(|()| true) } else { Ok(false) };
        }
    }

    /// Swaps the file while no thread is in [`write_if`](Self::write_if).
    pub(super) fn swap<R>(&self, work: impl FnOnce(&P, Option<&P::File>) -> (Swap<P::File>, R)) -> R {
        let mut open = self.open.write();
        let (swap, result) = work(&self.opener, open.as_ref().map(|opened| &opened.file));
        match swap {
            Swap::Keep => {}
            Swap::Close => self.release(open.take()),
            Swap::Open(opened) => {
                self.line_state.set(opened.ends_mid_line);
                self.release(open.replace(Arc::new(opened)));
            }
        }
        result
    }

    #[inline]
    fn write_to(&self, opened: &OpenedFile<P::File>, record: &[u8]) -> io::Result<()> {
        if opened.needs_lock || self.line_state.ends_mid_line() {
            let _lock = self.lock();
            return self.line_state.write(record, |bytes| opened.file.write(bytes));
        }
        loop {
            match opened.file.write(record) {
                Ok(count) if count >= record.len() => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => return self.complete(&opened.file, record, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as many records at once as the system accepts. They begin at `from`, and `ends` says where each ends.
    /// Returns how many were written; an error is that of the next record.
    pub(super) fn write_batch(&self, bytes: &[u8], from: usize, ends: &[usize]) -> (usize, io::Result<()>) {
        self.write_batch_to(|| self.current(), bytes, from, ends)
    }

    /// Like [`write_batch`](Self::write_batch) for the first records, as many as `admit` returns. The file is not
    /// [swapped](Self::swap) in between.
    pub(super) fn write_batch_if(
        &self,
        bytes: &[u8],
        from: usize,
        ends: &[usize],
        admit: &impl Fn() -> usize,
    ) -> (usize, io::Result<()>) {
        loop {
            let open = self.open.read();
            let Some(opened) = &*open else {
                drop(open);
                if let Err(error) = self.open_cold() {
                    return (0, Err(error));
                }
                continue;
            };
            let admitted = admit().min(ends.len());
            return self.write_batch_to(|| Ok(&**opened), bytes, from, &ends[..admitted]);
        }
    }

    fn write_batch_to<O: Deref<Target = OpenedFile<P::File>>>(
        &self,
        open: impl Fn() -> io::Result<O>,
        bytes: &[u8],
        mut from: usize,
        ends: &[usize],
    ) -> (usize, io::Result<()>) {
        let mut written = 0;
        while let (Some(end), Some(last)) = (ends.get(written), ends.last()) {
            let result = open().and_then(|opened| {
                if opened.needs_lock || self.line_state.ends_mid_line() {
                    return self.write_to(&opened, &bytes[from..*end]).map(|()| *end);
                }
                let count = match opened.file.write(&bytes[from..*last]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                    // A user's file may claim more than it was given.
                    result => result?.min(last - from),
                };
                let reached = from + count;
                let whole = ends[written..].partition_point(|end| *end <= reached);
                written += whole;
                let begun = written.checked_sub(1).map_or(from, |last| ends[last]).max(from);
                if begun < reached {
                    if let Some(end) = ends.get(written) {
                        from = begun;
                        self.complete(&opened.file, &bytes[begun..*end], reached - begun)?;
                        return Ok(*end);
                    }
                }
                Ok(reached)
            });
            match result {
                Ok(reached) => {
                    written += usize::from(ends.get(written) == Some(&reached));
                    from = reached;
                }
                Err(error) => return (written, Err(error)),
            }
        }
        (written, Ok(()))
    }

    /// Writes the rest of a record after a short write.
    #[cold]
    fn complete(&self, file: &P::File, record: &[u8], written: usize) -> io::Result<()> {
        self.line_state.set(true);
        let _lock = self.lock();
        if self.line_state.ends_mid_line() {
            return self.line_state.write_as_is(&record[written..], |bytes| file.write(bytes));
        }
        // Another thread had the lock first and has put a line break after our part.
        self.line_state.set(true);
        self.line_state.write(record, |bytes| file.write(bytes))
    }

    /// Opens the changed path again. If that fails, the old file stays in use as long as it has a name.
    #[cold]
    fn follow_path(&self, old: &Arc<OpenedFile<P::File>>) -> io::Result<Arc<OpenedFile<P::File>>> {
        let _lock = self.lock();
        let now = self.open_file()?;
        if !Arc::ptr_eq(&now, old) && !self.opener.path_changed(now.id) {
            // Another thread was faster.
            return Ok(now);
        }
        match self.opener.open() {
            Ok(opened) => Ok(self.replace_file(opened)),
            Err(error) if self.opener.is_unlinked(&now.file) => Err(error),
            Err(error) => {
                self.opener.defer_error("reopen", error);
                Ok(now)
            }
        }
    }

    /// Opens the path again; the old file stays in use if that fails.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let _lock = self.lock();
        let opened = self.opener.open()?;
        self.replace_file(opened);
        Ok(())
    }

    fn replace_file(&self, opened: OpenedFile<P::File>) -> Arc<OpenedFile<P::File>> {
        let opened = Arc::new(opened);
        self.line_state.set(opened.ends_mid_line);
        let old = self.open.write().replace(Arc::clone(&opened));
        self.release(old);
        opened
    }

    /// The next record opens the file again.
    pub(super) fn close(&self) {
        let old = self.open.write().take();
        self.release(old);
    }

    fn release(&self, old: Option<Arc<OpenedFile<P::File>>>) {
        if let Some(old) = old {
            self.opener.release(&old.file);
        }
    }

    /// The file, if it is open.
    pub(super) fn file(&self) -> Option<Arc<OpenedFile<P::File>>> {
        self.open.read().clone()
    }

    /// The file, opened if it was closed. The lock is released before anything is written.
    #[inline]
    fn open_file(&self) -> io::Result<Arc<OpenedFile<P::File>>> {
        if let Some(opened) = &*self.open.read() {
            return Ok(Arc::clone(opened));
        }
        self.open_cold()
    }

    #[cold]
    fn open_cold(&self) -> io::Result<Arc<OpenedFile<P::File>>> {
        let mut open = self.open.write();
        if let Some(opened) = &*open {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(self.opener.open()?);
        self.line_state.set(opened.ends_mid_line);
        *open = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.get()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        sync::{Condvar, Mutex},
        time::Duration,
    };

    use super::*;
    use crate::sink::faults::{Fault, Script};

    #[test]
    fn t41_a_short_write_is_completed() {
        let script = Script::new([Fault::Take(2), Fault::Interrupted, Fault::Take(1)]);
        let sink = DirectFile::new(script.clone());
        sink.write(b"record\n").unwrap();
        assert_eq!(script.text(), "record\n");
    }

    type WriteBatch = fn(&DirectFile<Script>, &[u8], usize, &[usize]) -> (usize, io::Result<()>);

    /// All at once, and at most two at once.
    const WRITES: [WriteBatch; 2] = [DirectFile::write_batch, |sink, bytes, from, ends| {
        let (mut from, mut done) = (from, 0);
        while done < ends.len() {
            let (written, result) = sink.write_batch_if(bytes, from, &ends[done..], &|| 2);
            done += written;
            if result.is_err() {
                return (done, result);
            }
            from = ends[done - 1];
        }
        (done, Ok(()))
    }];

    /// Passes the records in one piece and skips those that fail, as a handler does.
    fn write_all_of(sink: &DirectFile<Script>, write_batch: WriteBatch, records: &[&str]) -> Vec<usize> {
        let bytes = records.concat();
        let ends: Vec<_> = records
            .iter()
            .scan(0, |end, record| {
                *end += record.len();
                Some(*end)
            })
            .collect();
        let (mut done, mut failed) = (0, Vec::new());
        while done < ends.len() {
            let from = done.checked_sub(1).map_or(0, |last| ends[last]);
            let (written, result) = write_batch(sink, bytes.as_bytes(), from, &ends[done..]);
            done += written;
            if result.is_err() {
                failed.push(done);
                done += 1;
            }
        }
        failed
    }

    #[test]
    fn t41_many_records_are_completed_after_short_writes() {
        for (write_batch, take) in WRITES.into_iter().flat_map(|write| (0..=16).map(move |take| (write, take))) {
            let script = Script::new([Fault::Take(take.max(1)), Fault::Interrupted, Fault::Take(1)]);
            let sink = DirectFile::new(script.clone());
            assert!(write_all_of(&sink, write_batch, &["first\n", "second\n", "3\n"]).is_empty());
            assert_eq!(script.text(), "first\nsecond\n3\n", "{take}");
        }
    }

    #[test]
    fn t41_of_many_records_the_torn_one_is_marked_and_the_others_are_written() {
        for write_batch in WRITES {
            let script = Script::new([Fault::Take(9), Fault::Full]);
            let sink = DirectFile::new(script.clone());
            assert_eq!(write_all_of(&sink, write_batch, &["first\n", "second\n", "third\n", "fourth\n"]), [1]);
            assert_eq!(script.text(), "first\nsec\nthird\nfourth\n");
        }
    }

    #[test]
    fn t41_each_of_many_records_is_tried() {
        for write_batch in WRITES {
            let script = Script::new([Fault::Full, Fault::Full]);
            let sink = DirectFile::new(script.clone());
            assert_eq!(write_all_of(&sink, write_batch, &["first\n", "second\n", "third\n"]), [0, 1]);
            assert_eq!(script.text(), "third\n");
        }
    }

    #[test]
    fn many_records_are_one_write_and_none_where_none_is_admitted() {
        let script = Script::new([Fault::None]);
        let sink = DirectFile::new(script.clone());
        assert!(matches!(sink.write_batch_if(b"a\nb\nc\n", 0, &[2, 4, 6], &|| 0), (0, Ok(()))));
        assert_eq!((script.text(), script.left()), (String::new(), 1));
        assert!(matches!(sink.write_batch_if(b"a\nb\nc\n", 2, &[4, 6], &|| 9), (2, Ok(()))));
        assert_eq!((script.text(), script.left()), ("b\nc\n".into(), 0));
    }

    #[test]
    fn t41_a_torn_record_is_marked() {
        let script = Script::new([Fault::Take(2), Fault::Full, Fault::Full]);
        let sink = DirectFile::new(script.clone());
        assert!(sink.write(b"lost\n").is_err());
        assert!(sink.write(b"lost, too\n").is_err());
        sink.write(b"next\n").unwrap();
        assert_eq!(script.text(), "lo\nnext\n");
    }

    #[test]
    fn t41_whoever_lost_the_lock_writes_the_record_once_more() {
        let script = Script::new([Fault::Take(3)]);
        let sink = DirectFile::new(script.clone());
        let opened = sink.open_file().unwrap();
        std::thread::scope(|scope| {
            let lock = sink.lock();
            let first = scope.spawn(|| sink.write(b"first\n"));
            while !sink.line_state.ends_mid_line() {
                std::thread::yield_now();
            }
            // The first has written three bytes and waits for the lock, which another has.
            sink.line_state.write(b"second\n", |bytes| opened.file.write(bytes)).unwrap();
            drop(lock);
            first.join().unwrap().unwrap();
        });
        assert_eq!(script.text(), "fir\nsecond\n\nfirst\n");
    }

    /// A file in which writers wait for each other.
    #[derive(Clone, Default)]
    struct Meeting(Arc<(Mutex<usize>, Condvar)>);

    impl FileOpener for (Meeting, bool) {
        type File = Meeting;

        fn open(&self) -> io::Result<OpenedFile<Meeting>> {
            Ok(OpenedFile { file: self.0.clone(), needs_lock: self.1, ends_mid_line: false, id: None })
        }
    }

    impl RawFile for Meeting {
        /// Fails if nobody else comes in a while.
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            let (count, came) = &*self.0;
            let mut present = count.lock().unwrap();
            *present += 1;
            came.notify_all();
            let (mut present, late) =
                came.wait_timeout_while(present, Duration::from_millis(200), |present| *present < 2).unwrap();
            if late.timed_out() {
                *present -= 1;
                return Err(io::ErrorKind::TimedOut.into());
            }
            Ok(bytes.len())
        }
    }

    /// Whether two threads write at once.
    fn meet(needs_lock: bool) -> bool {
        let sink = DirectFile::new((Meeting::default(), needs_lock));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| sink.write(b"a\n").is_ok());
            let met = sink.write(b"b\n").is_ok();
            other.join().unwrap() && met
        })
    }

    #[test]
    fn threads_write_to_a_file_at_once() {
        // Both have to come within the time; a busy machine may need more than one try.
        assert!((0..50).any(|_| meet(false)));
    }

    #[test]
    fn threads_take_a_lock_for_what_is_no_regular_file() {
        assert!((0..3).all(|_| !meet(true)));
    }

    #[test]
    fn a_failed_opening_is_tried_again_by_each_record() {
        let script = Script::new([]);
        script.refuse_to_open(2);
        let sink = DirectFile::new(script.clone());
        assert!(sink.write(b"1\n").is_err());
        assert!(sink.write(b"2\n").is_err());
        sink.write(b"3\n").unwrap();
        script.refuse_to_open(1);
        assert!(sink.reopen().is_err());
        sink.write(b"4\n").unwrap();
        assert_eq!(script.text(), "3\n4\n");
    }

    #[test]
    fn t38_a_watched_file_is_followed_and_the_old_one_used_while_it_has_a_name() {
        let script = Script::new([]);
        script.watch();
        let sink = DirectFile::new(script.clone());
        sink.write(b"1\n").unwrap();
        script.rotate();
        sink.write(b"2\n").unwrap();
        script.rotate();
        script.refuse_to_open(1);
        sink.write(b"3\n").unwrap();
        sink.write(b"4\n").unwrap();
        assert_eq!(script.deferred(), 1);
        script.delete();
        script.refuse_to_open(1);
        assert!(sink.write(b"lost\n").is_err());
        sink.write(b"5\n").unwrap();
        assert_eq!((script.files(), script.deferred()), (["1\n", "2\n3\n", "4\n", "5\n"].map(String::from).into(), 1));
    }
}
