//! Streams: stdout, stderr, any writer, and what happens when they fail.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::prelude::*;
use tracing::{error, info};
use tracing_strata::{
    Error, Flush, Format, Handler, HandlerExt as _, NamedHandler, Outcome, Record, Severity, Sink,
    format::{Buffer, Json},
    ledger::ErrorHandler,
    output::{Formatted, LogFile, Null, Stream},
    sink::{FileSink, FlushTo, Lines, SinkProperties},
};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    places::{Bare, Dir, remembering},
    support::{Give as _, with_layer},
};

fn record(message: &str) -> Record {
    Record::new(Severity::INFO, "t", message)
}

/// A writer that obeys a script of faults and remembers each write. Clones share it.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    faults: VecDeque<Fault>,
    out: Vec<u8>,
    writes: usize,
    flushes: usize,
    /// How often all of a record, but for its line break perhaps, was written when it failed.
    whole_but_failed: usize,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Take(usize),
    Interrupted,
    Full,
    WouldBlock,
    Zero,
    /// It panics, after so many bytes.
    Panic(usize),
}

impl Scripted {
    fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        let script = Self::default();
        script.script().faults.extend(faults);
        script
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8(self.script().out.clone()).unwrap()
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut script = self.script();
        script.writes += 1;
        let fault = script.faults.pop_front().unwrap_or(Fault::None);
        let count = match fault {
            Fault::None => bytes.len(),
            Fault::Take(count) | Fault::Panic(count) => count.min(bytes.len()),
            Fault::Interrupted => return Err(io::ErrorKind::Interrupted.into()),
            Fault::Full | Fault::WouldBlock | Fault::Zero => 0,
        };
        script.out.extend_from_slice(&bytes[..count]);
        let failing = matches!(fault, Fault::Full | Fault::WouldBlock | Fault::Zero | Fault::Panic(_));
        let all_written = count == bytes.len() && matches!(fault, Fault::Panic(_));
        if failing && (script.out.last() == Some(&b'>') || all_written) {
            script.whole_but_failed += 1;
        }
        match fault {
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            Fault::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
            Fault::Panic(_) => panic!("scripted"),
            _ => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.script().flushes += 1;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Scripted {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// --- what is written

#[test]
fn t41_one_write_and_one_flush_a_record() {
    let script = Scripted::default();
    with_layer(Stream::writer(script.clone()).format(Bare).into_layer(), || {
        info!("one");
        info!("two");
        let inner = script.script();
        assert_eq!((inner.writes, inner.flushes), (2, 2));
    });
    let inner = script.script();
    assert_eq!((inner.writes, inner.flushes), (2, 3), "once more when the layer is dropped");
    assert_eq!(inner.out, b"one\ntwo\n");
}

#[test]
fn the_terminator_and_the_format_can_be_replaced() {
    let script = Scripted::default();
    let handler = Stream::writer(script.clone()).terminator("\r\n").format(Json::new()).format(Bare).name("wire");
    assert_eq!(handler.describe().name, "wire");
    assert_eq!(handler.give(&record("a")).unwrap(), Outcome::Written);
    assert_eq!(handler.terminator("").give(&record("b")).unwrap(), Outcome::Written);
    assert_eq!(script.text(), "a\r\nb");
}

#[test]
fn a_format_knows_whether_its_sink_is_a_terminal() {
    struct Asking;
    impl Format for Asking {
        fn format(&self, _: &Record, out: &mut Buffer) -> Result<(), Error> {
            out.push_str(if out.is_terminal() { "terminal" } else { "no terminal" });
            Ok(())
        }
    }
    struct Terminal(Scripted);
    impl Sink for Terminal {
        fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
            lines.write_each(|line| self.0.clone().write_all(line))
        }
        fn properties(&self) -> SinkProperties {
            SinkProperties { is_terminal: true, ..SinkProperties::default() }
        }
    }
    let script = Scripted::default();
    Stream::writer(script.clone()).format(Asking).give(&record("")).unwrap();
    Stream::sink(Terminal(script.clone())).format(Asking).give(&record("")).unwrap();
    Formatted::new(Asking, Arc::new(Terminal(script.clone()))).give(&record("")).unwrap();
    assert_eq!(script.text(), "no terminal\nterminal\nterminal\n");
}

#[test]
fn streams_are_named_after_themselves() {
    assert_eq!(Stream::stdout().describe().name, "stdout");
    assert_eq!(Stream::stderr().format(Json::new()).describe().name, "stderr");
    assert_eq!(Null.describe().name, "null");
}

#[test]
fn whatever_makes_writers_for_fmt_is_a_sink() {
    let (mutex, closure, appended) = (Scripted::default(), Scripted::default(), Scripted::default());
    let script = closure.clone();
    let (appender, guard) = tracing_appender::non_blocking(appended.clone());
    for handler in [
        Stream::make_writer(Mutex::new(mutex.clone())).format(Bare).boxed(),
        Stream::make_writer(move || script.clone()).format(Bare).boxed(),
        Stream::make_writer(appender).format(Bare).boxed(),
    ] {
        assert_eq!(handler.give(&record("x")).unwrap(), Outcome::Written);
        handler.flush(&Flush::PLAIN).unwrap();
    }
    drop(guard);
    assert_eq!([mutex.text(), closure.text(), appended.text()], ["x\n", "x\n", "x\n"]);
}

#[test]
fn a_format_that_logs_or_formats_again_has_a_buffer_of_its_own() {
    struct Nesting(NamedHandler);
    impl Format for Nesting {
        fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
            out.push_str("outer ");
            self.0.emit(record);
            out.push_str(record.message());
            Ok(())
        }
    }
    let (inner, outer) = (Scripted::default(), Scripted::default());
    let nested = Stream::writer(inner.clone()).format(Bare).named("nested");
    Stream::writer(outer.clone()).format(Nesting(nested)).give(&record("message")).unwrap();
    assert_eq!((inner.text().as_str(), outer.text().as_str()), ("message\n", "outer message\n"));
}

#[test]
fn t43_what_is_no_text_is_written_as_valid_text() {
    let script = Scripted::default();
    let layer = Stream::writer(script.clone()).format(Json::new()).into_layer();
    with_layer(layer, || {
        #[cfg(unix)]
        {
            use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
            info!("{:?}", OsStr::from_bytes(b"caf\xe9 \xed\xa0\x80"));
        }
        info!("nul\0byte");
    });
    let text = script.text();
    assert_eq!(text.lines().count(), if cfg!(unix) { 2 } else { 1 }, "{text:?}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

// --- what a sink of one's own gets

/// Holds everything back, as the sink within does.
struct Holding {
    flushes: AtomicU64,
    fails: bool,
    panics: bool,
    held: FileSink,
    _dir: Dir,
}

impl Holding {
    fn new() -> Self {
        let dir = Dir::new();
        let held = LogFile::builder(dir.path("held")).buffer(64 << 10).build_sink().unwrap();
        Self { flushes: AtomicU64::new(0), fails: false, panics: false, held, _dir: dir }
    }
}

impl Sink for Holding {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        Sink::write(&self.held, lines)
    }

    fn flush(&self, _: FlushTo) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "scripted");
        if self.fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn a_sink_that_holds_records_is_flushed_on_severity() {
    let sink = Arc::new(Holding::new());
    let handler = Formatted::new(Bare, Arc::clone(&sink)).flush_on(Severity::ERROR).named("holding");
    handler.emit(&record("a"));
    assert_eq!(sink.flushes.load(Ordering::Relaxed), 0);
    handler.emit(&Record::new(Severity::ERROR, "t", "b"));
    handler.emit(&Record::new(Severity::CRITICAL, "t", "c"));
    assert_eq!(sink.flushes.load(Ordering::Relaxed), 2);
    handler.flush().unwrap();
    assert_eq!((sink.flushes.load(Ordering::Relaxed), handler.stats().queued), (3, 3));
}

#[test]
fn t12_a_flush_that_fails_after_a_held_record_is_told_and_the_record_counted_once() {
    for (sink, expected) in [
        (Holding { fails: true, ..Holding::new() }, "cannot flush somewhere: "),
        (Holding { panics: true, ..Holding::new() }, "panicked in flush(): scripted"),
    ] {
        let (error_handler, told) = remembering();
        let handler = Formatted::new(Bare, sink).name("somewhere").flush_on(Severity::INFO);
        let handler = NamedHandler::with_error_handler("held", handler, error_handler);
        handler.emit(&record("a"));
        let stats = handler.stats();
        assert_eq!((stats.accepted(), stats.queued), (1, 1), "{stats}");
        let told = told.lock().unwrap();
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
}

// --- faults

#[test]
fn t12_an_error_names_the_place_and_what_was_tried() {
    let handler = Stream::writer(Scripted::new([Fault::Full])).format(Bare).name("the printer");
    let error = handler.give(&record("a")).unwrap_err();
    assert_eq!(error.to_string(), "cannot write to the printer: no storage space");
    assert!(error.is_io());
    assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull));
}

#[test]
fn t41_a_torn_record_does_not_share_its_line() {
    for fault in [Fault::Full, Fault::WouldBlock, Fault::Zero, Fault::Panic(0)] {
        let (one, other) = (Scripted::new([Fault::Take(3), fault]), Scripted::new([Fault::Take(3), fault]));
        let make = other.clone();
        for (script, handler) in [
            (
                one.clone(),
                NamedHandler::with_error_handler("writer", Stream::writer(one).format(Bare), ErrorHandler::silent()),
            ),
            (
                other,
                NamedHandler::with_error_handler(
                    "writers",
                    Stream::make_writer(make).format(Bare),
                    ErrorHandler::silent(),
                ),
            ),
        ] {
            handler.emit(&record("torn"));
            handler.emit(&record("next"));
            handler.emit(&record("last"));
            assert_eq!(script.text(), "tor\nnext\nlast\n", "{fault:?}");
            assert_eq!((handler.stats().failed, handler.stats().written), (1, 2));
        }
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        4 => Just(Fault::None),
        4 => (1..40_usize).prop_map(Fault::Take),
        1 => Just(Fault::Interrupted),
        1 => Just(Fault::Full),
        1 => Just(Fault::WouldBlock),
        1 => Just(Fault::Zero),
        1 => (0..40_usize).prop_map(Fault::Panic),
    ];
    prop::collection::vec(fault, 0..40)
}

proptest! {
    #[test]
    fn t12_t41_every_record_is_on_the_account_and_every_written_one_a_line(
        lens in prop::collection::vec(0..30_usize, 0..30), faults in faults(), make: bool,
    ) {
        let script = Scripted::new(faults);
        let (error_handler, told) = ErrorHandler::counting();
        let handler = if make {
            NamedHandler::with_error_handler("writers", Stream::make_writer(script.clone()).format(Bare), error_handler)
        } else {
            NamedHandler::with_error_handler("writer", Stream::writer(script.clone()).format(Bare), error_handler)
        };
        let mut written = Vec::new();
        for (index, len) in lens.iter().enumerate() {
            let (message, before) = (format!("<{index}:{}>", "x".repeat(*len)), handler.stats().written);
            handler.emit(&record(&message));
            if handler.stats().written > before {
                written.push(message);
            }
            prop_assert_eq!(handler.stats().accepted(), index as u64 + 1);
        }
        prop_assert_eq!(handler.stats().failed, told.load(Ordering::Relaxed));
        let mut whole: HashMap<String, usize> = HashMap::new();
        for line in script.text().split('\n') {
            prop_assert!(line.matches('<').count() <= 1, "two records share a line: {line:?}");
            if line.starts_with('<') && line.ends_with('>') {
                *whole.entry(line.into()).or_default() += 1;
            }
        }
        prop_assert!(whole.values().all(|count| *count == 1));
        prop_assert!(written.iter().all(|message| whole.contains_key(message)));
        prop_assert!(whole.len() - written.len() <= script.script().whole_but_failed);
    }
}

// --- stdout and stderr, in a process of their own

#[cfg(unix)]
mod standard {
    use std::{
        fmt,
        fs::{self, File},
        io::{self, Read as _, Write as _},
        os::{fd::OwnedFd, unix::net::UnixStream},
        path::Path,
        time::{Duration, Instant},
    };

