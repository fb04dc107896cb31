//! Files that fail on cue, and property tests that no record is lost silently over them.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use proptest::prelude::*;

use super::{
    FlushTo, Lines, Sink,
    buffered::BufferedFile,
    direct::DirectFile,
    opener::{FileOpener, OpenedFile, RawFile, Swap},
    registry::FileId,
};
pub(super) use crate::testing::fault::Fault;
use crate::{
    Error, NamedHandler, Record, Severity,
    format::{Buffer, Format},
    ledger::ErrorHandler,
    output::Formatted,
};

/// Opens files that follow a script, fault by fault. After the last fault, all writes succeed.
#[derive(Clone, Debug, Default)]
pub(super) struct Script(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    faults: VecDeque<Fault>,
    hopeless: bool,
    refusals: usize,
    needs_lock: bool,
    watched: bool,
    /// Files without a name.
    lost: BTreeSet<usize>,
    deferred: usize,
    files: Vec<Vec<u8>>,
    /// Where all of a record except its line break was written before a write failed: which file, which length.
    short_of_a_line_break: BTreeSet<(usize, usize)>,
}

impl Script {
    pub(super) fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let inner = Inner { faults: faults.into_iter().collect(), files: vec![Vec::new()], ..Inner::default() };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path leads to a new, empty file from here on.
    pub(super) fn rotate(&self) {
        self.inner().files.push(Vec::new());
    }

    /// The path is checked before each write.
    pub(super) fn watch(&self) {
        self.inner().watched = true;
    }

    /// The file of the path loses its name; the path leads to a new one.
    pub(super) fn delete(&self) {
        let index = self.inner().files.len() - 1;
        self.inner().lost.insert(index);
        self.rotate();
    }

    /// How many errors were deferred.
    pub(super) fn deferred(&self) -> usize {
        self.inner().deferred
    }

    /// How many faults are still to come: one is used by each write.
    pub(super) fn left(&self) -> usize {
        self.inner().faults.len()
    }

    pub(super) fn refuse_to_open(&self, times: usize) {
        self.inner().refusals = times;
    }

    pub(super) fn fail_from_now_on(&self) {
        self.inner().hopeless = true;
    }

    fn heal(&self) {
        let mut inner = self.inner();
        inner.faults.clear();
        inner.refusals = 0;
        inner.hopeless = false;
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.inner().files.iter().map(|file| String::from_utf8_lossy(file).into_owned()).collect()
    }

    pub(super) fn text(&self) -> String {
        self.files().concat()
    }
}

impl FileOpener for Script {
    type File = ScriptedFile;

    fn open(&self) -> io::Result<OpenedFile<ScriptedFile>> {
        let mut inner = self.inner();
        if inner.refusals > 0 {
            inner.refusals -= 1;
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let index = inner.files.len() - 1;
        let ends_mid_line = inner.files[index].last().is_some_and(|last| *last != b'\n');
        let id = Some(FileId::of_number(index as u64));
        Ok(OpenedFile { file: ScriptedFile(self.clone(), index), needs_lock: inner.needs_lock, ends_mid_line, id })
    }

    fn is_check_due(&self) -> bool {
        self.inner().watched
    }

    fn path_changed(&self, file: Option<FileId>) -> bool {
        file != Some(FileId::of_number(self.inner().files.len() as u64 - 1))
    }

    fn is_unlinked(&self, file: &ScriptedFile) -> bool {
        let inner = self.inner();
        inner.lost.contains(&file.1)
    }

    fn defer_error(&self, _: &'static str, _: io::Error) {
        self.inner().deferred += 1;
    }
}

#[derive(Debug)]
pub(super) struct ScriptedFile(Script, usize);

impl RawFile for ScriptedFile {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.inner();
        let fault = if inner.hopeless { Fault::Full } else { inner.faults.pop_front().unwrap_or(Fault::None) };
        let is_short = bytes.first() == Some(&b'\n') && inner.files[self.1].last() == Some(&b'>');
        if is_short && !matches!(fault, Fault::None | Fault::Take(_) | Fault::Interrupted) {
            let len = inner.files[self.1].len();
            inner.short_of_a_line_break.insert((self.1, len));
        }
        let count = fault.write(bytes.len())?;
        inner.files[self.1].extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// The file under test, as a sink.
struct UnderTest<S>(Arc<S>);

trait Subject: Send + Sync + 'static {
    fn put(&self, lines: &mut Lines<'_>) -> io::Result<()>;
    /// Not under a lock.
    fn complete_written(&self) {}
    fn flush_inner(&self) -> io::Result<()>;
    fn reopen_inner(&self) -> io::Result<()>;
    fn close_inner(&self) -> io::Result<()>;
}

impl Subject for DirectFile<Script> {
    fn put(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| self.write(line))
    }
    fn flush_inner(&self) -> io::Result<()> {
        Ok(())
    }
    fn reopen_inner(&self) -> io::Result<()> {
        self.reopen()
    }
    fn close_inner(&self) -> io::Result<()> {
        self.close();
        Ok(())
    }
}

impl Subject for BufferedFile<Script> {
    fn put(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.write(lines)
    }
    fn complete_written(&self) {
        self.complete_written();
    }
    fn flush_inner(&self) -> io::Result<()> {
        self.flush()
    }
    fn reopen_inner(&self) -> io::Result<()> {
        self.reopen()
    }
    fn close_inner(&self) -> io::Result<()> {
        self.close()
    }
}

impl<S: Subject> Sink for UnderTest<S> {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let result = self.0.put(lines);
        self.0.complete_written();
        result
    }
    fn flush(&self, _: FlushTo) -> io::Result<()> {
        let result = self.0.flush_inner();
        self.0.complete_written();
        result
    }
}

