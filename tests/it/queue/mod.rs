//! The queue: hand-over, limits, losses, shutdown.

mod batches;
mod bytes;
mod deaths;
mod health;
mod overflow;
mod rules;
mod runtimes;
mod shutdown;
mod soak;
mod support;