    use tracing_subscriber::{prelude::*, registry};

    use super::*;
    use crate::places::{Dir, in_a_child};

    /// Lets stdout and stderr lead to `to`; gives a report of five records to each, the failures told first.
    fn five_records_each(to: impl Into<OwnedFd>, report: &Path) {
        let to = to.into();
        rustix::stdio::dup2_stdout(&to).unwrap();
        rustix::stdio::dup2_stderr(&to).unwrap();
        drop(to);
        let (error_handler, told) = remembering();
        let out = Stream::stdout().format(Bare).into_layer().error_handler(error_handler.clone());
        let err = Stream::stderr().format(Bare).into_layer().error_handler(error_handler);
        // The trap of the third tells stderr, which fails, too.
        let loud = Stream::stdout().format(Bare).into_layer().error_handler(ErrorHandler::stderr_every(Duration::ZERO));
        let ledgers = [out.ledger(), err.ledger(), loud.ledger()];
        tracing::subscriber::with_default(registry().with(out).with(err).with(loud), || {
            for _ in 0..5 {
                error!("a record");
            }
        });
        let told = told.lock().unwrap();
        let mut lines: Vec<_> = told.iter().take(2).cloned().collect();
        lines.extend(ledgers.iter().map(|ledger| ledger.stats().to_string()));
        fs::write(report, lines.join("\n")).unwrap();
    }

