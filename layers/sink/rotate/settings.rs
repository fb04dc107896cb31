//! What the builders are told.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{
        archive::{Compression, Retention},
        durable::Durability,
    },
    RotatedFile,
    lock::FileLocking,
    names::Namer,
    when::Schedule,
};
use crate::{Error, clock::Clock};

/// Source, destination.
pub(crate) type Rotator = Arc<dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync>;
/// What is told of each rotated file.
pub(crate) type Told = Arc<dyn Fn(&RotatedFile) + Send + Sync>;

/// What a builder was told.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) max_bytes: u64,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) backups: usize,
    pub(crate) retention: Retention,
    pub(crate) compression: Option<Compression>,
    pub(crate) namer: Option<Namer>,
    pub(crate) rotator: Option<Rotator>,
    pub(crate) told: Option<Told>,
    pub(crate) latest: Option<PathBuf>,
    pub(crate) sharing: FileLocking,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) delay: bool,
    pub(crate) mode: Option<u32>,
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
    /// Whether a handler with other settings may use it.
    pub(super) fn fits(&self, other: &Self, path: &Path) -> Result<(), Error> {
        let mine = self;
        let times = |settings: &Settings| {
            let schedule = settings.schedule.as_ref()?;
            let Schedule { when, interval, at, grid, zone } = schedule;
            Some((*when, *interval, *at, *grid, zone.clone()))
        };
        let is_same_clock = match (&mine.clock, &other.clock) {
            (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
            (mine, other) => mine.is_none() && other.is_none(),
        };
        let differs = [
            (mine.max_bytes != other.max_bytes, "max_bytes"),
            (times(mine) != times(other), "when, interval, at_time, grid or zone"),
            (mine.backups != other.backups, "backups"),
            (mine.retention != other.retention, "retention"),
            (mine.compression != other.compression, "compression"),
            (mine.sharing != other.sharing, "sharing"),
            (mine.latest != other.latest, "latest"),
            (mine.buffer != other.buffer, "buffer"),
            (mine.durability != other.durability, "durability"),
            (mine.mode != other.mode, "mode"),
            (mine.delay != other.delay, "delay"),
            (
                mine.namer.is_some() || other.namer.is_some() || mine.rotator.is_some() || other.rotator.is_some(),
                "namer or rotator",
            ),
            (mine.told.is_some() || other.told.is_some(), "on_rotation"),
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
