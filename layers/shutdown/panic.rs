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

/// Logs each panic as a CRITICAL record, then runs the previous hook, as [`PanicHook`] says, which has options.
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

/// Logs each panic. Python: `sys.excepthook`, `threading.excepthook`.
///
/// # What is recorded
///
/// | | |
/// |---|---|
/// | target, severity | `panic`, CRITICAL |
/// | message | the panic's |
/// | file, line | where it happened |
/// | thread | the one that panicked |
/// | spans | those that the thread was in |
/// | field `backtrace` | unless [switched off](Self::backtrace) |
///
/// Panics that are caught later (`catch_unwind`, a thread's `join`) are logged, too: a hook cannot know.
///
/// # The previous hook
/// It runs after the record is made. Only std's own is left out where it would repeat what was just read: if stderr is a
/// terminal and the record was written there, and not from behind a [`Queue`](crate::Queue). In a test binary of cargo's it
/// always runs, as the harness shows what it says with the test that failed.
///
/// # When it blocks
/// A new thread makes the record, in the name of the one that panicked: so a handler that panics, too, does not abort the
/// process. The thread that panicked waits for the record, up to the [timeout](Self::timeout); then, as long again, for
/// the flush of all handlers, as the process may be about to abort.
///
/// # Failures
/// If the record is not made in time (the thread that panicked may hold a lock that a handler needs), or if a handler
/// panics while it takes the record, a line on stderr reports the panic. A panic inside a handler of this crate, or inside
/// a value that is being logged, makes no record: the handler's [`ErrorHandler`](crate::ledger::ErrorHandler) gets it, or
/// the value carries a marker.
#[derive(Clone, Debug)]
#[must_use = "a hook does nothing until it is installed"]
pub struct PanicHook {
    backtrace: bool,
    timeout: Duration,
}

const TIMEOUT: Duration = Duration::from_secs(5);

thread_local! {
    /// This thread makes the record of a panic.
    static IS_REPORTER: Cell<bool> = const { Cell::new(false) };
    /// The panic of this thread is recorded, and the previous hooks run.
    static RECORDED: Cell<Option<Recorded>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    /// Whoever sits at the terminal of stderr has read it.
    AtTerminal,
    Elsewhere,
}

impl PanicHook {
    /// A hook, not yet installed.
    pub fn new() -> Self {
        Self { backtrace: true, timeout: TIMEOUT }
    }

    /// Whether the record has a backtrace (default: true). `RUST_BACKTRACE` does not matter.
    pub fn backtrace(mut self, backtrace: bool) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// How long the thread that panicked waits at most for the record, and again for the flush (default: 5 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Installs it in front of the present hook. On a thread that is panicking, it does nothing.
    ///
    /// A later installation replaces an earlier one: a panic makes one record, by the latest options, even if another hook
    /// was installed between the two, or the first was removed.
    pub fn install(self) {
        if thread::panicking() {
            return;
        }
        let previous = panic::take_hook();
        // Now std's own is in its place. A false "no" only has a panic told twice.
        let is_std = ptr::eq(&*previous, &*panic::take_hook()) && !is_test_binary();
        let previous = move |info: &PanicHookInfo<'_>, recorded| {
            if !(is_std && recorded == Recorded::AtTerminal) {
                previous(info);
            }
        };
        panic::set_hook(Box::new(move |info| {
            if IS_REPORTER.try_with(Cell::get).unwrap_or_default() {
                // Skips the previous hook, which may log as well.
                return crate::stdio::stderr_line(&raw(info, "while another was recorded"));
            }
            if let Some(recorded) = RECORDED.try_with(Cell::get).unwrap_or_default() {
                // An earlier installation.
                return previous(info, recorded);
            }
            let recorded = match handler::is_handling() || record::is_capturing() {
                true => Recorded::Elsewhere,
                false => self.report(info),
            };
            // A panic in here would abort the process.
            RECORDED.try_with(|cell| cell.set(Some(recorded))).unwrap_or_default();
            previous(info, recorded);
            RECORDED.try_with(|cell| cell.set(None)).unwrap_or_default();
        }));
    }

    fn report(&self, info: &PanicHookInfo<'_>) -> Recorded {
        let report = Report::of(info, self.backtrace);
        let line = raw(info, "that could not be recorded");
        let (done, is_done) = mpsc::sync_channel(1);
        let work = move || {
            IS_REPORTER.set(true);
            // After the timeout, nobody receives it.
            let result = catch(|| report.dispatch());
            let is_shown = sink::has_written_to_stderr() && io::stderr().is_terminal();
            let recorded = if is_shown { Recorded::AtTerminal } else { Recorded::Elsewhere };
            done.send(result.ok().map(|()| recorded)).unwrap_or_default();
            // The error handlers have the errors.
            flush_all().unwrap_or_default();
            done.send(None).unwrap_or_default();
        };
        let spawned = thread::Builder::new().name(thread_name()).spawn(work).is_ok();
        let Some(recorded) = is_done.recv_timeout(self.timeout).ok().flatten().filter(|_| spawned) else {
            crate::stdio::stderr_line(&line);
            return Recorded::Elsewhere;
        };
        // Late or not: the record is made, and the ledgers count what could not be flushed.
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

    /// Sends the event from this thread, in the name of the other one.
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
        // The subscriber is user code and may panic: then there is no scope.
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
fn raw(info: &PanicHookInfo<'_>, which: &str) -> String {
    let location = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let message = message(info);
    escaped(&format!("tracing-strata: a panic {which}: thread {:?}{location}: {message}", thread_name()))
}
