//! Python-style logging for `tracing`.
#![forbid(unsafe_code)]

pub mod clock;
mod error;
pub mod filter;
pub mod format;
pub mod handler;
pub mod loggers;
pub mod output;
pub mod record;
pub mod sink;
mod text;
pub mod trap;

pub use self::{
    error::Error,
    format::Format,
    handler::{Context, Handler, HandlerLayer, Outcome, Shared, Tee},
    loggers::Loggers,
    record::{Fields, Record, Severity, Value},
    sink::Sink,
};

/// The traits, for their methods.
pub mod prelude {
    pub use crate::{format::Format, handler::Handler, sink::Sink};
}
