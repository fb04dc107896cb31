//! Python-style logging for `tracing`.
#![forbid(unsafe_code)]

pub mod clock;
mod error;
pub mod filter;
pub mod format;
pub mod handler;
#[cfg(feature = "log")]
pub mod log;
pub mod logger;
pub mod loggers;
mod macros;
pub mod output;
pub mod record;
pub mod sink;
mod text;
pub mod trap;

pub use self::{
    error::Error,
    format::Format,
    handler::{Context, Handler, HandlerLayer, Outcome, Shared, Tee},
    logger::Logger,
    loggers::Loggers,
    record::{Fields, Globals, Record, Severity, Value},
    sink::Sink,
};

#[doc(hidden)]
pub use self::macros::__private;

/// The traits, for their methods.
pub mod prelude {
    pub use crate::{format::Format, handler::Handler, sink::Sink};
}