    const ALL_FAILED: &str = "5 accepted: 0 written, 0 filtered, 0 dropped, 5 failed, 0 queued";

    fn assert_all_failed(report: &str, because: &str) {
        let lines: Vec<_> = report.lines().collect();
        assert_eq!(lines[2..], [ALL_FAILED; 3], "{report}");
        // The layers of a registry are called from the inside out.
        assert!(lines[0].starts_with("cannot write to stdout: ") && lines[0].contains(because), "{report}");
        assert!(lines[1].starts_with("cannot write to stderr: ") && lines[1].contains(because), "{report}");
    }

    #[test]
    fn t19_a_full_disk_behind_stdout_and_stderr() {
        let report = in_a_child(
            "stream::standard::t19_a_full_disk_behind_stdout_and_stderr",
            |_| {},
            |report| five_records_each(File::options().write(true).open("/dev/full").unwrap(), report),
        );
        assert_all_failed(&report, "No space left");
    }

    #[test]
    fn t19_a_closed_pipe_behind_stdout_and_stderr() {
        let report = in_a_child(
            "stream::standard::t19_a_closed_pipe_behind_stdout_and_stderr",
            |_| {},
            |report| {
                let (reader, writer) = io::pipe().unwrap();
                drop(reader);
                five_records_each(writer, report);
            },
        );
        assert_all_failed(&report, "Broken pipe");
    }

