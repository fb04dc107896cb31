//! What happens to files after a rotation: retention and compression.

mod compress;
mod compression;
mod names;
mod queue;
mod rename_guard;
mod retention;
#[cfg(all(test, feature = "gzip", feature = "zstd"))]
#[allow(clippy::unwrap_used)]
mod tests;

pub use self::{compression::Compression, retention::Retention};
pub(crate) use self::{
    compression::SUFFIXES,
    names::remove_stale_parts,
    queue::{Job, ProcessLock, enqueue, wait_until_done},
    rename_guard::RenameGuard,
    retention::BackupFile,
};
