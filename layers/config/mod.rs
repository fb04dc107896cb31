//! Declared logging: Python's `dictConfig` and `fileConfig`, `basicConfig`, the environment; changed while it runs.
//!
//! Python: `logging.config`, `logging.basicConfig`.
//!
//! ```
//! use tracing_strata::{Severity, config::{Config, Logging}};
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> Result<(), tracing_strata::Error> {
//! # let logs = std::env::temp_dir().join(format!("strata-config-{}.log", std::process::id()));
//! # let text = r#"
//! version: 1
//! formatters:
//!   line: {format: "%(levelname)-8s %(name)s: %(message)s"}
//! handlers:
//!   file: {class: logging.FileHandler, filename: app.log, formatter: line}
//! root: {level: INFO, handlers: [file]}
//! # "#.replace("app.log", &logs.display().to_string());
//! # let text = text.as_str();
//! let logging = Logging::new();
//! logging.reload(&Config::from_yaml(text)?)?;
//! let subscriber = tracing_subscriber::registry().with(logging.layer());
//! # tracing::subscriber::with_default(subscriber, || {
//! tracing::info!(target: "shop", "open");
//! logging.loggers().set_level("shop", Severity::WARN).unwrap();
//! tracing::info!(target: "shop", "not any more");
//! # });
//! # assert_eq!(std::fs::read_to_string(&logs).unwrap(), "INFO     shop: open\n");
//! # std::fs::remove_file(logs).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! # The schema
//! Version 1 of [Python's](https://docs.python.org/3/library/logging.config.html#logging-config-dictschema): `version`,
//! `formatters`, `filters`, `handlers`, `loggers`, `root`, `incremental`, `disable_existing_loggers`; `()` and `class`, `.`,
//! `ext://` and `cfg://`. Handlers take their keys as Python spells them. What is ours beyond Python's has one place, the
//! key `strata` of a handler:
//!
//! | `strata:` | for | meaning |
//! |---|---|---|
//! | `queue: {capacity, max_bytes, overflow, protect, drain}` | every handler | a [`Queue`](crate::Queue) in front; `overflow` is `block`, `drop_newest` or `drop_oldest`, `drain` in seconds; `queue: true` with the defaults |
//! | `create_dirs`, `permissions`, `buffer`, `flush_on` | files | as [`LogFileBuilder`](crate::output::LogFileBuilder) has them |
//! | `max_age_days`, `max_total_bytes`, `compression`, `latest`, `sharing`, `grid`, `zone` | rotating files | as [`RotatingFileBuilder`](crate::output::RotatingFileBuilder) has them |
//! | `form`, `direct` | `SysLogHandler` | `python` (the default), `rfc5424`, `rfc3164`; `direct: true` is without a queue |
//! | `format: json` | `SocketHandler`, `DatagramHandler` | the handler's formatter is used, and records are lines (or datagrams) of text in place of pickles |
//!
//! | `class` | short | is |
//! |---|---|---|
//! | `logging.StreamHandler` | `stream` | [`Stream`](crate::output::Stream) |
//! | `logging.FileHandler` | `file` | [`LogFile`](crate::output::LogFile) |
//! | `logging.handlers.WatchedFileHandler` | `watched` | [`WatchedFile`](crate::output::WatchedFile) |
//! | `logging.handlers.RotatingFileHandler` | `rotating` | [`RotatingFile`](crate::output::RotatingFile) |
//! | `logging.handlers.TimedRotatingFileHandler` | `timed` | [`TimedFile`](crate::output::TimedFile), with `maxBytes` as well |
//! | `logging.handlers.SysLogHandler` | `syslog` | [`Syslog`](crate::output::Syslog) |
//! | `logging.handlers.SocketHandler` | `socket` | [`Connection`](crate::sink::net::Connection) with [`Pickle`](crate::format::Pickle) |
//! | `logging.handlers.DatagramHandler` | `datagram` | [`Datagram`](crate::output::Datagram) with [`Pickle`](crate::format::Pickle) |
//! | `systemd.journal.JournalHandler` | `journald` | [`Journald`](crate::output::Journald) |
//! | `logging.NullHandler` | `null` | [`Null`](crate::output::Null) |
//! | `logging.handlers.MemoryHandler` | `memory` | [`Memory`](crate::Memory) |
//! | `logging.handlers.QueueHandler` | `queue` | [`Queue`](crate::Queue) |
//!
//! Formatters are [`Template`](crate::format::Template)s; `class: json` and `class: text` are the formats of that name, with
//! `time` (`utc`, `local`, `none`, `unix_seconds`, `unix_millis` or a zone), and `text` with its switches.
//!
//! # Differences from Python
//! [`python_defaults`](LoggingBuilder::python_defaults) takes back those that are marked with ↩.
//!
//! - ↩ `disable_existing_loggers` is false where it is not given: Python's default silently mutes loggers. Whatever is
//!   disabled is in [`Changes`].
//! - ↩ A configuration says all: loggers that it does not name, and what was set on loggers by hand, are forgotten; what
//!   is named twice with the same words keeps its file, its queue and its ledger. In Python, loggers keep what they had.
//! - ↩ Values are escaped in lines ([`Template`](crate::format::Template)), a filter changes a handler's own copy
//!   ([`Sieve`]), level names in any case are names, and queues start their listener.
//! - ↩ Keys that mean nothing are mistakes.
//! - A configuration that cannot be applied changes nothing; Python closes all handlers first and stops halfway. Files that it
//!   would have made may be there, empty; nothing is emptied.
//! - `ext://`, `()` and `class` name what is in the [`Registry`], `args` are literals: nothing is imported or evaluated,
//!   and no pickle is ever read.
//! - All mistakes are told, not the first one, each with its place ([`Problems`]).
//! - Files of a failing handler that opens late (`delay`) are the trap's matter and not the application's.
//! - A rotating file's size is counted in bytes, not characters; at the hour that comes twice when summer time ends, no file
//!   is lost; intervals above 1 of midnights and weeks are kept (Python 3.13).
//! - Sockets connect when there is something to send, not when they are made.
//! - [`Basic`] tells every argument that it does not know before it opens anything, and a second call is an error.
//! - `logging.warn` and `logging.fatal`, functions that configure on first use, `captureWarnings` and the Windows event log
//!   are not there; messages come merged.

#[cfg(feature = "clap")]
mod args;
mod basic;
mod build;
mod check;
mod classes;
mod document;
mod encoding;
mod filters;
mod formatters;
mod ini;
mod keywords;
mod listen;
mod live;
mod migration;
mod node;
mod problem;
mod references;
mod registry;
mod sieve;
mod slot;
mod source;
#[cfg(feature = "watch")]
mod watch;

use std::sync::Arc;

#[cfg(feature = "clap")]
pub use self::args::Args;
#[cfg(feature = "watch")]
pub use self::watch::Watch;
pub use self::{
    basic::Basic,
    document::Config,
    keywords::Keywords,
    listen::Listener,
    live::{Changes, HandlerHandle, Logging, LoggingBuilder},
    migration::{Entry, MigrationReport, Verdict},
    problem::{Problem, Problems},
    registry::{Namer, Registry, Rotator},
    sieve::Sieve,
};
use crate::{clock::Clock, trap::Trap};

/// What stays the same from one configuration to the next.
#[derive(Clone)]
struct Setup {
    registry: Arc<Registry>,
    clock: Option<Arc<dyn Clock>>,
    trap: Trap,
    /// Every default as Python has it.
    as_python: bool,
}
