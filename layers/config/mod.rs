//! Declarative configuration: Python's `dictConfig`, `fileConfig` and `basicConfig`, and the environment; changeable at run
//! time.
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
//! # One file, several, or a part of one
//! [`Config::under`] takes the configuration under a key of a larger document; [`Config::overlaid_with`] puts one over
//! another; the key `include` names files that a configuration is put over ([`Config::expand_includes`]); `${VAR:-default}`
//! comes from the environment ([`Config::expand_env`]). [`Logging::from_path`] and [`Logging::watch`] do the last two.
//! [`ClassRegistry::json_schema`] is for editors.
//!
//! # The schema
//! Version 1 of [Python's](https://docs.python.org/3/library/logging.config.html#logging-config-dictschema): `version`,
//! `formatters`, `filters`, `handlers`, `loggers`, `root`, `incremental`, `disable_existing_loggers`; `()` and `class`, `.`,
//! `ext://` and `cfg://`. Handlers take Python's keys. Times are in seconds, sizes in bytes.
//!
//! | `class` | short name | type |
//! |---|---|---|
//! | `logging.StreamHandler` | `stream` | [`Stream`](crate::output::Stream) |
//! | `logging.FileHandler` | `file` | [`LogFile`](crate::output::LogFile) |
//! | `logging.handlers.WatchedFileHandler` | `watched` | [`LogFile`](crate::output::LogFile#when-another-program-rotates-the-file), watched |
//! | `logging.handlers.RotatingFileHandler` | `rotating` | [`RotatingFile`](crate::output::RotatingFile) |
//! | `logging.handlers.TimedRotatingFileHandler` | `timed` | [`RotatingFile`](crate::output::RotatingFile#by-time), with `maxBytes` as well |
//! | `logging.handlers.SysLogHandler` | `syslog` | [`Syslog`](crate::output::Syslog) |
//! | `logging.handlers.SocketHandler` | `socket` | [`Connection`](crate::sink::net::Connection) with [`Pickle`](crate::format::Pickle) |
//! | `logging.handlers.HTTPHandler` | `http` | `output::Http` with [`Form`](crate::format::Form) (feature `http`) |
//! | `logging.handlers.DatagramHandler` | `datagram` | [`Datagram`](crate::output::Datagram) with [`Pickle`](crate::format::Pickle) |
//! | `systemd.journal.JournalHandler` | `journald` | [`Journald`](crate::output::Journald) (Linux); keys in capitals are fields |
//! | `logging.NullHandler` | `null` | [`Null`](crate::output::Null) |
//! | `logging.handlers.MemoryHandler` | `memory` | [`MemoryBuffer`](crate::MemoryBuffer) |
//! | `logging.handlers.QueueHandler` | `queue` | [`Queue`](crate::Queue) |
//! | `opentelemetry.sdk._logs.LoggingHandler` | `otlp` | log records to a collector (feature `otlp`); keys: [below](#otlp) |
//! | | `flight_recorder` | [`FlightRecorder`](crate::FlightRecorder): `target`, `buffer_below`, `release_at`, `release_after`, `trigger` (a filter's name), `tree_records`, `tree_bytes`, `max_trees`, `max_bytes`, `outside` (`drop`, `pass`) |
//! | | `tee` | [`Tee`](crate::Tee): `handlers` |
//!
//! ## Extensions
//! What goes beyond Python is under one key of a handler, `strata`. It works for Python's classes and for those of the
//! [`ClassRegistry`].
//!
//! | `strata:` | for | meaning |
//! |---|---|---|
//! | `queue: {capacity, max_bytes, overflow, block_for, priority_level, flush_timeout, report_every}` | every handler | a [`Queue`](crate::Queue) in front; `overflow` is `block`, `drop_newest` or `drop_oldest`; `queue: true` uses the defaults |
//! | `fallback: NAME` | every handler | the handler that gets the records this one fails to write ([`Fallback`](crate::handler::Fallback)); behind the queue, if there is one |
//! | `capacity` … as in `queue` | `QueueHandler` | the limits of its queue |
//! | `timeout`, `or_journal: true` | `StreamHandler` | how long to wait for a full stream; use the journal if the stream is connected to it |
//! | `permissions` | files | permissions of a new file: `"0640"`, or `0640` in YAML and `0o640` in TOML |
//! | `create_dirs`, `buffer`, `flush_on`, `sync_on`, `sync_every`, `sync_interval` | files | see [`LogFileBuilder`](crate::output::LogFileBuilder) and [`Durability`](crate::sink::Durability) |
//! | `watch_interval` | `WatchedFileHandler` | see [`ReopenPolicy::at_most_every`](crate::sink::ReopenPolicy::at_most_every) |
//! | `max_age_days`, `max_total_bytes`, `compression` (`gzip`, `zstd`, `none`), `compression_level`, `latest`, `locking` (`unguarded`, `exclusive`, `shared`) | rotating files | see [`RotatingFileBuilder`](crate::output::RotatingFileBuilder) |
//! | `alignment` (`clock`, `rollover`), `zone` | `TimedRotatingFileHandler` | see [`RotatingFileBuilder`](crate::output::RotatingFileBuilder): `alignment` and `zone` |
//! | `max_bytes`, `timeout` | `MemoryHandler` | see [`MemoryBuffer`](crate::MemoryBuffer) |
//! | `tls: {ca_file, certificate, key, server_name}` or `true`, `backoff: {initial, factor, max, jitter}`, `framing` (`lines`, `nul`, `length`, `octet_counting`, `none`), `connect_timeout`, `write_timeout`, `reconnect_timeout` | `SocketHandler`, `SysLogHandler` | see [`ConnectionBuilder`](crate::sink::net::ConnectionBuilder): `tls`, `backoff`, `framing`, `connect_timeout`, `write_timeout`, `reconnect_timeout` |
//! | `format: text` | `SocketHandler`, `DatagramHandler` | use the handler's formatter instead of pickles |
//! | `process_name` | `SocketHandler`, `DatagramHandler` | the name of the process in pickles |
//! | `check_answer` (a status of 400 and above is no success), `tls: {ca_file, certificate, key}`, `process_name`, `proxy`, `timeout`, `connect_timeout`, `capacity`, `max_bytes`, `retry_for`, `flush_timeout`, `spool: {directory, max_bytes, sync}` | `HTTPHandler` (feature `http`) | see [`HttpBuilder`](crate::output::HttpBuilder): `any_answer`, `tls`, `proxy`, `timeout`, `connect_timeout`, `capacity`, `max_bytes`, `retry_for`, `flush_timeout`; `context: ext://NAME` is a registered `Tls` |
//! | `limit`, `oversize` (`shorten`, `refuse`), `write_timeout` | `DatagramHandler` | see [`DatagramBuilder`](crate::output::DatagramBuilder) |
//! | `gelf: {compression, compress_from, chunk_bytes}` | `DatagramHandler` | GELF compression (`gzip`, `zlib`, `none`) and chunks (feature `gelf`); needs `format: text` and a `gelf` formatter |
//! | `direct: true` | `SysLogHandler` | no queue in front |
//! | `form` (`python`, `rfc5424`, `rfc3164`, `local`), `host`, `app`, `process_id`, `sd_id`, `structured_data`, `elements: {ID: {NAME: VALUE}}`, `token`, `zone`, `max_bytes`, `bom`, `escape_values`, `multi_line`, `source`, `thread` | `SysLogHandler` | see [`format::SyslogFormat`](crate::format::SyslogFormat) |
//! | `socket`, `timestamp`, `delay`, `write_timeout` | `JournalHandler` | see [`JournaldBuilder`](crate::output::JournaldBuilder) |
//!
//! Attributes under `.`: `terminator`, `namer`, `rotator`, `ident`, `append_nul`, `priority_map`, `retryStart`, `retryMax`,
//! `retryFactor`. For options that take code (a writer, a sink, `on_rotation`), register a class in the [`ClassRegistry`].
//!
//! ## OTLP
//! `service`, `attributes`, `endpoint`, `failover` (a list of URLs), `protocol` (`http/protobuf`, `http/json`, `grpc`), `headers`, `timeout`,
//! `compression` (`gzip`, `none`), `ca_certificate`, `client_certificate`, `client_key`, `context` (`all`, `none`, or a list
//! of names), `capacity`, `max_bytes`, `max_batch`, `schedule_delay`, `retry_for`, `flush_timeout`, `spool: {directory, max_bytes, sync}`: see `otlp::Otlp`. The `OTEL_*` variables
//! supply missing keys, unless `environment: false`. Handlers export no spans: add an `OtlpLayer` with `logs(false)`.
//!
//! ## Forward protocol
//! `fluent_forward` (feature `forward`; see `output::FluentForward`): `address` (`tcp://HOST:24224`, `tls://HOST:PORT`, `unix:///PATH`),
//! `tag` or `tag_prefix`, `mode` (`forward`, `packed_forward`, `compressed_packed_forward`), `nanoseconds`, `require_ack`, `shared_key`,
//! `user` and `password`, `host` (our name in the handshake), `tls: {ca_file, certificate, key, server_name}`, `connect_timeout`, `timeout`,
//! `capacity`, `max_bytes`, `max_batch`, `max_batch_bytes`, `schedule_delay`, `retry_for`, `flush_timeout`, `spool: {directory, max_bytes, sync}`. A `formatter` of
//! JSON objects gives the members of a record, another one its `message`. A secret (`shared_key`, `password`) is a text, `{env: NAME}` or `{file: PATH}`; it is read for each connection.
//!
//! ## Services over HTTP
//! With the feature `http`; see the types in [`output`](crate::output).
//!
//! | `class` | keys |
//! |---|---|
//! | `http_json` (`Http`) | `url`, `body` (`lines`, `array`, `single`), `content_type` |
//! | `elasticsearch` (`Elasticsearch`) | `url`, `data_stream`, `index` or `daily_index` |
//! | `loki` (`Loki`) | `url`, `labels: {NAME: VALUE}`, `level_label`, `target_label` (a name, or null for none), `field_labels`, `metadata` (lists of fields), `max_streams`, `tenant`, `protobuf` |
//! | `splunk_hec` (`SplunkHec`) | `url`, `token`, `host`, `source`, `sourcetype`, `index`, `acks` (seconds), `raw` |
//! | `datadog` (`Datadog`) | `site`, `api_key`, `source`, `service`, `host`, `tags` |
//! | `better_stack` (`BetterStack`), `sematext` (`Sematext`) | `url`, `token` |
//! | `logstash` (`Logstash`) | `url` |
//! | `webhook` (`Webhook`) | `url`, `key`, or `before` and `after` |
//! | all of them | `formatter`, `failover` (a list of URLs), `headers: {NAME: VALUE}`, `user` and `password`, `auth: {scheme, secret}` or `auth: {header, secret}`, `compression` (`gzip`, `zstd`, `none`), `tls: {ca_file, certificate, key}`, `proxy`, `redirects` (how many are followed), `connect_timeout`, `timeout`, `capacity`, `max_bytes`, `max_batch`, `max_batch_bytes`, `schedule_delay`, `retry_for`, `flush_timeout`, `spool: {directory, max_bytes, sync}` |
//!
//! A handler with a `spool` that a reload replaces hands its directory over once it has ended; a
//! [trial](Logging::reload_with_trial) of such a handler fails, as that has not.
//!
//! A secret (`password`, `secret`, `api_key`, `token` but that of `sematext`) is a text, `{env: NAME}` or `{file: PATH}`; it is read for each
//! request.
//!
//! ## Formatters
//! Without `class`, or with Python's, a [`Template`](crate::format::Template): `format`, `datefmt`, `style`, `validate`,
//! `defaults`, and the extensions `zone`, `utc`, `default_time_format`, `default_msec_format`. Other classes take `time`
//! (`utc`, `local`, `none`, `time_of_day`, `unix_seconds`, `unix_millis`, `unix_micros`, `unix_nanos`, `since_start` or a zone) and their own keys:
//!
//! | `class` | keys |
//! |---|---|
//! | `text` ([`Text`](crate::format::Text)) | `color` (`auto`, `always`, `never`), `level`, `target`, `source`, `thread`, `spans`, `globals`, `trace_ids`, `multi_line`, `layout: {first, only, omit, rename: {FIELD: NAME}, pad: {FIELD: WIDTH}, max_width, durations, target_names, target_aliases: {TARGET: ALIAS}}` ([`Layout`](crate::format::Layout)) |
//! | `pretty` ([`Text::pretty`](crate::format::Text::pretty)) | the same |
//! | `json` ([`Json`](crate::format::Json)) | `shape` (`flat`, `tracing_subscriber`, `ecs`, `gcp`, `datadog`, `logstash`, `bunyan`, `otel`, `python`), `trace_prefix`, `schema_version`, `rename: {MEMBER: NAME}`, `omit`, `nest_fields`, `nest_context`, `fields`, `span_list`, `current_span`, `source`, `thread`, `process`, `level_number`, `event_name`, `lower_case_levels`; two options for one member are refused |
//! | `logfmt` ([`Logfmt`](crate::format::Logfmt)) | `fields`, `source`, `thread` |
//! | `conditional` ([`FormatExt`](crate::format::FormatExt)), without `time` | names of other formatters: `default`, `levels: {LEVEL: NAME}` (from that level on), `loggers: {LOGGER: NAME}`; the longest logger name counts, then the highest level |
//! | `gelf` ([`Gelf`](crate::format::Gelf)), without `time` | `host`, `fields`, `source`, `thread` |
#![doc = include_str!("classes/third_party/classes.md")]
//!
//! ## Filters
//!
//! | `class` | keys |
//! |---|---|
//! | `logging.Filter`, or no `class` | `name` |
//! | `rate_limit` ([`RateLimit`](crate::filter::RateLimit)) | `most`, `per`, `by`, `always_pass_from`, `max_keys` |
//! | `sample` ([`Sample`](crate::filter::Sample)) | `one_in`, `traces`, `by`, `always_pass_from`, `summary_interval`, `max_keys` |
//!
//! All users of a filter share one object and its counts. To count separately, declare one for each handler.
//!
//! # Differences from Python
//! [`python_defaults`](LoggingBuilder::python_defaults) undoes those marked with ↩.
//!
//! - ↩ `disable_existing_loggers` is false by default: Python's default silently mutes loggers. [`Changes`] lists disabled
//!   loggers.
//! - ↩ A configuration is complete: loggers that it does not name, and changes made by hand, are reset. A handler that is
//!   declared as before keeps its file, its queue and its ledger. In Python, loggers keep what they had.
//! - ↩ Values are escaped in lines ([`Template`](crate::format::Template)), a filter changes a handler's own copy
//!   ([`ConfigFilter`]), the case of level names does not matter, and queues start their listener.
//! - ↩ A status of 400 and above is no success for an `HTTPHandler`: the record is sent again, or failed.
//! - ↩ Unknown keys are errors (at the top level, those that look misspelt). So are duplicate keys, options of an INI
//!   file that look misspelt, and fields of a template that only foreign formatters add (`%(levelprefix)s`).
//! - ↩ `level: OFF` in YAML, in capitals, is the level of that name; `off`, `no` and `false` are NOTSET, as in Python.
//! - Keys under `strata` that have no effect are errors.
//! - A configuration that cannot be applied changes nothing; Python closes all handlers first and may stop halfway. Files and
//!   sockets are opened, and threads started, when all else was checked. If a file then cannot be opened, those opened before
//!   it are closed, and removed if they were made for it and are empty, with their directories.
//! - `ext://`, `()` and `class` name entries of the [`ClassRegistry`], and `args` are constant expressions: nothing is
//!   imported or called, and no pickle is read. An `ext://` that names nothing is an error.
//! - Python's own flags take any value, as in Python: a non-empty string is true, even `"no"`; [`check`](Logging::check) warns
//!   about it. Flags under `strata` are strict.
//! - All errors are reported at once, each with its position ([`ConfigErrors`]).
//! - If a file opens lazily (`delay`) and that fails, the error handler is called, not the application.
//! - The size of a rotating file is in bytes, not characters; no file is lost in the hour that repeats at the end of
//!   summer time; intervals above 1 work for midnights and weeks (Python 3.13).
//! - Sockets connect when the first record is sent, not when the handler is made.
//! - [`BasicConfig`] reports all unknown arguments before it opens anything, and a second call is an error.
//! - A formatter's results (`message`, `asctime`) are not left on the record for later handlers.
//! - A handler's failure is reported in one line, without call stack or arguments
//!   ([`ErrorHandler`](crate::ledger::ErrorHandler)).
//! - There is no `manager.disable` ([`Loggers::disable`](crate::Loggers::disable) replaces it) and there are no placeholders;
//!   `propagate` takes any value by its truthiness.
//! - There is no `logging.warn` or `logging.fatal`, no function that configures on first use, no `captureWarnings`, and no
//!   Windows event log. Messages arrive with their arguments merged.

mod build;
mod check;
mod class;
mod classes;
mod config_filter;
mod configured_handler;
mod document;
mod error;
mod formatting;
mod handler_args;
mod include;
mod live;
mod migration;
mod node;
mod objects;
mod references;
mod registry;
mod schema;
mod setup;
mod source;
mod unknown_class;

#[cfg(feature = "clap")]
pub use self::live::CliArgs;
#[cfg(feature = "watch")]
pub use self::live::FileWatcher;
pub use self::{
    config_filter::ConfigFilter,
    document::Config,
    error::{ConfigError, ConfigErrors},
    handler_args::HandlerArgs,
    live::{BasicConfig, Changes, HandlerHandle, Listener, Logging, LoggingBuilder},
    migration::{MigrationItem, MigrationReport, MigrationVerdict},
    registry::{ClassRegistry, Namer, Rotator},
};
