//! One line to start: [`init`]; one screen for the usual service: [`setup`].
//!
//! Python: `logging.basicConfig`.
//!
//! # What you get
//!
//! | | |
//! |---|---|
//! | where | standard error; [pretty](Text::pretty) on a terminal, JSON lines elsewhere |
//! | levels | `RUST_LOG`, as [`Loggers`] reads it; without it, those of [`Setup::levels`]; without these, INFO |
//! | format by hand | `STRATA_FORMAT=pretty` (coloured), `text` ([plain](Text::plain)) or `json` |
//! | panics | CRITICAL records ([`shutdown::panic_hook`]); at a terminal they are told once, without std's own message |
//! | the `log` crate | with the feature `log` ([`log::install`](crate::log::install)) |
//! | at the end | everything is flushed, when the [guard](LoggingGuard) is dropped and when the process exits |
//!
//! # Where it stands
//! At the beginning of `main`, with the guard kept until its end. A library logs by `tracing` alone, and leaves this to the
//! application. Tests that look at records use `testing::Capture`, whatever the application has started.
//!
//! # Failures
//! [`init`] and [`Setup::init`] return an error, and change nothing, where the process has a global default subscriber
//! already. A wrong `RUST_LOG` or `STRATA_FORMAT` does not stop the program: it is ignored, and a WARN record says what was
//! wrong; a line on standard error where the levels hide WARN. A directive of `RUST_LOG` that matched nothing until the end is named by a WARN record, with the names that were
//! seen.

