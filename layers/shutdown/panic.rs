//! Turns panics into records.

use std::{
    backtrace::Backtrace,
    cell::Cell,
    env, fmt,
    io::{self, IsTerminal as _},
    panic::{self, PanicHookInfo},
    ptr,
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing_core::{Dispatch, Level, LevelFilter, dispatcher, field::display, span::Id};

use crate::{
    Severity, flush_all, handler,
    logger::{EventMeta, EventValue, send},
    record, sink,
    text::escaped,
    unwind::{self, catch},
};

/// Installs a [`PanicHook`] with default options. It logs each panic as a CRITICAL record, then runs the previous hook.
///
/// ```
/// use tracing_strata::{shutdown, output::Stream, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(Stream::stderr().into_layer()).init();
/// shutdown::panic_hook();
/// # drop(std::panic::take_hook());
/// ```
pub fn panic_hook() {
    PanicHook::new().install();
}

/// A panic hook that logs each panic. Python: `sys.excepthook`, `threading.excepthook`.
///
/// # What is recorded
///
/// | | |
/// |---|---|
/// | target, severity | `panic`, CRITICAL |
/// | message | that of the panic |
/// | file, line | where it happened |
/// | thread | the one that panicked |
/// | spans | those that the thread was in |
/// | field `backtrace` | the backtrace, unless [switched off](Self::backtrace) |
///
/// Panics that are caught later (`catch_unwind`, a thread's `join`) are logged as well: a hook cannot tell.
///
/// # The previous hook
/// It runs after the record is made. Std's own hook is left out if it would show the panic twice: stderr is a terminal, and
/// the record was written there without a [`Queue`](crate::Queue). In a test binary of cargo's it always runs, as the test
/// harness shows its output with the failed test.
///
/// # When it blocks
/// A new thread makes the record on behalf of the one that panicked, so that a second panic in a handler does not abort the
/// process. The thread that panicked waits for the record, up to the [timeout](Self::timeout). Then it waits as long again
/// for all handlers to flush, as the process may be about to abort.
///
/// # Failures
/// A line on stderr reports the panic if the record is not made in time (the thread that panicked may hold a lock that a
/// handler needs), or if a handler panics over the record. A panic inside a handler or inside a value that is being logged
/// makes no record: the handler's [`ErrorHandler`](crate::ledger::ErrorHandler) gets it, or a marker replaces the value.
#[derive(Clone, Debug)]
#[must_use = "a hook does nothing until it is installed"]
pub struct PanicHook {
    backtrace: bool,
    timeout: Duration,
}

const TIMEOUT: Duration = Duration::from_secs(5);

thread_local! {
    /// This thread makes the record of another thread's panic.
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
    /// The panic of this thread is recorded, and previous hooks are running.
    static RECORDED: Cell<Option<Recorded>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    /// On stderr, which is a terminal.
    AtTerminal,
    Elsewhere,
}

impl PanicHook {
    /// A hook, not yet installed.
    pub fn new() -> Self {
        Self { backtrace: true, timeout: TIMEOUT }
    }

    /// Whether the record has a backtrace (default: true), whatever `RUST_BACKTRACE` says.
    pub fn backtrace(mut self, backtrace: bool) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// How long the thread that panicked waits for the record, and then again for the flush (default: 5 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Installs the hook in front of the present one. Does nothing on a thread that is panicking.
    ///
    /// If it is installed twice, a panic still makes one record, with the later options, even if other hooks were installed
    /// in between.
    pub fn install(self) {
        if thread::panicking() {
            return;
        }
        let previous = panic::take_hook();
        // Std's own is in its place now. If they differ by mistake, a panic is only shown twice.
        let is_std = ptr::eq(&*previous, &*panic::take_hook()) && !is_test_binary();
        let previous = move |info: &PanicHookInfo<'_>, recorded| {
            if !(is_std && recorded == Recorded::AtTerminal) {
                previous(info);
            }
        };
        panic::set_hook(Box::new(move |info| self.on_panic(info, &previous)));
    }

    /// A panic in here would abort the process.
    fn on_panic(&self, info: &PanicHookInfo<'_>, previous: &dyn Fn(&PanicHookInfo<'_>, Recorded)) {
        if IS_REPORTER.try_with(Cell::get).unwrap_or_default() {
            // Skips the previous hook, which may log as well.
            return crate::stdio::stderr_line(&plain_line(info, "while another was recorded"));
        }
        if let Some(recorded) = RECORDED.try_with(Cell::get).unwrap_or_default() {
            // This is an earlier installation, run by a later one.
            return previous(info, recorded);
        }
        let recorded = match handler::is_handling() || record::is_capturing() {
            true => Recorded::Elsewhere,
            false => self.report(info),
        };
        RECORDED.try_with(|cell| cell.set(Some(recorded))).unwrap_or_default();
        previous(info, recorded);
        RECORDED.try_with(|cell| cell.set(None)).unwrap_or_default();
    }

    /// Has another thread log the panic, and waits for it.
    fn report(&self, info: &PanicHookInfo<'_>) -> Recorded {
        let report = Report::of(info, self.backtrace);
        let line = plain_line(info, "that could not be recorded");
        let (done, is_done) = mpsc::sync_channel(1);
        let work = move || {
            IS_REPORTER.set(true);
            // After the timeout, nobody receives the result.
            let result = catch(|| report.dispatch());
            let is_shown = sink::has_written_to_stderr() && io::stderr().is_terminal();
            let recorded = if is_shown { Recorded::AtTerminal } else { Recorded::Elsewhere };
            done.send(result.ok().map(|()| recorded)).unwrap_or_default();
            // The error handlers have the errors.
            flush_all().unwrap_or_default();
            done.send(None).unwrap_or_default();
        };
        // Without a thread, the channel is closed.
        thread::Builder::new().name(thread_name()).spawn(work).map(drop).unwrap_or_default();
        let Some(recorded) = is_done.recv_timeout(self.timeout).ok().flatten() else {
            crate::stdio::stderr_line(&line);
            return Recorded::Elsewhere;
        };
        // The record is made. If the flush is late, the ledgers count what is missing.
        is_done.recv_timeout(self.timeout).unwrap_or_default();
        recorded
    }
}

