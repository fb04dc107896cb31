//! Appending whole records to a file, without a lock around the write.

use std::{
    io,
    ops::Deref,
    sync::{Arc, MutexGuard},
};

use super::{line::Tail, registry::FileId};
use crate::fork::{ForkMutex, ForkRwLock};

/// Where files come from; a scripted one in tests.
pub(super) trait Place: Send + Sync + 'static {
    type File: RawFile;

    /// Opens, or opens again.
    fn open(&self) -> io::Result<Opened<Self::File>>;

    /// Whether it is time to look where the path leads.
    #[inline]
    fn is_due(&self) -> bool {
        false
    }

    /// Whether the path leads to another file than this one, or nowhere.
    fn is_elsewhere(&self, file: Option<FileId>) -> bool {
        let _ = file;
        false
    }

    /// What is written to the file is gone with it: it has no name any more.
    fn is_lost(&self, file: &Self::File) -> bool {
        let _ = file;
        false
    }

    /// The file is left for another, or for good.
    fn leave(&self, file: &Self::File) {
        let _ = file;
    }

    /// Something failed and cost no record.
    fn note(&self, doing: &'static str, error: io::Error) {
        let _ = (doing, error);
    }
}

/// One attempt at writing, as write(2): the system appends what it takes at the end.
pub(super) trait RawFile: Send + Sync + 'static {
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// A file that was opened just now.
#[derive(Debug)]
pub(super) struct Opened<F> {
    pub(super) file: F,
    /// One write is not whole by itself (pipes, terminals): writers take turns.
    pub(super) takes_turns: bool,
    /// It ends in a part of a line.
    pub(super) unended: bool,
    pub(super) id: Option<FileId>,
}

/// What is to become of the open file.
#[derive(Debug)]
pub(super) enum Swap<F> {
    Keep,
    /// The next record opens the path.
    Close,
    Open(Opened<F>),
}

/// One write(2) for each record.
///
/// The system appends a write to a regular file as a whole, so threads and processes need no lock between them. Only
/// after a short write (a disk that is all but full) do threads take turns, until the torn record is completed or marked:
/// a record that another thread had in its write(2) at that very moment may come in between.
#[derive(Debug)]
pub(super) struct Append<P: Place> {
    pub(super) place: P,
    open: ForkRwLock<Option<Arc<Opened<P::File>>>>,
    tail: Tail,
    turn: ForkMutex<()>,
}

impl<P: Place> Append<P> {
    /// `opened` is none for a file that is to be opened with the first record.
    pub(super) fn new(place: P, opened: Option<Opened<P::File>>) -> Self {
        let tail = Tail::new(opened.as_ref().is_some_and(|opened| opened.unended));
        Self { place, open: ForkRwLock::new(opened.map(Arc::new)), tail, turn: ForkMutex::default() }
    }

    #[inline]
    pub(super) fn write(&self, record: &[u8]) -> io::Result<()> {
        self.write_to(&*self.current()?, record)
    }

    /// The file that the path leads to, as far as that is watched.
    #[inline]
    fn current(&self) -> io::Result<Arc<Opened<P::File>>> {
        let opened = self.opened()?;
        if self.place.is_due() && self.place.is_elsewhere(opened.id) { self.follow(&opened) } else { Ok(opened) }
    }

    /// As [`write`](Self::write), if `admit` says so; false if not. The file is not [exchanged](Self::swap) in between.
    #[inline]
    pub(super) fn write_if(&self, record: &[u8], admit: &impl Fn() -> bool) -> io::Result<bool> {
        loop {
            let open = self.open.read();
            let Some(opened) = &*open else {
                drop(open);
                self.open_now()?;
                continue;
            };
            return if admit() { self.write_to(opened, record).map(|()| true) } else { Ok(false) };
        }
    }

    /// Exchanges the file while nobody is within [`write_if`](Self::write_if).
    pub(super) fn swap<R>(&self, work: impl FnOnce(&P, Option<&P::File>) -> (Swap<P::File>, R)) -> R {
        let mut open = self.open.write();
        let (swap, result) = work(&self.place, open.as_ref().map(|opened| &opened.file));
        match swap {
            Swap::Keep => {}
            Swap::Close => self.leave(open.take()),
            Swap::Open(opened) => {
                self.tail.set(opened.unended);
                self.leave(open.replace(Arc::new(opened)));
            }
        }
        result
    }