use std::{
    collections::BTreeSet,
    env, fmt,
    io::{self, IsTerminal as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tracing_core::{
    Dispatch, Event, Interest, LevelFilter, Metadata, Subscriber, dispatcher, subscriber::NoSubscriber,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::{
    Error, Fields, Format, Handler, HandlerExt as _, Loggers, Queue, Severity, Tee,
    format::{Color, Json, Text},
    output::{RotatingFileBuilder, Stream},
    record::is_below,
    shutdown,
    text::distance,
};

const LEVELS: &str = "RUST_LOG";
const FORMAT: &str = "STRATA_FORMAT";
const TARGET: &str = "tracing_strata::setup";

/// Starts logging, with the defaults of this [module](self).
///
/// ```
/// let _logging = tracing_strata::init();
/// tracing::info!(port = 8080, "listening");
/// ```
///
/// # Errors
/// The process has a global default subscriber already.
pub fn init() -> Result<LoggingGuard, Error> {
    setup().init()
}

/// Logging for a service, on one screen.
///
/// ```
/// use tracing_strata::output::RotatingFile;
///
/// # fn main() -> Result<(), tracing_strata::Error> {
/// # let path = std::env::temp_dir().join(format!("strata-setup-{}.jsonl", std::process::id()));
/// let _logging = tracing_strata::setup()
///     .levels("warn,shop=info,shop.db=debug")
///     .file(RotatingFile::builder(&path).max_bytes(10 << 20).backups(5))
///     .init()?;
/// tracing::info!(target: "shop::db", rows = 3, "query done");
/// # drop(_logging);
/// # assert!(std::fs::read_to_string(&path).unwrap().contains(r#""rows":3"#));
/// # std::fs::remove_file(path).unwrap();
/// # Ok(())
/// # }
/// ```
pub fn setup() -> Setup {
    Setup::default()
}

type Open = Box<dyn FnOnce() -> Result<Box<dyn Handler>, Error>>;

/// What logging is to be made of. Made by [`setup`]; nothing is opened before [`init`](Self::init) or
/// [`layer`](Self::layer).
#[must_use = "nothing happens before `init`"]
pub struct Setup {
    levels: String,
    console: Console,
    handlers: Vec<Open>,
    globals: Option<Fields>,
    trace_ids: bool,
    #[cfg(feature = "redact")]
    redact: Option<crate::filter::Redact>,
    #[cfg(feature = "otlp")]
    otlp: bool,
}

enum Console {
    Auto,
    Format(Box<dyn Format>),
    None,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            levels: "info".to_owned(),
            console: Console::Auto,
            handlers: Vec::new(),
            globals: None,
            trace_ids: false,
            #[cfg(feature = "redact")]
            redact: None,
            #[cfg(feature = "otlp")]
            otlp: false,
        }
    }
}

impl Setup {
    /// The levels by name where `RUST_LOG` is not set (default: `info`), as [`Loggers::parse`] reads them.
    pub fn levels(mut self, directives: impl Into<String>) -> Self {
        self.levels = directives.into();
        self
    }

    /// The format of what goes to standard error (default: by the terminal and `STRATA_FORMAT`).
    pub fn console(mut self, format: impl Format) -> Self {
        self.console = Console::Format(Box::new(format));
        self
    }

    /// Nothing goes to standard error.
    pub fn no_console(mut self) -> Self {
        self.console = Console::None;
        self
    }

    /// A file of JSON lines, written by a thread of its own ([`Queue`]). Other formats and sinks:
    /// [`handler`](Self::handler).
    pub fn file(mut self, file: RotatingFileBuilder) -> Self {
        self.handlers.push(Box::new(move || {
            let file = file.format(Json::new()).build()?;
            Ok(Queue::builder().build(file)?.boxed())
        }));
        self
    }

    /// Any other handler.
    pub fn handler(mut self, handler: impl Handler) -> Self {
        self.handlers.push(Box::new(move || Ok(handler.boxed())));
        self
    }

    /// Fields that every record carries: [`Globals`](crate::Globals) has setters for service, version and host.
    pub fn globals(mut self, fields: impl Into<Fields>) -> Self {
        self.globals = Some(fields.into());
        self
    }

    /// Takes secrets out of all records, and out of spans that are exported, before anything keeps them. (Feature `redact`.)
    #[cfg(feature = "redact")]
    pub fn redact(mut self, redact: crate::filter::Redact) -> Self {
        self.redact = Some(redact);
        self
    }

    /// Gives spans trace ids: see [`SpanContextLayer::trace_ids`](crate::SpanContextLayer::trace_ids).
    pub fn trace_ids(mut self) -> Self {
        self.trace_ids = true;
        self
    }

    /// Logs and spans also go to an OpenTelemetry collector, as the `OTEL_*` variables say: see
    /// [`Otlp::from_env`](crate::otlp::Otlp::from_env).
    #[cfg(feature = "otlp")]
    pub fn otlp_from_env(mut self) -> Self {
        self.otlp = true;
        self
    }

    /// Opens the handlers, and makes it the global default of the process; installs the panic hook and, with the feature
    /// `log`, the bridge from the `log` crate.
    ///
    /// # Errors
    /// There is a global default already, or another thread is about to make one in this way: nothing was opened. A file
    /// cannot be opened, a setting is wrong: the message names it.
    pub fn init(self) -> Result<LoggingGuard, Error> {
        let taken = || Error::config("cannot start logging: the process has a global default subscriber already");
        let _start =
            Start::begin().ok_or_else(|| Error::config("cannot start logging: it is being started already"))?;
        if has_global_default() {
            return Err(taken());
        }
        let (layer, mut guard) = self.layer()?;
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
        dispatcher::set_global_default(dispatch).map_err(|_| taken())?;
        guard.is_global = true;
        shutdown::panic_hook();
        #[cfg(feature = "log")]
        if let Err(error) = crate::log::install() {
            guard.warnings.push(error.to_string());
        }
        guard.warn();
        Ok(guard)
    }

    /// The same as a layer for a `Registry` of your own. Neither the panic hook nor the bridge from the `log` crate is
    /// installed.
    ///
    /// # Errors
    /// A file cannot be opened, a setting is wrong: the message names it.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync + use<S>, LoggingGuard), Error>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut warnings = Vec::new();
        let default = Loggers::parse(&self.levels)?;
        let (loggers, asked) = match levels_from_env() {
            Ok(None) => (default, Vec::new()),
            Ok(Some(loggers)) => (loggers.clone(), loggers.names()),
            Err(error) => {
                warnings.push(format!("{error}; the levels are {default}"));
                (default, Vec::new())
            }
        };
        let mut all = Tee::new();
        let console = match self.console {
            Console::Auto => Some(console(&mut warnings)),
            Console::Format(format) => Some(format),
            Console::None => None,
        };
        if let Some(format) = console {
            all = all.with("console", Stream::stderr().format(format));
        }
        for open in self.handlers {
            let handler = open()?;
            all = all.with(handler.describe().name, handler);
        }
        let mut layer = all.into_layer().named("logging");
        if let Some(globals) = &self.globals {
            layer = layer.globals(globals.clone());
        }
        if self.trace_ids {
            layer = layer.trace_ids();
        }
        #[cfg(feature = "redact")]
        if let Some(redact) = &self.redact {
            layer = layer.redact(redact.clone());
        }
        let seen = Arc::new(Seen { loggers: loggers.clone(), targets: Mutex::default() });
        // Boxed: an absent layer as `None` beside one with a filter would turn everything off.
        let layer: Box<dyn Layer<S> + Send + Sync> = Box::new(layer.with_filter(SeenFilter(Arc::clone(&seen))));
        #[cfg(feature = "otlp")]
        let (layer, otlp) = match self.otlp {
            true => {
                let (mut otlp, guard) = crate::otlp::Otlp::from_env().build_with_guard()?;
                if let Some(globals) = self.globals {
                    otlp = otlp.globals(globals);
                }
                #[cfg(feature = "redact")]
                if let Some(redact) = self.redact {
                    otlp = otlp.redact(redact);
                }
                (Box::new(layer.and_then(otlp.with_filter(loggers.clone()))) as Box<_>, Some(guard))
            }
            false => (layer, None),
        };
        let guard = LoggingGuard {
            loggers,
            seen,
            asked,
            warnings,
            is_global: false,
            #[cfg(feature = "otlp")]
            otlp,
        };
        Ok((layer, guard))
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("levels", &self.levels).finish_non_exhaustive()
    }
}

/// One thread starts logging; no other waits for it, as user code runs meanwhile.
struct Start;

static IS_STARTING: AtomicBool = AtomicBool::new(false);

