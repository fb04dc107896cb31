//! From a declared configuration to one that can be installed. Nothing that runs is changed here.

mod builder;
mod handlers;
mod installed;
mod loggers;
mod output;
#[cfg(feature = "testing")]
mod rehearsal;

#[cfg(feature = "testing")]
pub(super) use self::rehearsal::StandIn;
pub(super) use self::{
    builder::{Builder, Prepared, Previous, TOP_LEVEL_KEYS, refers_to},
    handlers::{targets, with_named_args},
    installed::{InstalledHandler, PendingUpdate},
    loggers::{LoggerSpec, unknown_logger_keys},
    output::{COMMON_KEYS, HandlerSpec, STRATA_KEYS, Turn, make_output},
};
