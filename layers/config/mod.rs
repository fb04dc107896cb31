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
//! `ext://` and `cfg://`. Handlers take their keys as Python spells them. Times are in seconds, sizes in bytes.
//!
//! | `class` | short | is |
//! |---|---|---|
//! | `logging.StreamHandler` | `stream` | [`Stream`](crate::output::Stream) |
//! | `logging.FileHandler` | `file` | [`LogFile`](crate::output::LogFile) |
//! | `logging.handlers.WatchedFileHandler` | `watched` | [`LogFile`](crate::output::LogFile#when-another-program-rotates-the-file), watched |
//! | `logging.handlers.RotatingFileHandler` | `rotating` | [`RotatingFile`](crate::output::RotatingFile) |
//! | `logging.handlers.TimedRotatingFileHandler` | `timed` | [`RotatingFile`](crate::output::RotatingFile#by-time), with `maxBytes` as well |
//! | `logging.handlers.SysLogHandler` | `syslog` | [`Syslog`](crate::output::Syslog) |
//! | `logging.handlers.SocketHandler` | `socket` | [`Connection`](crate::sink::net::Connection) with [`Pickle`](crate::format::Pickle) |
//! | `logging.handlers.DatagramHandler` | `datagram` | [`Datagram`](crate::output::Datagram) with [`Pickle`](crate::format::Pickle) |
//! | `systemd.journal.JournalHandler` | `journald` | [`Journald`](crate::output::Journald) (Linux); keys in capitals are fields |
//! | `logging.NullHandler` | `null` | [`Null`](crate::output::Null) |
//! | `logging.handlers.MemoryHandler` | `memory` | [`MemoryBuffer`](crate::MemoryBuffer) |
//! | `logging.handlers.QueueHandler` | `queue` | [`Queue`](crate::Queue) |
//! | `opentelemetry.sdk._logs.LoggingHandler` | `otlp` | log records to a collector (feature `otlp`); keys: [below](#otlp) |
//! | | `flight_recorder` | [`FlightRecorder`](crate::FlightRecorder): `target`, `buffer_below`, `release_at`, `release_after`, `pick` (a filter's name), `tree_records`, `tree_bytes`, `max_trees`, `max_bytes`, `outside` (`drop`, `pass`) |
//! | | `tee` | [`Tee`](crate::Tee): `handlers` |
//!
//! ## Keys of ours
//! What is ours beyond Python's, for Python's classes and for those of the [`ClassRegistry`], has one place, the key `strata` of
//! a handler:
//!
//! | `strata:` | for | meaning |
//! |---|---|---|
//! | `queue: {capacity, max_bytes, overflow, block_for, protect, drain, report_every}` | every handler | a [`Queue`](crate::Queue) in front; `overflow` is `block`, `drop_newest` or `drop_oldest`; `queue: true` with the defaults |
//! | `fallback: NAME` | every handler | the handler that gets what this one fails at ([`Fallback`](crate::handler::Fallback)); behind the queue, if there is one |
//! | `capacity` … as in `queue` | `QueueHandler` | its own limits |
//! | `deadline`, `or_journal: true` | `StreamHandler` | how long a full stream is waited for; the journal, where the stream leads there |
//! | `permissions` | files | those of a file that is made (the builders call it `mode`): `"0640"`, or `0640` in YAML and `0o640` in TOML |
//! | `create_dirs`, `buffer`, `flush_on`, `sync_on`, `sync_every`, `sync_interval` | files | as [`LogFileBuilder`](crate::output::LogFileBuilder) and [`Durability`](crate::sink::Durability) have them |
//! | `watch_interval` | `WatchedFileHandler` | [`ReopenPolicy::at_most_every`](crate::sink::ReopenPolicy::at_most_every) |
//! | `max_age_days`, `max_total_bytes`, `compression` (`gzip`, `zstd`, `none`), `compression_level`, `latest`, `sharing` (`unguarded`, `exclusive`, `shared`) | rotating files | as [`RotatingFileBuilder`](crate::output::RotatingFileBuilder) has them |
//! | `grid` (`clock`, `rollover`), `zone` | `TimedRotatingFileHandler` | the same |
//! | `max_bytes`, `reconnect_timeout` | `MemoryHandler` | as [`MemoryBuffer`](crate::MemoryBuffer) has them |
//! | `tls: {ca_file, certificate, key, server_name}` or `true`, `retry: {first, factor, most, jitter}`, `framing` (`lines`, `nul`, `length`, `octet_counting`, `none`), `connect_timeout`, `write_timeout`, `reconnect_timeout` | `SocketHandler`, `SysLogHandler` | as [`ConnectionBuilder`](crate::sink::net::ConnectionBuilder) has them |
//! | `format: text` | `SocketHandler`, `DatagramHandler` | the handler's formatter is used, in place of pickles |
//! | `process_name` | the same | what pickles call the process |
//! | `limit`, `oversize` (`shorten`, `refuse`), `write_timeout` | `DatagramHandler` | as [`DatagramBuilder`](crate::output::DatagramBuilder) has them |
//! | `gelf: {compression, compress_from, chunk_bytes}` | `DatagramHandler` | GELF's compression (`gzip`, `zlib`, `none`) and chunks (feature `gelf`), with `format: text` and a `gelf` formatter |
//! | `direct: true` | `SysLogHandler` | without the queue that it has otherwise |
//! | `form` (`python`, `rfc5424`, `rfc3164`, `local`), `host`, `app`, `process_id`, `sd_id`, `structured_data`, `elements: {ID: {NAME: VALUE}}`, `token`, `zone`, `max_bytes`, `bom`, `escape_values`, `multi_line`, `source`, `thread` | `SysLogHandler` | as [`format::SyslogFormat`](crate::format::SyslogFormat) has them |
//! | `socket`, `timestamp`, `delay`, `write_timeout` | `JournalHandler` | as [`JournaldBuilder`](crate::output::JournaldBuilder) has them |
//!
//! Attributes under `.`: `terminator`, `namer`, `rotator`, `ident`, `append_nul`, `priority_map`, `retryStart`, `retryMax`,
//! `retryFactor`. What takes code (a writer, a sink, `on_rotation`) is a class of the [`ClassRegistry`].
//!
//! ## OTLP
//! `service`, `attributes`, `endpoint`, `protocol` (`http/protobuf`, `http/json`, `grpc`), `headers`, `timeout`,
//! `compression` (`gzip`, `none`), `ca_certificate`, `client_certificate`, `client_key`, `context` (`all`, `none`, or a list
//! of names), `capacity`, `max_bytes`, `max_batch`, `delay`, `retry_for`, `drain`: as `otlp::Otlp` has them. The `OTEL_*`
//! variables count for what is not there, unless `environment: false`. Spans are no affair of handlers: put an `OtlpLayer`
//! beside, with `logs(false)`.
//!
//! ## Formatters
//! [`Template`](crate::format::Template)s: `format`, `datefmt`, `style`, `validate`, `defaults`, and ours: `zone`, `utc`,
//! `default_time_format`, `default_msec_format`. By `class`, with `time` (`utc`, `local`, `none`, `time_of_day`,
//! `unix_seconds`, `unix_millis`, `unix_nanos` or a zone):
//!
//! | `class` | keys |
//! |---|---|
//! | `text` ([`Text`](crate::format::Text)) | `color` (`auto`, `always`, `never`), `level`, `target`, `source`, `thread`, `spans`, `globals`, `trace_ids`, `multi_line` |
//! | `json` ([`Json`](crate::format::Json)) | `shape` (`flat`, `tracing_subscriber`, `ecs`, `gcp`, `datadog`, `logstash`, `bunyan`, `otel`, `python`), `trace_prefix`, `schema_version`, `rename: {MEMBER: NAME}`, `omit`, `nest_fields`, `nest_context`, `fields`, `span_list`, `current_span`, `source`, `thread`, `process`, `level_number`, `event_name`, `lower_case_levels`; two that ask for one key are refused |
//! | `logfmt` ([`Logfmt`](crate::format::Logfmt)) | `fields`, `source`, `thread` |
//! | `gelf` ([`Gelf`](crate::format::Gelf)), without `time` | `host`, `fields`, `source`, `thread` |
//!
//! ## Filters
//!
//! | `class` | keys |
//! |---|---|
//! | `logging.Filter`, or none | `name` |
//! | `rate_limit` ([`RateLimit`](crate::filter::RateLimit)) | `most`, `per`, `by`, `always_pass_from`, `max_keys` |
//! | `sample` ([`Sample`](crate::filter::Sample)) | `one_in`, `traces`, `by`, `always_pass_from`, `summary_interval`, `max_keys` |
//!
//! A filter is one object, whoever names it: one that counts, counts for all. Declare one for each handler.
//!
//! # Differences from Python
//! [`python_defaults`](LoggingBuilder::python_defaults) takes back those that are marked with ↩.
//!
//! - ↩ `disable_existing_loggers` is false where it is not given: Python's default silently mutes loggers. Whatever is
//!   disabled is in [`Changes`].
//! - ↩ A configuration says all: loggers that it does not name, and what was set on loggers by hand, are forgotten; what
//!   is named twice with the same words keeps its file, its queue and its ledger. In Python, loggers keep what they had.
//! - ↩ Values are escaped in lines ([`Template`](crate::format::Template)), a filter changes a handler's own copy
//!   ([`ConfigFilter`]), level names in any case are names, and queues start their listener.
//! - ↩ Keys that mean nothing are mistakes. So are keys that stand twice, options of an INI file that look misspelt, and
//!   fields of a template that only a formatter of others makes (`%(levelprefix)s`).
//! - ↩ `level: OFF` of YAML, in capitals, is the level of that name; `off`, `no` and `false` are NOTSET, as in Python.
//! - Keys of ours that have no effect where they stand are mistakes.
//! - A configuration that cannot be applied changes nothing; Python closes all handlers first and stops halfway. Files that it
//!   would have made may be there, empty; nothing is emptied.
//! - `ext://`, `()` and `class` name what is in the [`ClassRegistry`], `args` are constant expressions: nothing is imported or
//!   called, and no pickle is ever read. An `ext://` that leads nowhere is a mistake.
//! - Python's own keys take any value for true or false, as Python does: a text that is not empty is true, `"no"` as well,
//!   which [`check`](Logging::check) doubts. Keys of ours are strict.
//! - All mistakes are told, not the first one, each with its place ([`ConfigErrors`]).
//! - Files of a failing handler that opens late (`delay`) are the trap's matter and not the application's.
//! - A rotating file's size is counted in bytes, not characters; at the hour that comes twice when summer time ends, no file
//!   is lost; intervals above 1 of midnights and weeks are kept (Python 3.13).
//! - Sockets connect when there is something to send, not when they are made.
//! - [`BasicConfig`] tells every argument that it does not know before it opens anything, and a second call is an error.
//! - What a formatter makes (`message`, `asctime`) is not left on the record for the handlers after it.
//! - A handler's failure is told in a line, without call stack and arguments ([`ErrorHandler`]).
//! - `manager.disable` and placeholders are no API ([`Loggers::disable`](crate::Loggers::disable) is); `propagate` is a
//!   truth value.
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
pub use self::args::CliArgs;
#[cfg(feature = "watch")]
pub use self::watch::FileWatcher;
pub use self::{
    basic::BasicConfig,
    document::Config,
    keywords::HandlerArgs,
    listen::Listener,
    live::{Changes, HandlerHandle, Logging, LoggingBuilder},
    migration::{MigrationItem, MigrationReport, MigrationVerdict},
    problem::{ConfigError, ConfigErrors},
    registry::{ClassRegistry, Namer, Rotator},
    sieve::ConfigFilter,
};
use crate::{clock::Clock, ledger::ErrorHandler};

/// What stays the same from one configuration to the next.
#[derive(Clone)]
struct Setup {
    registry: Arc<ClassRegistry>,
    clock: Option<Arc<dyn Clock>>,
    error_handler: ErrorHandler,
    /// Every default as Python has it.
    as_python: bool,
}