impl Start {
    fn begin() -> Option<Self> {
        if IS_STARTING.swap(true, Ordering::Acquire) { None } else { Some(Self) }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        IS_STARTING.store(false, Ordering::Release);
    }
}

fn has_global_default() -> bool {
    // "Ever": one that was for a scope counts, too. A new thread is in no scope.
    let is_set = || dispatcher::get_default(|dispatch| !dispatch.is::<NoSubscriber>());
    let ask = || thread::Builder::new().spawn(is_set).ok()?.join().ok();
    dispatcher::has_been_set() && ask().unwrap_or(true)
}

fn levels_from_env() -> Result<Option<Loggers>, Error> {
    match env::var_os(LEVELS) {
        Some(directives) if !directives.to_string_lossy().trim_matches([' ', ',']).is_empty() => {
            Loggers::from_env().map(Some)
        }
        _ => Ok(None),
    }
}

/// The format for standard error where nobody has chosen.
fn console(warnings: &mut Vec<String>) -> Box<dyn Format> {
    let chosen = env::var_os(FORMAT).unwrap_or_default();
    match &*chosen.to_string_lossy() {
        "json" => return Box::new(Json::new()),
        "text" => return Box::new(Text::plain()),
        "pretty" => return Box::new(Text::pretty().color(Color::Always)),
        "" => {}
        other => warnings.push(format!("{FORMAT}: expected pretty, text or json, got {other:?}")),
    }
    if io::stderr().is_terminal() { Box::new(Text::pretty()) } else { Box::new(Json::new()) }
}

/// The levels, and which targets have asked for one.
struct Seen {
    loggers: Loggers,
    targets: Mutex<BTreeSet<&'static str>>,
}

struct SeenFilter(Arc<Seen>);

impl<S: Subscriber> Filter<S> for SeenFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::enabled(&self.0.loggers, metadata, context)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.0.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(metadata.target());
        Filter::<S>::callsite_enabled(&self.0.loggers, metadata)
    }

    #[inline]
    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::event_enabled(&self.0.loggers, event, context)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0.loggers)
    }
}

/// Flushes everything when it is dropped. Made by [`init`], [`Setup::init`] and [`Setup::layer`]: keep it until the end of
/// `main`, as `_logging` and not as `_`.
#[must_use = "dropping the guard flushes: keep it until the end of `main`, as `_logging` and not as `_`"]
pub struct LoggingGuard {
    loggers: Loggers,
    seen: Arc<Seen>,
    /// The names in `RUST_LOG`.
    asked: Vec<String>,
    /// To be logged with the first chance.
    warnings: Vec<String>,
    is_global: bool,
    #[cfg(feature = "otlp")]
    otlp: Option<crate::otlp::OtlpGuard>,
}

impl LoggingGuard {
    /// The levels by name, to be changed while the program runs.
    pub fn loggers(&self) -> &Loggers {
        &self.loggers
    }

    /// Flushes everything: see [`flush_within`](crate::shutdown::flush_within).
    ///
    /// # Errors
    /// What could not be written within the timeout.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        shutdown::flush_within(timeout)
    }

    fn warn(&mut self) {
        for warning in self.warnings.drain(..) {
            // The levels may be what is wrong.
            if self.loggers.is_enabled_for(TARGET, Severity::WARN) {
                tracing::warn!(target: TARGET, "{warning}");
            } else {
                crate::stdio::stderr_line(&format!("tracing-strata: {}", crate::text::escaped(&warning)));
            }
        }
    }

    /// Names in `RUST_LOG` that no call site has, so that they have no effect; what was seen, and the nearest of it. None
    /// where nothing has logged yet: the guard was dropped too early to say.
    fn unmatched(&self) -> Option<String> {
        let targets = self.seen.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if targets.is_empty() {
            return None;
        }
        let has = |name: &str| targets.iter().any(|target| is_below(target, name));
        let unmatched: Vec<_> = self.asked.iter().filter(|name| *name != "root" && !has(name)).collect();
        let first = *unmatched.first()?;
        let crates: BTreeSet<_> = targets.iter().filter_map(|target| target.split([':', '.']).next()).collect();
        let nearest = crates.iter().min_by_key(|name| distance(name, first)).copied().unwrap_or("my_crate");
        let seen = Vec::from_iter(crates.iter().take(8).copied()).join(", ");
        let names = unmatched.iter().take(8).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let more = if unmatched.len() > 8 { format!(" and {} more", unmatched.len() - 8) } else { String::new() };
        Some(format!(
            "{LEVELS}: nothing has logged as {names}{more}; seen: {seen}; for more of one: {LEVELS}={nearest}=debug"
        ))
    }
}

impl Drop for LoggingGuard {
    fn drop(&mut self) {
        if self.is_global {
            self.warnings.extend(self.unmatched());
            self.warn();
        }
        #[cfg(feature = "otlp")]
        drop(self.otlp.take());
        if let Err(error) = crate::flush_all() {
            crate::stdio::stderr_line(&format!("tracing-strata: {}", crate::text::escaped(&error.to_string())));
        }
    }
}

impl fmt::Debug for LoggingGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingGuard").field("loggers", &self.loggers).finish_non_exhaustive()
    }
}