/// `<message>`, so that a whole record is known from a part of one.
struct Bracketed;

impl Format for Bracketed {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        Ok(write!(out, "<{}>", record.message())?)
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// One of so many bytes, severe enough for a flush or not.
    Record(usize, bool),
    Flush,
    Reopen {
        rotate: bool,
        refused: bool,
    },
    Close,
    /// The file is moved away or deleted, and the path cannot be opened this many times.
    MovedAway {
        deleted: bool,
        refusals: usize,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => (0..40_usize, prop::bool::weighted(0.2)).prop_map(|(len, severe)| Op::Record(len, severe)),
        1 => Just(Op::Record(200, false)),
        2 => Just(Op::Flush),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(rotate, refused)| Op::Reopen { rotate, refused }),
        1 => Just(Op::Close),
        1 => (any::<bool>(), 0..3_usize).prop_map(|(deleted, refusals)| Op::MovedAway { deleted, refusals }),
    ];
    prop::collection::vec(op, 0..50)
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        4 => Just(Fault::None),
        4 => (1..80_usize).prop_map(Fault::Take),
        1 => Just(Fault::Interrupted),
        2 => Just(Fault::Full),
        1 => Just(Fault::WouldBlock),
        1 => Just(Fault::Zero),
        1 => Just(Fault::Panic),
    ];
    prop::collection::vec(fault, 0..60)
}

/// Plays a script. At every moment the ledger accounts for all records; in the end, those counted as written are
/// complete lines, once each, and no two share a line.
fn play<S: Subject>(
    ops: Vec<Op>,
    script: &Script,
    heals: bool,
    make: impl FnOnce(Script) -> S,
) -> Result<(), TestCaseError> {
    let subject = Arc::new(make(script.clone()));
    let sink = UnderTest(Arc::clone(&subject));
    let (error_handler, told) = ErrorHandler::counting();
    let handler = NamedHandler::with_error_handler(
        "subject",
        Formatted::new(Bracketed, sink).flush_on(Severity::ERROR),
        error_handler,
    );
    let ledger = handler.ledger();
    let mut given = 0;
    for op in ops {
        match op {
            Op::Record(len, severe) => {
                let severity = if severe { Severity::ERROR } else { Severity::INFO };
                handler.emit(&Record::new(severity, "t", &format!("{given}:{}", "x".repeat(len))));
                given += 1;
            }
            Op::Flush => handler.flush().unwrap_or_default(),
            Op::Reopen { rotate, refused } => {
                if rotate {
                    script.rotate();
                }
                script.refuse_to_open(refused.into());
                // A scripted panic during the flush of the old file leaves that in use.
                let result = catch_unwind(AssertUnwindSafe(|| subject.reopen_inner().is_err()));
                prop_assert!(result.is_err() || result.is_ok_and(|failed| failed == refused));
            }
            Op::MovedAway { deleted, refusals } => {
                if deleted {
                    script.delete()
                } else {
                    script.rotate()
                }
                script.refuse_to_open(refusals);
            }
            Op::Close => {
                // Where it cannot be closed, it stays open.
                catch_unwind(AssertUnwindSafe(|| subject.close_inner().unwrap_or_default())).unwrap_or_default();
            }
        }
        prop_assert_eq!(ledger.stats().accepted(), given);
    }
    prop_assert!(told.load(Ordering::Relaxed) >= ledger.stats().failed);
    if heals {
        script.heal();
        prop_assert!(handler.flush().is_ok());
        prop_assert_eq!(ledger.stats().queued, 0);
    } else {
        script.fail_from_now_on();
    }
    drop((handler, subject));
    let stats = ledger.stats();
    prop_assert_eq!((stats.accepted(), stats.queued), (given, 0));

    let mut whole: HashMap<String, usize> = HashMap::new();
    for line in script.files().iter().flat_map(|file| file.split('\n')) {
        prop_assert!(line.matches('<').count() <= 1, "two records share a line: {line:?}");
        if let Some(message) = line.strip_prefix('<').and_then(|line| line.strip_suffix('>')) {
            *whole.entry(message.into()).or_default() += 1;
        }
    }
    // A record that failed for want of its line break reads as whole once the next one has put that break there.
    let slack = script.inner().short_of_a_line_break.len();
    let (lines, records) = (whole.values().sum::<usize>(), whole.len());
    let written = usize::try_from(stats.written).unwrap();
    prop_assert!(written <= records && lines <= written + slack, "{stats}, {records} whole, slack {slack}");
    Ok(())
}

fn opened(script: &Script, delay: bool) -> Option<OpenedFile<ScriptedFile>> {
    (!delay).then(|| script.open().unwrap())
}

proptest! {
    #[test]
    fn t12_t41_every_record_is_on_the_account(
        ops in ops(), faults in faults(), delay: bool, needs_lock: bool, watched: bool, heals: bool,
    ) {
        let script = Script::new(faults);
        script.inner().needs_lock = needs_lock;
        script.inner().watched = watched;
        play(ops, &script, heals, |script| {
            let opened = opened(&script, delay);
            let file = DirectFile::new(script);
            file.swap(|_, _| (opened.map_or(Swap::Keep, Swap::Open), ()));
            file
        })?;
    }

    #[test]
    fn t12_t41_every_record_is_on_the_account_of_a_buffer(
        ops in ops(), faults in faults(), delay: bool, capacity in 0..150_usize, watched: bool, heals: bool,
    ) {
        let script = Script::new(faults);
        script.inner().watched = watched;
        play(ops, &script, heals, |script| {
            let opened = opened(&script, delay);
            let file = BufferedFile::new(script, capacity);
            file.swap(|_, _, _| (opened.map_or(Swap::Keep, Swap::Open), ()));
            file
        })?;
    }
}
