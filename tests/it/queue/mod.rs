//! The queue: hand-over, limits, losses, shutdown.

mod batches;
mod bytes;
mod deaths;
mod health;
mod overflow;
mod reports;
mod rules;
mod runtimes;
mod says;
mod shutdown;
mod soak;
mod support;
mod waits;
