//! Tests through the public API, by topic, in one binary to keep link times low. What needs the process's global state
//! is a binary of its own beside this folder.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[cfg(feature = "appender")]
mod appender;
mod batched;
mod capture;
mod config;
mod context;
#[cfg(unix)]
mod datagram;
mod exit;
mod files;
mod format;
mod forward;
mod gelf;
mod give;
mod handlers;
mod hostile;
mod http;
#[cfg(target_os = "linux")]
mod journald;
mod json;
mod json_model;
mod limits;
mod lists;
mod log_file;
mod logger;
mod loggers;
mod memory;
mod metrics;
mod net;
mod otlp;
mod pickle;
mod places;
mod pretty;
#[cfg(target_os = "linux")]
mod pty;
mod queue;
mod redact;
mod rooms;
mod rotate;
mod setup;
mod spool;
mod stream;
mod strict;
mod support;
mod syslog;
mod template;
mod testing;
mod text;
mod trace_ids;
