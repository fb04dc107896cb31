//! Rotating files: a [`FileSink`](super::FileSink) and a [`Rotator`](rotator::Rotator) around it.
//!
//! # How a record is written
//! The rotator compares the size and the time with two numbers that it computed beforehand; it asks neither the clock
//! nor the file. Threads write at the same time, under a lock that only a rotation takes exclusively: no thread writes
//! to a file that has been rotated.
//!
//! # How a file is rotated
//! By date: the file is renamed to its final name, which does not exist yet, and a new one is opened. By number: the
//! file is renamed to `BASE.rotating` and a new one is opened. While other threads write to that already, `BASE.1` …
//! move up and `BASE.rotating` becomes `BASE.1`. A process that dies in between leaves `BASE.rotating`; the next one
//! finishes the rotation. No rename ever replaces a file.

mod crash;
mod lock;
mod names;
mod numbered;
mod post_rotation;
mod rename;
mod rotation;
mod rotator;
mod schedule;
mod settings;
mod shared;
mod sink;
mod unix_time;
mod when;
mod write;

pub use self::{
    lock::FileLocking,
    sink::{RotatedFile, RotatingFileSink},
    when::{Alignment, TimeOfDay, Weekday, When},
};
pub(crate) use self::{schedule::Schedule, settings::Settings};
