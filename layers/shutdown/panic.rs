//! Panics as records.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::Cell,
    fmt,
    panic::{self, PanicHookInfo},
    sync::mpsc,
    thread,
    time::Duration,
};

use tracing_core::{Dispatch, Level, LevelFilter, dispatcher, field::display, span::Id};

use crate::{
    Severity,
    caught::catch,
    flush_all, handler,
    logger::{Given, Place, send},
    record, sink,
    text::escaped,
};

/// Makes a CRITICAL record of each panic; then the hook that was there before runs. [`PanicHook`] has more to choose.
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

/// Makes a record of each panic. Python: `sys.excepthook`, `threading.excepthook`.
///
/// # What is recorded
///
/// | | |
/// |---|---|
/// | target, severity | `panic`, CRITICAL |
/// | message | what the panic says |
/// | file, line | where it happened |
/// | thread | the one that panicked |
/// | spans | those it was in |
/// | field `backtrace` | unless [switched off](Self::backtrace) |
///
/// Panics that are caught later (`catch_unwind`, a thread's `join`) are recorded, too: a hook cannot know.
///
/// # When it blocks
/// The record is made on a thread of its own, in the name of the one that panicked, so that a handler that panics in its
/// turn does not abort the process. The thread that panicked waits for it, up to a [deadline](Self::timeout); then for
/// all handlers to be flushed, as the process may be about to abort.
///
/// # Failures
/// Where the record cannot be made by the deadline (the thread that panicked may hold a lock that a handler needs), and
/// where a handler panics while it takes the record, a line is written to stderr. A panic inside of one of our handlers,
/// or inside of a value that is being logged, makes no record: its [`ErrorHandler`](crate::ledger::ErrorHandler) is told, or the value is
/// marked.
#[derive(Clone, Debug)]
#[must_use = "a hook does nothing until it is installed"]
pub struct PanicHook {
    backtrace: bool,
    deadline: Duration,
}

const DEADLINE: Duration = Duration::from_secs(5);

thread_local! {
    /// Whether this thread makes the record of a panic.
    static REPORTS: Cell<bool> = const { Cell::new(false) };
    /// Whether the panic of this thread has its record, and the hooks before ours are at work.
    static IS_RECORDED: Cell<bool> = const { Cell::new(false) };
}

impl PanicHook {
    /// A hook that is not installed yet.
    pub fn new() -> Self {
        Self { backtrace: true, deadline: DEADLINE }
    }

    /// Whether the record has a backtrace, whatever `RUST_BACKTRACE` says (default: true).
    pub fn backtrace(mut self, backtrace: bool) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// How long the thread that panicked waits for the record, and for the flush, at most (default: 5 s).
    pub fn timeout(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Installs it in front of the hook that is there. On a thread that is panicking, it does nothing.
    ///
    /// Installed again, it takes the place of the one before: a panic makes one record, by the options that were installed
    /// last. That also holds where somebody has put a hook of their own between the two, or removed the first.
    pub fn install(self) {
        if thread::panicking() {
            return;
        }
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if REPORTS.try_with(Cell::get).unwrap_or_default() {
                // Past the hook before this one, which may log as well.
                return sink::stderr_line(&raw(info, "while another was recorded"));
            }
            if IS_RECORDED.try_with(Cell::get).unwrap_or_default() {
                // This one was installed before.
                return previous(info);
            }
            if !handler::is_handling() && !record::is_capturing() {
                self.report(info);
            }
            // A panic in there would abort the process.
            IS_RECORDED.try_with(|cell| cell.set(true)).unwrap_or_default();
            previous(info);
            IS_RECORDED.try_with(|cell| cell.set(false)).unwrap_or_default();
        }));
    }

    fn report(&self, info: &PanicHookInfo<'_>) {
        let report = Report::of(info, self.backtrace);
        let line = raw(info, "that could not be recorded");
        let (told, is_told) = mpsc::sync_channel(1);
        let work = move || {
            REPORTS.set(true);
            // Nobody waits any more where the deadline has passed.
            let result = catch(|| report.dispatch());
            told.send(result.is_ok()).unwrap_or_default();
            // The traps were told.
            flush_all().unwrap_or_default();
            told.send(true).unwrap_or_default();
        };
        let spawned = thread::Builder::new().name(thread_name()).spawn(work).is_ok();
        if !spawned || is_told.recv_timeout(self.deadline) != Ok(true) {
            return sink::stderr_line(&line);
        }
        // Late or not: the record is made, and what could not be flushed is on the ledgers.
        is_told.recv_timeout(self.deadline).unwrap_or_default();
    }
}

impl Default for PanicHook {
    fn default() -> Self {
        Self::new()
    }
}

/// All that is to be known of a panic, as its thread knows it.
struct Report {
    message: String,
    file: String,
    line: u32,
    thread: String,
    thread_id: u64,
    backtrace: Option<Backtrace>,
    within: Option<Within>,
}

impl Report {
    fn of(info: &PanicHookInfo<'_>, backtrace: bool) -> Self {
        let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
        Self {
            message: message(info.payload()).to_owned(),
            file: file.to_owned(),
            line,
            thread: thread_name(),
            thread_id: record::this_thread_id(),
            backtrace: backtrace.then(Backtrace::force_capture),
            within: Within::now(),
        }
    }

    /// Sends the event on this thread, in the name of the other one.
    fn dispatch(&self) {
        record::speak_for(&self.thread, self.thread_id);
        let Some(within) = &self.within else { return };
        if Level::ERROR > LevelFilter::current() {
            return;
        }
        let place = Place {
            target: "panic",
            level: Level::ERROR,
            module_path: None,
            file: Some(&self.file),
            line: Some(self.line),
        };
        let shown = self.backtrace.as_ref().map(|backtrace| backtrace as &dyn fmt::Display);
        let values: Vec<_> = shown.into_iter().map(|shown| ("backtrace", Given::Display(display(shown)))).collect();
        within.enter(|| send(place, Severity::CRITICAL, &format_args!("{}", self.message), &values));
    }
}

/// A subscriber, and the span a thread is in.
struct Within {
    dispatch: Dispatch,
    span: Option<Id>,
}

impl Within {
    fn now() -> Option<Self> {
        let now = || {
            dispatcher::get_default(|dispatch| {
                // Held, so that it is still there when the record is made.
                let span = dispatch.current_span().id().map(|id| dispatch.clone_span(id));
                Self { dispatch: dispatch.clone(), span }
            })
        };
        // Somebody else's code, which may panic: then without.
        catch(now).ok()
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

impl Drop for Within {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            self.dispatch.try_close(span);
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("Box<dyn Any>")
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().replace('\0', "")
}

/// `tracing-strata: a panic that …: thread "main" at src/main.rs:7: message`
fn raw(info: &PanicHookInfo<'_>, which: &str) -> String {
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let message = message(info.payload());
    escaped(&format!("tracing-strata: a panic {which}: thread {:?}{place}: {message}", thread_name()))
}
