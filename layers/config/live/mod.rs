//! The running system: what is configured now, and how to change it.

mod basic;
mod builder;
mod by_name;
mod changes;
#[cfg(feature = "clap")]
mod cli;
mod handle;
mod incremental;
mod listen;
mod logging;
#[cfg(feature = "testing")]
mod rehearsal;
mod reload;
mod stderr;
#[cfg(feature = "watch")]
mod watch;

#[cfg(feature = "clap")]
pub use self::cli::CliArgs;
#[cfg(feature = "watch")]
pub use self::watch::FileWatcher;
pub use self::{
    basic::BasicConfig, builder::LoggingBuilder, changes::Changes, handle::HandlerHandle, listen::Listener,
    logging::Logging,
};