    #[test]
    fn t19_a_stdout_and_stderr_that_cannot_be_written() {
        let report = in_a_child(
            "stream::standard::t19_a_stdout_and_stderr_that_cannot_be_written",
            |_| {},
            |report| five_records_each(File::open("/dev/null").unwrap(), report),
        );
        assert_all_failed(&report, "Bad file descriptor");
    }

    /// Where they are closed when the process starts, Rust opens /dev/null in their place.
    #[test]
    fn t19_stdout_and_stderr_closed_from_the_start() {
        const NAME: &str = "stream::standard::t19_stdout_and_stderr_closed_from_the_start";
        let child = |report: &Path| {
            with_layer(Stream::stdout().format(Bare).into_layer(), || error!("a record"));
            let handler = Stream::stderr().format(Bare).named("stderr");
            handler.emit(&record("a record"));
            fs::write(report, handler.stats().to_string()).unwrap();
        };
        let prepare = |command: &mut std::process::Command| {
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", "exec \"$0\" \"$@\" >&- 2>&-"]).arg(command.get_program()).args(command.get_args());
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            *command = shell;
        };
        assert!(in_a_child(NAME, prepare, child).starts_with("1 accepted: 1 written"));
    }

    /// A stdout that is a non-blocking socket, and the other end. Small, so that it is soon full.
    fn non_blocking_stdout() -> UnixStream {
        let (reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        rustix::stdio::dup2_stdout(&writer).unwrap();
        reader
    }

    /// Reads what is there.
    fn drain(reader: &mut UnixStream) -> String {
        reader.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        match reader.read_to_end(&mut all) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => panic!("{result:?}"),
        }
        reader.set_nonblocking(false).unwrap();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn t19_t41_a_reader_that_stands_still_costs_one_deadline_and_tears_no_line() {
        const NAME: &str = "stream::standard::t19_t41_a_reader_that_stands_still_costs_one_deadline_and_tears_no_line";
        let child = |report: &Path| {
            let mut reader = non_blocking_stdout();
            let deadline = Duration::from_millis(200);
            let (error_handler, told) = remembering();
            let handler =
                NamedHandler::with_error_handler("out", Stream::stdout().format(Bare).timeout(deadline), error_handler);
            let begun = Instant::now();
            // Longer than what the socket takes at once: a part of it is written.
            handler.emit(&record(&"<".repeat(8 << 20)));
            for _ in 0..200 {
                handler.emit(&record("no room"));
            }
            // Two hundred deadlines would be 40 s.
            assert!(begun.elapsed() < Duration::from_secs(20));
            assert_eq!((handler.stats().failed, handler.stats().written), (201, 0));
            assert!(told.lock().unwrap()[0].contains("took nothing for 200ms"), "{:?}", told.lock().unwrap()[0]);
            let torn = drain(&mut reader);
            assert!(torn.len() > 1 && torn.bytes().all(|byte| byte == b'<'));
            handler.emit(&record("room again"));
            assert_eq!(drain(&mut reader), "\nroom again\n");
            // And it waits again, once the stream has taken something.
            let reading = std::thread::spawn(move || {
                let mut all = String::new();
                reader.read_to_string(&mut all).map(|_| all)
            });
            let patient = Stream::stdout().format(Bare).timeout(Duration::from_secs(60));
            patient.give(&record(&"long ".repeat(1 << 20))).unwrap();
            patient.give(&record("end")).unwrap();
            rustix::stdio::dup2_stdout(File::open("/dev/null").unwrap()).unwrap();
            assert!(reading.join().unwrap().unwrap().ends_with("long \nend\n"));
            fs::write(report, "done").unwrap();
        };
        assert_eq!(in_a_child(NAME, |_| {}, child), "done");
    }

    #[test]
    fn what_is_printed_keeps_its_order() {
        const NAME: &str = "stream::standard::what_is_printed_keeps_its_order";
        let child = |report: &Path| {
            let file = File::create(report).unwrap();
            rustix::stdio::dup2_stdout(&file).unwrap();
            let handler = Stream::stdout().format(Bare);
            for number in 0..3 {
                // `print!` would be captured by the test harness.
                write!(io::stdout(), "{number}: printed, ").unwrap();
                handler.give(&record("recorded")).unwrap();
            }
            // A value that logs while it is printed.
            struct Logging<'a>(&'a dyn Handler);
            impl fmt::Display for Logging<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.give(&record("within")).unwrap();
                    f.write_str("value")
                }
            }
            writeln!(io::stdout(), "<{}>", Logging(&handler)).unwrap();
            let handler = Stream::stderr().format(Bare);
            rustix::stdio::dup2_stderr(&file).unwrap();
            writeln!(io::stderr(), "<{}>", Logging(&handler)).unwrap();
        };
        let printed = in_a_child(NAME, |_| {}, child);
        let expected =
            "0: printed, recorded\n1: printed, recorded\n2: printed, recorded\n<within\nvalue>\n<within\nvalue>\n";
        assert_eq!(printed, expected);
    }

    #[test]
    fn the_standard_streams_serve_fmt_as_writers() {
        const NAME: &str = "stream::standard::the_standard_streams_serve_fmt_as_writers";
        let child = |report: &Path| {
            rustix::stdio::dup2_stdout(File::create(report).unwrap()).unwrap();
            let subscriber = tracing_subscriber::fmt().with_writer(tracing_strata::sink::StdStream::stdout()).finish();
            tracing::subscriber::with_default(subscriber, || info!("through fmt"));
        };
        assert!(in_a_child(NAME, |_| {}, child).ends_with("through fmt\n"));
    }

    #[test]
    fn a_file_is_a_writer_like_any_other() {
        let dir = Dir::new();
        let path = dir.path("log");
        let handler = Stream::writer(File::create(&path).unwrap()).format(Bare);
        handler.give(&record("a")).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "a\n");
    }
}
