//! What becomes of files after they were rotated: how many are kept, and how they are made smaller.

mod compression;
mod names;
mod retention;
mod work;

pub use self::{compression::Compression, retention::Retention};
pub(crate) use self::{
    compression::SUFFIXES,
    names::sweep,
    retention::Rotated,
    work::{Hold, Job, ProcessLock, compress, hold, wait},
};
