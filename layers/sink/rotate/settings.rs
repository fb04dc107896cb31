//! The settings of a rotating file.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{
        archive::{Compression, Retention},
        durability::Durability,
    },
    RotatedFile,
    lock::FileLocking,
    names::NameFn,
    schedule::Schedule,
};
use crate::{Error, clock::Clock};

/// Moves a file from the first path to the second.
pub(crate) type RotateFn = Arc<dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync>;
/// Called with each rotated file.
pub(crate) type RotationHook = Arc<dyn Fn(&RotatedFile) + Send + Sync>;

/// What a builder has set.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) max_bytes: u64,
    /// A file takes records until it has `max_bytes`, and is emptied where no backups are kept: so does the Python package
    /// concurrent-log-handler.
    pub(crate) fills_up: bool,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) backups: usize,
    pub(crate) retention: Retention,
    pub(crate) compression: Option<Compression>,
    pub(crate) namer: Option<NameFn>,
    pub(crate) rotator: Option<RotateFn>,
    pub(crate) on_rotation: Option<RotationHook>,
    pub(crate) latest: Option<PathBuf>,
    pub(crate) locking: FileLocking,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) open_lazily: bool,
    pub(crate) permissions: Option<u32>,
    pub(crate) buffer: Option<usize>,
    pub(crate) durability: Durability,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_bytes, schedule, backups, .. } = self;
        f.debug_struct("Settings")
            .field("max_bytes", max_bytes)
            .field("schedule", schedule)
            .field("backups", backups)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Checks that a handler with these other settings may share the file.
    pub(super) fn fits(&self, other: &Self, path: &Path) -> Result<(), Error> {
        let mine = self;
        let times = |settings: &Settings| {
            let schedule = settings.schedule.as_ref()?;
            let Schedule { when, interval, at, alignment, zone } = schedule;
            Some((*when, *interval, *at, *alignment, zone.clone()))
        };
        let is_same_clock = match (&mine.clock, &other.clock) {
            (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
            (mine, other) => mine.is_none() && other.is_none(),
        };
        let differs = [
            ((mine.max_bytes, mine.fills_up) != (other.max_bytes, other.fills_up), "max_bytes"),
            (times(mine) != times(other), "when, interval, at_time, alignment or zone"),
            (mine.backups != other.backups, "backups"),
            (mine.retention != other.retention, "retention"),
            (mine.compression != other.compression, "compression"),
            (mine.locking != other.locking, "locking"),
            (mine.latest != other.latest, "latest"),
            (mine.buffer != other.buffer, "buffer"),
            (mine.durability != other.durability, "durability"),
            (mine.permissions != other.permissions, "permissions"),
            (mine.open_lazily != other.open_lazily, "open_lazily"),
            (
                mine.namer.is_some() || other.namer.is_some() || mine.rotator.is_some() || other.rotator.is_some(),
                "namer or rotator",
            ),
            (mine.on_rotation.is_some() || other.on_rotation.is_some(), "on_rotation"),
            (!is_same_clock, "clock"),
        ];
        match differs.iter().find(|(differs, _)| *differs) {
            None => Ok(()),
            Some((_, what)) => Err(Error::config(format_args!(
                "cannot use {}: a handler of this process rotates this file with another {what}; use that one, or the \
                 same settings",
                path.display()
            ))),
        }
    }
}
