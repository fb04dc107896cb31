//! Logs and spans to collectors.

mod bridge;
mod configuration;
mod delivery;
mod mapping;
mod providers;
pub(crate) mod receiver;
mod runtimes;
mod spans;
