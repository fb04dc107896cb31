//! What Python's `logging` and its surroundings give a Python application, as composable [`tracing_subscriber`] layers:
//! you write `tracing::info!`, stack layers on a `Registry`, and every record goes where it should, in the shape it
//! should have, with the context it happened in.
//!
//! 1. **Context survives.** Every record carries the fields of the spans it happened in, its request id and its trace
//!    ids, whatever filter a handler has ([three places for filters](#filters-three-places) says what each needs).
//! 2. **Nothing is lost silently.** Each handler keeps a [ledger](ledger::Ledger): at every moment, what was accepted is the
//!    sum of what was written, filtered, dropped, failed and queued. A full disk or a closed pipe is counted and told,
//!    and never stops the application. [`flush_all`] at the end of `main` brings what is held back to its place.
//! 3. **It costs almost nothing.** A disabled call site costs what `tracing` itself costs; an enabled one allocates
//!    nothing and is several times cheaper than `tracing_subscriber::fmt().json()` (see the README's table).
//!
//! ```
//! use tracing::{info, info_span};
//! use tracing_strata::{Loggers, Severity, format::{Json, Text}, output::{LogFile, Stream}, prelude::*};
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> Result<(), tracing_strata::Error> {
//! # let path = std::env::temp_dir().join(format!("strata-doc-{}.jsonl", std::process::id()));
//! // Levels by name; a cheap handle: clone it, change it at run time.
//! let loggers = Loggers::parse("warn,shop=info,shop.db=debug")?;
//! let file = LogFile::builder(&path).format(Json::new()).build()?;
//!
//! tracing_subscriber::registry()
//!     .with(Stream::stderr().format(Text::colored()).min_level(Severity::WARN).into_layer().with_filter(loggers.clone()))
//!     .with(file.into_layer().with_filter(loggers.clone()))
//!     .init();
//!
//! let _request = info_span!(target: "shop", "request", id = "r-1").entered();
//! info!(target: "shop::db", rows = 3, "query done");
//! loggers.set_level("shop.db", Severity::ERROR)?;
//! info!(target: "shop::db", "off from now on");
//!
//! let line = std::fs::read_to_string(&path).unwrap();
//! assert!(line.contains(r#""message":"query done","rows":3,"id":"r-1""#), "{line}");
//! assert_eq!(line.lines().count(), 1);
//! # std::fs::remove_file(path).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! # From Python
//!
//! | Python | here |
//! |---|---|
//! | `getLogger("app.db")` | the target `app::db` (or `app.db`) of an event; [`Logger::new`] for names at run time |
//! | `setLevel`, `NOTSET`, `getEffectiveLevel`, `propagate`, `disabled`, `logging.disable` | [`Loggers`] |
//! | level numbers, `addLevelName`, `CRITICAL` | [`Severity`], [`critical!`] |
//! | `LogRecord` | [`Record`] |
//! | `extra=` | the event's fields, typed; lists and maps by [`json`] (feature `serde`) |
//! | `LoggerAdapter`, `contextvars` | span fields, [`Logger::bind`], [`Globals`] |
//! | `Handler`, `setLevel`, `addFilter` | [`Handler`], [`.level()`](HandlerExt::min_level), [`.filter()`](HandlerExt::filter), [`.transform()`](HandlerExt::transform) |
//! | `Formatter` | [`Format`]: [`format::Template`] takes Python's own formats; [`format::Text`], [`format::Json`] in [many shapes](format::Json#shapes-that-tools-expect), [`format::Logfmt`], [`format::Gelf`] |
//! | python-json-logger, ecs-logging | [`Json::python`](format::Json::python), [`Json::ecs`](format::Json::ecs) |
//! | `StreamHandler`, `FileHandler`, `WatchedFileHandler`, `NullHandler` | [`output::Stream`], [`output::LogFile`], [`LogFile` with `watch`](output::LogFile#when-another-program-rotates-the-file), [`output::Null`] |
//! | `QueueHandler`, `QueueListener` | [`Queue`] |
//! | `DatagramHandler` | [`output::Datagram`]; with [`format::Pickle`] for Python's own receivers |
//! | `SocketHandler`, `SysLogHandler` | [`output::Socket`], [`output::Syslog`] |
//! | `systemd.journal.JournalHandler` | `output::Journald` (Linux) |
//! | `MemoryHandler` | [`MemoryBuffer`]; for each request on its own: [`FlightRecorder`] |
//! | `RotatingFileHandler`, `TimedRotatingFileHandler` | [`output::RotatingFile`] |
//! | `logger.exception()` | [`exception!`] |
//! | `handleError`, `raiseExceptions` | [`ledger::ErrorHandler`] |
//! | `logging.config`, `basicConfig` | [`config`] (feature `config`) |
//! | `logging.shutdown`, `sys.excepthook` | [`flush_all`]; at [`shutdown`] by itself; [`shutdown::panic_hook`] |
//!
//! # Differences from Python
//!
//! - A name is split at `.` and at `::`.
//! - `WARNING` is called `WARN` (it parses as both), and there is `TRACE` (5).
//! - A rewrite changes a copy that only its own handler sees; Python's filters change the record for all later handlers.
//! - What goes wrong in a handler is told at most once in ten seconds, not for every record.
//! - One record is one line unless a format is asked for more: line breaks and control characters are escaped.
//! - A record born inside a handler does not go to that handler.
//!
//! # Filters: three places
//!
//! | where | what it costs when it says no | what it does to spans |
//! |---|---|---|
//! | `.with_filter(loggers)` ([`Loggers`] before a layer) | nothing: the call site is switched off | lets them through, see [`Loggers::set_span_level`] |
//! | `.with_filter(LevelFilter::WARN)` (`tracing_subscriber`'s) | nothing | hides them; add a [`SpanContextLayer`] layer to keep their fields |
//! | `.level(…)`, `.filter(…)` (a handler's own) | the capture of the event | nothing |
//!
//! Behind `Loggers`, spans of every level and target are kept, also those of libraries that log nothing: their fields may
//! be wanted on a record. A span costs some hundred nanoseconds; [`Loggers::set_span_level`] switches those below a level off.
//!
//! A span made while a thread's local values are destroyed (in the `Drop` of a `thread_local!`) ends the process: the
//! registry of `tracing_subscriber` cannot make one there, with or without this crate. Events can be logged there.
//!
//! # Features
//!
//! Features only add API. The default build has all of the above.
//!
//! | feature | adds |
//! |---|---|
//! | `gelf` | `output::Datagram::gelf`: GELF over UDP with compression and chunks |
//! | `log` | [`log`](mod@log): events of the `log` crate with their own target, file, line and key-values |
//! | `config` | [`config`]: Python's `dictConfig` from JSON, YAML and TOML, `fileConfig`, `basicConfig`; reload |
//! | `watch` | [`config::Logging::watch`]: reload when the file changes |
//! | `clap` | [`config::CliArgs`]: logging on the command line |
//! | `opentelemetry` | records have the trace ids of `tracing-opentelemetry` 0.34 where its layer is in the stack, before or after ours |
//! | `tls` | [`sink::net::Tls`]: encrypted streams for sockets and syslog |
//! | `gzip`, `zstd` | [`sink::Compression`] of rotated files |
//! | `serde` | [`json`]: values that are lists and maps, of any type that implements `serde::Serialize` |
//! | `signal` | [`shutdown`]: `Signals`, SIGTERM and SIGINT flush before they end the process |
//! | `otlp` | [`otlp`]: logs and spans to OpenTelemetry collectors; includes `opentelemetry` |
//! | `full` | all of them |

#![forbid(unsafe_code)]
// A discarded error is a lost record, a stray print panics on a closed pipe, and nothing here may bring down the
// application: the library keeps to these, its tests, examples and benches need not.
#![warn(clippy::let_underscore_must_use, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod barrier;
mod caught;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
mod error;
pub mod filter;
mod fork;
pub mod format;
pub mod handler;
pub mod ledger;
#[cfg(feature = "log")]
pub mod log;
pub mod logger;
pub mod loggers;
mod macros;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod output;
#[cfg(unix)]
mod patience;
pub mod record;
pub mod shutdown;
pub mod sink;
mod text;
mod weak_list;

#[cfg(feature = "serde")]
pub use self::record::json;
pub use self::{
    error::Error,
    format::Format,
    handler::{
        Delivery, Description, FlightRecorder, Flush, Handler, HandlerExt, HandlerLayer, MemoryBuffer, NamedHandler,
        Outcome, OwnedDelivery, Queue, SpanContextLayer, Tee, current_traceparent, flush_all,
    },
    logger::Logger,
    loggers::Loggers,
    record::{Fields, Globals, Record, Severity, Value},
    sink::Sink,
};

#[doc(hidden)]
pub use self::macros::__private;

/// The traits, for their methods.
///
/// ```
/// use tracing_strata::prelude::*;
/// ```
pub mod prelude {
    pub use crate::{
        format::Format,
        handler::{Handler, HandlerExt},
        sink::Sink,
    };
}

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