impl Default for PanicHook {
    fn default() -> Self {
        Self::new()
    }
}

/// Cargo puts test binaries into a folder of this name, programs and examples into others.
fn is_test_binary() -> bool {
    env::current_exe().is_ok_and(|program| program.parent().is_some_and(|folder| folder.ends_with("deps")))
}

/// A panic, as its thread knows it.
struct Report {
    message: String,
    file: String,
    line: u32,
    thread: String,
    thread_id: u64,
    backtrace: Option<Backtrace>,
    scope: Option<Scope>,
}

impl Report {
    fn of(info: &PanicHookInfo<'_>, backtrace: bool) -> Self {
        let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
        Self {
            message: message(info).to_owned(),
            file: file.to_owned(),
            line,
            thread: thread_name(),
            thread_id: record::this_thread_id(),
            backtrace: backtrace.then(Backtrace::force_capture),
            scope: Scope::current(),
        }
    }

    /// Sends the event from this thread, on behalf of the one that panicked.
    fn dispatch(&self) {
        record::impersonate_thread(&self.thread, self.thread_id);
        let Some(scope) = &self.scope else { return };
        if Level::ERROR > LevelFilter::current() {
            return;
        }
        let meta = EventMeta {
            target: "panic",
            level: Level::ERROR,
            module_path: None,
            file: Some(&self.file),
            line: Some(self.line),
        };
        let shown = self.backtrace.as_ref().map(|backtrace| backtrace as &dyn fmt::Display);
        let values: Vec<_> =
            shown.into_iter().map(|shown| ("backtrace", EventValue::Display(display(shown)))).collect();
        scope.enter(|| send(meta, Severity::CRITICAL, &format_args!("{}", self.message), &values));
    }
}

/// A subscriber, and the current span of a thread.
struct Scope {
    dispatch: Dispatch,
    span: Option<Id>,
}

impl Scope {
    fn current() -> Option<Self> {
        let current = || {
            dispatcher::get_default(|dispatch| {
                // Kept open until the record is made.
                let span = dispatch.current_span().id().map(|id| dispatch.clone_span(id));
                Self { dispatch: dispatch.clone(), span }
            })
        };
        // The subscriber is user code and may panic.
        catch(current).ok()
    }

    fn enter(&self, work: impl FnOnce()) {
        dispatcher::with_default(&self.dispatch, || {
            if let Some(span) = &self.span {
                self.dispatch.enter(span);
            }
            work();
            if let Some(span) = &self.span {
                self.dispatch.exit(span);
            }
        });
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            self.dispatch.try_close(span);
        }
    }
}

fn message<'i>(info: &'i PanicHookInfo<'_>) -> &'i str {
    unwind::text(info.payload()).unwrap_or("Box<dyn Any>")
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().replace('\0', "")
}

/// `tracing-strata: a panic that …: thread "main" at src/main.rs:7: message`
fn plain_line(info: &PanicHookInfo<'_>, which: &str) -> String {
    let location = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let message = message(info);
    escaped(&format!("tracing-strata: a panic {which}: thread {:?}{location}: {message}", thread_name()))
}
