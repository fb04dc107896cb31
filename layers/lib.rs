//! Python's `logging` for Rust applications, as composable [`tracing_subscriber`] layers. Write `tracing::info!`, stack
//! layers on a `Registry`, and each record reaches its outputs in the right format, with the context it happened in.
//!
//! 1. **Context survives.** Each record carries the fields of its spans, its request id and its trace ids, whatever filter
//!    a handler has (see [Filters](#filters)).
//! 2. **Nothing is lost silently.** Each handler has a [ledger](ledger::Ledger): at every moment, accepted = written +
//!    filtered + dropped + failed + queued. A full disk or a closed pipe is counted and reported, and never stops the
//!    application. Call [`flush_all`] at the end of `main` to write what is still buffered.
//! 3. **It costs almost nothing.** A disabled call site costs as much as with `tracing` alone. An enabled one allocates
//!    nothing and is several times cheaper than `tracing_subscriber::fmt().json()` (see the README's table).
//!
//! [`init`] starts it in one line, and [`setup()`] on one screen:
//!
//! ```
//! let _logging = tracing_strata::init();
//! tracing::info!(port = 8080, "listening");
//! ```
//!
//! Or stack the layers yourself:
//!
//! ```
//! use tracing::{info, info_span};
//! use tracing_strata::{Loggers, Severity, format::{Json, Text}, output::{LogFile, Stream}, prelude::*};
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> Result<(), tracing_strata::Error> {
//! # let path = std::env::temp_dir().join(format!("strata-doc-{}.jsonl", std::process::id()));
//! // Levels by name. The handle is cheap to clone, and you can change levels at run time.
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
//! info!(target: "shop::db", "disabled from now on");
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
//! [A page](guide::coming_from_python) takes a Python service's `logging.yaml` through a report, a build and a run.
//!
//! | Python | here |
//! |---|---|
//! | `getLogger("app.db")` | the target `app::db` (or `app.db`) of an event; [`Logger::new`] for names at run time |
//! | `setLevel`, `NOTSET`, `getEffectiveLevel`, `propagate`, `disabled`, `logging.disable` | [`Loggers`] |
//! | level numbers, `addLevelName`, `CRITICAL` | [`Severity`], [`critical!`] |
//! | `LogRecord` | [`Record`] |
//! | `extra=` | the event's fields, typed; lists and maps with [`json`] (feature `serde`) |
//! | `LoggerAdapter`, `contextvars` | span fields, [`Logger::bind`], [`Globals`] |
//! | `Handler`, `setLevel`, `addFilter` | [`Handler`], [`.min_level()`](HandlerExt::min_level), [`.filter()`](HandlerExt::filter), [`.transform()`](HandlerExt::transform) |
//! | `Formatter` | [`Format`]: [`format::Template`] accepts Python's own formats; [`format::Text`], [`format::Json`] in [many shapes](format::Json#shapes-that-tools-expect), [`format::Logfmt`], [`format::Gelf`] |
//! | python-json-logger, ecs-logging | [`Json::python`](format::Json::python), [`Json::ecs`](format::Json::ecs) |
//! | `StreamHandler`, `FileHandler`, `WatchedFileHandler`, `NullHandler` | [`output::Stream`], [`output::LogFile`], [`LogFile` with `watch`](output::LogFile#when-another-program-rotates-the-file), [`output::Null`] |
//! | `QueueHandler`, `QueueListener` | [`Queue`] |
//! | `DatagramHandler` | [`output::Datagram`]; with [`format::Pickle`] for Python's own receivers |
//! | `HTTPHandler` | `output::Http`, with [`format::Form`]; also to Elasticsearch, Loki, Splunk, Datadog and others |
//! | `SocketHandler`, `SysLogHandler` | [`output::Socket`], [`output::Syslog`] |
//! | `systemd.journal.JournalHandler` | `output::Journald` (Linux) |
//! | `MemoryHandler` | [`MemoryBuffer`]; one for each request: [`FlightRecorder`] |
//! | `RotatingFileHandler`, `TimedRotatingFileHandler` | [`output::RotatingFile`] |
//! | `logger.exception()` | [`exception!`] |
//! | `handleError`, `raiseExceptions` | [`ledger::ErrorHandler`] |
//! | `logging.config`, `basicConfig` | [`config`] (feature `config`) |
//! | `logging.shutdown`, `sys.excepthook` | [`flush_all`], automatic at exit (see [`shutdown`]); [`shutdown::panic_hook`] |
//!
//! # Differences from Python
//!
//! - A name is split at `.` and at `::`.
//! - `WARNING` is called `WARN` (both parse), and there is `TRACE` (5).
//! - A transform changes a copy that only its own handler sees; Python's filters change the record for all later handlers.
//! - Errors of a handler are reported at most once in ten seconds, not for every record.
//! - One record is one line, unless you choose a format with more: line breaks and control characters are escaped.
//! - A record logged inside a handler does not go to that handler.
//!
//! # Filters
//!
//! A filter has one of three places:
//!
//! | place | cost of a refused event | effect on spans |
//! |---|---|---|
//! | `.with_filter(loggers)` ([`Loggers`] in front of a layer) | none: the call site is disabled | they pass, see [`Loggers::set_span_level`] |
//! | `.with_filter(LevelFilter::WARN)` (`tracing_subscriber`'s) | none | it hides them; add a [`SpanContextLayer`] to keep their fields |
//! | `.min_level(…)`, `.filter(…)` (a handler's own) | the capture of the event | none |
//!
//! With `Loggers`, spans of every level and target pass, also those of libraries that log nothing: a record may need their
//! fields. A span costs some hundred nanoseconds; [`Loggers::set_span_level`] disables spans below a level.
//!
//! Do not create a span while a thread's local values are destroyed (in the `Drop` of a `thread_local!`): it ends the
//! process, with or without this crate, as the registry of `tracing_subscriber` cannot create one there. Events are fine.
//!
//! # Features
//!
//! Features only add API. Everything above works without any, unless marked.
//!
//! | feature | adds |
//! |---|---|
//! | `appender` | [`sink::appender`]: the writers of `tracing-appender`, with an account of what they lose; for those who come from it |
//! | `forward` | `output::FluentForward`: records to Fluentd, Fluent Bit and others by the forward protocol; includes `gzip` |
//! | `gelf` | `output::Datagram::gelf`: GELF over UDP with compression and chunks |
//! | `http` | `output::Http`: records to services, in batches; includes `gzip` and `tls` |
//! | `log` | [`log`](mod@log): events of the `log` crate, with their own target, file, line and key-values |
//! | `config` | [`config`]: Python's `dictConfig` from JSON, YAML and TOML, `fileConfig`, `basicConfig`; reload |
//! | `watch` | [`config::Logging::watch`]: reload when the file changes |
//! | `clap` | [`config::CliArgs`]: logging on the command line |
//! | `opentelemetry` | records get the trace ids of `tracing-opentelemetry` 0.34 if its layer is in the stack, before or after this crate's |
//! | `tls` | [`sink::net::Tls`]: encrypted streams for sockets and syslog |
//! | `gzip`, `zstd` | [`sink::Compression`] of rotated files |
//! | `serde` | [`json`]: lists and maps as values, from any type that implements `serde::Serialize` |
//! | `redact` | `filter::Redact`: secrets and personal data are taken out of records before anything keeps them; `Secret<T>` |
//! | `signal` | [`shutdown`]: `Signals` flush on SIGTERM and SIGINT, before they end the process |
//! | `otlp` | [`otlp`]: logs and spans to OpenTelemetry collectors; includes `http` and `opentelemetry` |
//! | `metrics` | [`metrics`]: the logging's own numbers for Prometheus, and its health |
//! | `testing` | [`testing`]: the records of one test, and what to assert about them |
//! | `full` | all of them |
//!
//! Rust 1.85 is enough; for `appender`, `encodings`, `otlp` and `watch` 1.88, because of their dependencies, and on other
//! systems than Unix 1.89.

#![forbid(unsafe_code)]
// A discarded error is a lost record, a print panics on a closed pipe, and nothing here may bring down the application.
// Tests, examples and benches need not follow these.
#![warn(clippy::let_underscore_must_use, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod barrier;
pub mod clock;
#[cfg(feature = "config")]
pub mod config;
mod error;
pub mod filter;
mod fork;
pub mod format;
mod framing;
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod handler;
pub mod ledger;
#[cfg(feature = "log")]
pub mod log;
pub mod logger;
pub mod loggers;
mod macros;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod output;
pub mod record;
pub mod setup;
pub mod shutdown;
pub mod sink;
mod stdio;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod unwind;
mod weak_list;

#[cfg(feature = "redact")]
pub use self::record::Secret;
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
    setup::{init, setup},
    sink::Sink,
};

#[doc(hidden)]
pub use self::macros::__private;

/// The traits, to call their methods.
///
/// ```
/// use tracing_strata::prelude::*;
/// ```
pub mod prelude {
    pub use crate::{
        format::{Format, FormatExt},
        handler::{Handler, HandlerExt},
        sink::Sink,
    };
}

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
