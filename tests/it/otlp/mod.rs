//! Logs and spans to collectors.

mod bridge;
mod configuration;
mod delivery;
#[cfg(unix)]
mod forks;
mod mapping;
mod providers;
pub(crate) mod receiver;
mod runtimes;
mod spans;
mod spool;
