//! Logging with target, severity and fields chosen at run time.
//!
//! Python: `logging.getLogger(name).log(level, …)` and `logging.LoggerAdapter`.

mod builder;
mod callsite;
mod send;

pub use self::builder::{EventBuilder, Logger};
#[cfg(feature = "log")]
pub(crate) use self::send::is_enabled;
pub(crate) use self::{
    callsite::EventMeta,
    send::{EventValue, send},
};