    #[inline]
    fn write_to(&self, opened: &Opened<P::File>, record: &[u8]) -> io::Result<()> {
        if opened.takes_turns || self.tail.is_torn() {
            let _turn = self.turn();
            return self.tail.write(record, |bytes| opened.file.write(bytes));
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

    /// As many records as the system takes in one write: they begin at `from`, and `ends` says where each ends. Gives how many
    /// are at their place; an error is that of the record after those.
    pub(super) fn write_many(&self, bytes: &[u8], from: usize, ends: &[usize]) -> (usize, io::Result<()>) {
        self.write_many_to(|| self.current(), bytes, from, ends)
    }

    /// As [`write_many`](Self::write_many), for the first records: as many as `admit` says. The file is not
    /// [exchanged](Self::swap) in between.
    pub(super) fn write_many_if(
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
                if let Err(error) = self.open_now() {
                    return (0, Err(error));
                }
                continue;
            };
            let admitted = admit().min(ends.len());
            return self.write_many_to(|| Ok(&**opened), bytes, from, &ends[..admitted]);
        }
    }

    fn write_many_to<O: Deref<Target = Opened<P::File>>>(
        &self,
        open: impl Fn() -> io::Result<O>,
        bytes: &[u8],
        mut from: usize,
        ends: &[usize],
    ) -> (usize, io::Result<()>) {
        let mut written = 0;
        while let (Some(end), Some(last)) = (ends.get(written), ends.last()) {
            let result = open().and_then(|opened| {
                if opened.takes_turns || self.tail.is_torn() {
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
                if begun < reached
                    && let Some(end) = ends.get(written)
                {
                    from = begun;
                    self.complete(&opened.file, &bytes[begun..*end], reached - begun)?;
                    return Ok(*end);
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

    #[cold]
    fn complete(&self, file: &P::File, record: &[u8], written: usize) -> io::Result<()> {
        self.tail.set(true);
        let _turn = self.turn();
        if self.tail.is_torn() {
            return self.tail.finish(&record[written..], |bytes| file.write(bytes));
        }
        // Another thread had the turn first and has put a line break behind our part.
        self.tail.set(true);
        self.tail.write(record, |bytes| file.write(bytes))
    }

    /// Opens the path again, as it leads elsewhere. Where that fails, the old file stays in use as long as it has a name.
    #[cold]
    fn follow(&self, old: &Arc<Opened<P::File>>) -> io::Result<Arc<Opened<P::File>>> {
        let _turn = self.turn();
        let now = self.opened()?;
        if !Arc::ptr_eq(&now, old) && !self.place.is_elsewhere(now.id) {
            // Another thread was quicker.
            return Ok(now);
        }
        match self.place.open() {
            Ok(opened) => Ok(self.exchange(opened)),
            Err(error) if self.place.is_lost(&now.file) => Err(error),
            Err(error) => {
                self.place.note("reopen", error);
                Ok(now)
            }
        }
    }

    /// Opens the path again; the old file stays in use if that fails.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let _turn = self.turn();
        let opened = self.place.open()?;
        self.exchange(opened);
        Ok(())
    }

    fn exchange(&self, opened: Opened<P::File>) -> Arc<Opened<P::File>> {
        let opened = Arc::new(opened);
        self.tail.set(opened.unended);
        let old = self.open.write().replace(Arc::clone(&opened));
        self.leave(old);
        opened
    }

    /// The next record opens the file again.
    pub(super) fn close(&self) {
        let old = self.open.write().take();
        self.leave(old);
    }

    fn leave(&self, old: Option<Arc<Opened<P::File>>>) {
        if let Some(old) = old {
            self.place.leave(&old.file);
        }
    }

    /// The file, if it is open.
    pub(super) fn file(&self) -> Option<Arc<Opened<P::File>>> {
        self.open.read().clone()
    }

    /// The file; the lock is free again before anything is written.
    #[inline]
    fn opened(&self) -> io::Result<Arc<Opened<P::File>>> {
        if let Some(opened) = &*self.open.read() {
            return Ok(Arc::clone(opened));
        }
        self.open_now()
    }

    #[cold]
    fn open_now(&self) -> io::Result<Arc<Opened<P::File>>> {
        let mut open = self.open.write();
        if let Some(opened) = &*open {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(self.place.open()?);
        self.tail.set(opened.unended);
        *open = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.get()
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
        let sink = Append::new(script.clone(), None);
        sink.write(b"record\n").unwrap();
        assert_eq!(script.text(), "record\n");
    }

    type WriteMany = fn(&Append<Script>, &[u8], usize, &[usize]) -> (usize, io::Result<()>);

    /// All at once, and never more than two.
    const WAYS: [WriteMany; 2] = [Append::write_many, |sink, bytes, from, ends| {
        let (mut from, mut done) = (from, 0);
        while done < ends.len() {
            let (written, result) = sink.write_many_if(bytes, from, &ends[done..], &|| 2);
            done += written;
            if result.is_err() {
                return (done, result);
            }
            from = ends[done - 1];
        }
        (done, Ok(()))
    }];

    /// Gives the records in one piece; those that fail are left out, as a handler does it.
    fn write_all_of(sink: &Append<Script>, write_many: WriteMany, records: &[&str]) -> Vec<usize> {
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
            let (written, result) = write_many(sink, bytes.as_bytes(), from, &ends[done..]);
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
        for (way, take) in WAYS.into_iter().flat_map(|way| (0..=16).map(move |take| (way, take))) {
            let script = Script::new([Fault::Take(take.max(1)), Fault::Interrupted, Fault::Take(1)]);
            let sink = Append::new(script.clone(), None);
            assert!(write_all_of(&sink, way, &["first\n", "second\n", "3\n"]).is_empty());
            assert_eq!(script.text(), "first\nsecond\n3\n", "{take}");
        }
    }

    #[test]
    fn t41_of_many_records_the_torn_one_is_marked_and_the_others_are_written() {
        for way in WAYS {
            let script = Script::new([Fault::Take(9), Fault::Full]);
            let sink = Append::new(script.clone(), None);
            assert_eq!(write_all_of(&sink, way, &["first\n", "second\n", "third\n", "fourth\n"]), [1]);
            assert_eq!(script.text(), "first\nsec\nthird\nfourth\n");
        }
    }

    #[test]
    fn t41_each_of_many_records_is_tried() {
        for way in WAYS {
            let script = Script::new([Fault::Full, Fault::Full]);
            let sink = Append::new(script.clone(), None);
            assert_eq!(write_all_of(&sink, way, &["first\n", "second\n", "third\n"]), [0, 1]);
            assert_eq!(script.text(), "third\n");
        }
    }

    #[test]
    fn many_records_are_one_write_and_none_where_none_is_admitted() {
        let script = Script::new([Fault::None]);
        let sink = Append::new(script.clone(), None);
        assert!(matches!(sink.write_many_if(b"a\nb\nc\n", 0, &[2, 4, 6], &|| 0), (0, Ok(()))));
        assert_eq!((script.text(), script.left()), (String::new(), 1));
        assert!(matches!(sink.write_many_if(b"a\nb\nc\n", 2, &[4, 6], &|| 9), (2, Ok(()))));
        assert_eq!((script.text(), script.left()), ("b\nc\n".into(), 0));
    }

    #[test]
    fn t41_a_torn_record_is_marked() {
        let script = Script::new([Fault::Take(2), Fault::Full, Fault::Full]);
        let sink = Append::new(script.clone(), None);
        assert!(sink.write(b"lost\n").is_err());
        assert!(sink.write(b"lost, too\n").is_err());
        sink.write(b"next\n").unwrap();
        assert_eq!(script.text(), "lo\nnext\n");
    }

    #[test]
    fn t41_whoever_lost_the_turn_writes_the_record_once_more() {
        let script = Script::new([Fault::Take(3)]);
        let sink = Append::new(script.clone(), None);
        let opened = sink.opened().unwrap();
        std::thread::scope(|scope| {
            let turn = sink.turn();
            let first = scope.spawn(|| sink.write(b"first\n"));
            while !sink.tail.is_torn() {
                std::thread::yield_now();
            }
            // The first has written three bytes and waits for its turn; meanwhile another has it.
            sink.tail.write(b"second\n", |bytes| opened.file.write(bytes)).unwrap();
            drop(turn);
            first.join().unwrap().unwrap();
        });
        assert_eq!(script.text(), "fir\nsecond\n\nfirst\n");
    }

    /// A file in which writers wait for each other.
    #[derive(Clone, Default)]
    struct Meeting(Arc<(Mutex<usize>, Condvar)>);

    impl Place for (Meeting, bool) {
        type File = Meeting;

        fn open(&self) -> io::Result<Opened<Meeting>> {
            Ok(Opened { file: self.0.clone(), takes_turns: self.1, unended: false, id: None })
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
    fn meet(takes_turns: bool) -> bool {
        let sink = Append::new((Meeting::default(), takes_turns), None);
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
    fn threads_take_turns_on_what_is_no_regular_file() {
        assert!((0..3).all(|_| !meet(true)));
    }

    #[test]
    fn a_failed_opening_is_tried_again_by_each_record() {
        let script = Script::new([]);
        script.refuse_to_open(2);
        let sink = Append::new(script.clone(), None);
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
        let sink = Append::new(script.clone(), None);
        sink.write(b"1\n").unwrap();
        script.rotate();
        sink.write(b"2\n").unwrap();
        script.rotate();
        script.refuse_to_open(1);
        sink.write(b"3\n").unwrap();
        sink.write(b"4\n").unwrap();
        assert_eq!(script.noted(), 1);
        script.delete();
        script.refuse_to_open(1);
        assert!(sink.write(b"lost\n").is_err());
        sink.write(b"5\n").unwrap();
        assert_eq!((script.files(), script.noted()), (["1\n", "2\n3\n", "4\n", "5\n"].map(String::from).into(), 1));
    }
}
