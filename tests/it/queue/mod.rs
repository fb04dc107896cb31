//! The queue: hand-over, limits, losses, shutdown.

mod shutdown;
mod support;
