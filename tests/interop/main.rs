//! Against real servers and readers. `cargo test` leaves it out; `bash tests/interop/run` installs what it needs and runs
//! it, and fails where something is missing.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod dice;
mod files;
mod followers;
mod forward;
mod gelf;
#[path = "../it/give.rs"]
#[allow(dead_code, reason = "what only tests/it wants to know")]
mod give;
mod hostile;
mod http;
#[cfg(target_os = "linux")]
mod journald;
mod metrics;
mod otlp;
#[allow(dead_code)]
mod servers;
mod shapes;
mod sockets;
mod stdlib;
mod stores;
mod syslog;
