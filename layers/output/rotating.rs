//! Sends records to a file that is exchanged for a new one when it is full.
//!
//! Python: `logging.handlers.RotatingFileHandler`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::{Formatted, log_file::absolute};
use crate::{
    Error, Format, Severity,
    clock::Clock,
    format::Text,
    sink::{
        Alignment, Compression, Durability, FileLocking, FilePlace, Retention, RotatedFile, RotatingFileSink, Schedule,
        Settings, TimeOfDay, When,
    },
};

/// Makes handlers that write to a file and begin a new one before it is too long.
///
/// ```
/// use tracing_strata::{prelude::*, format::Json, output::RotatingFile};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-rotating-file-{}", std::process::id()));
/// let file = RotatingFile::builder(logs.join("shop.jsonl"))
///     .max_bytes(1000)
///     .backups(3)
///     .create_dirs(true)
///     .format(Json::new())
///     .build()?;
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || (0..50).for_each(|number| tracing::info!(number, "sold")));
///
/// let mut names: Vec<_> = std::fs::read_dir(&logs)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<_>>()?;
/// names.sort();
/// assert_eq!(names, ["shop.jsonl", "shop.jsonl.1", "shop.jsonl.2", "shop.jsonl.3"]);
/// assert!(std::fs::metadata(logs.join("shop.jsonl.1"))?.len() < 1000);
/// # std::fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is written
/// The file in use always has the path that was given. Before a record with which it would be as long as
/// [`max_bytes`](RotatingFileBuilder::max_bytes) or longer, it becomes `shop.jsonl.1`; what was that becomes `.2`, and so on; of more than
/// [`backups`](RotatingFileBuilder::backups) the oldest is deleted. A record that is longer than a file may be is written whole, to a file of its own.
/// What an earlier run has left in the file counts.
///
/// | option | default |
/// |---|---|
/// | [`max_bytes`](RotatingFileBuilder::max_bytes) | 0: without end |
/// | [`backups`](RotatingFileBuilder::backups) | 0: none, the file grows on |
/// | [`when`](RotatingFileBuilder::when), [`interval`](RotatingFileBuilder::interval), [`at_time`](RotatingFileBuilder::at_time) | by size only; 1; midnight |
/// | [`utc`](RotatingFileBuilder::utc), [`zone`](RotatingFileBuilder::zone), [`alignment`](RotatingFileBuilder::alignment) | the zone of this machine, the grid of the clock |
/// | [`retention`](RotatingFileBuilder::retention) | no limit but `backups` |
/// | [`compression`](RotatingFileBuilder::compression) | none |
/// | [`namer`](RotatingFileBuilder::namer), [`rotator`](RotatingFileBuilder::rotator), [`on_rotation`](RotatingFileBuilder::on_rotation) | none |
/// | [`latest`](RotatingFileBuilder::latest) | no link |
/// | [`locking`](RotatingFileBuilder::locking) | [`FileLocking::Unguarded`] |
/// | [`open_lazily`](RotatingFileBuilder::open_lazily), [`permissions`](RotatingFileBuilder::permissions), [`create_dirs`](RotatingFileBuilder::create_dirs), [`buffer`](RotatingFileBuilder::buffer), [`flush_on`](RotatingFileBuilder::flush_on), [`durability`](RotatingFileBuilder::durability) | as for [`LogFile`](super::LogFile) |
///
/// Files whose names are not in full those of rotated files are never renamed and never deleted: `shop.jsonl.old`,
/// `shop.jsonl.01` and `shop.jsonl.1.bak` are safe, directories and links, too. `shop.jsonl.1.gz` and `.zst` move with the others.
///
/// # Size and time together
/// With [`when`](RotatingFileBuilder::when) as well, files are called by date, and all but the first of a date have a number behind it. A larger
/// one is newer there: files are renamed once only.
///
/// # Durability
/// As for [`LogFile`](super::LogFile#durability). A process that is killed while it rotates loses nothing: what it had moved out of the way
/// (`shop.jsonl.rotating`) gets its name at the next start or rotation.
///
/// # When it blocks
/// As long as write(2) does; the thread that rotates, for the renames and deletions. Other threads wait for one rename and the
/// opening of the new file. Behind a [`Queue`](crate::Queue), records are written up to 64 KiB at once (without a
/// [`buffer`](RotatingFileBuilder::buffer), and not with [`FileLocking::NamedHandler`]), and come into the same files. Compression and [`on_rotation`](RotatingFileBuilder::on_rotation) have a thread of their own.
///
/// # Failures
/// A rotation that fails is told to the trap once. Records go on into the file they went to, which may then be longer than it
/// should; it is tried again after 1, 2, 4 … 60 seconds. All else is as for [`LogFile`](super::LogFile#failures).
///
/// # Several handlers, several processes
/// Handlers of one process that have one path share the file where all settings are the same, and are refused otherwise. For several
/// processes see [`FileLocking`].
///
/// # Differences from Python
/// - Lengths are counted in bytes, where Python counts a record in characters.
/// - A record that is longer than `max_bytes` does not rotate an empty file (as since Python 3.12.3).
/// - `mode='w'` is [`truncate`](RotatingFileBuilder::truncate), which has no effect with a limit, as in Python.
/// - The new file is opened before the old ones move up, so that other threads need not wait for that.
#[derive(Debug)]
pub enum RotatingFile {}

impl RotatingFile {
    /// A file that grows up to [`max_bytes`](RotatingFileBuilder::max_bytes), with [`Text`] as the format at first.
    pub fn builder(path: impl Into<PathBuf>) -> RotatingFileBuilder {
        RotatingFileBuilder::new(path.into())
    }
}

/// When a file is exchanged, and what becomes of the old one. Made by [`RotatingFile::builder`] and
/// [`TimedFile::builder`](super::TimedFile::builder).
#[derive(Debug)]
#[must_use]
pub struct RotatingFileBuilder<F = Text> {
    place: FilePlace,
    settings: Settings,
    when: Option<When>,
    interval: Option<u32>,
    at: Option<TimeOfDay>,
    grid: Alignment,
    utc: bool,
    zone: Option<String>,
    /// Grows on although there is a limit.
    endless: bool,
    flush_on: Option<Severity>,
    format: F,
}

impl RotatingFileBuilder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            place: FilePlace::at(path),
            settings: Settings::default(),
            when: None,
            interval: None,
            at: None,
            grid: Alignment::default(),
            utc: false,
            zone: None,
            endless: false,
            flush_on: None,
            format: Text::new(),
        }
    }
}

/// When.
impl<F: Format> RotatingFileBuilder<F> {
    /// No file gets as long as this, but for one record that is longer by itself. 0 is no limit. Without
    /// [`backups`](Self::backups), [`retention`](Self::retention) or [`when`](Self::when) there is no place for the old file: an error, unless
    /// [`allow_unbounded`](Self::allow_unbounded) says that it is meant.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Whether [`max_bytes`](Self::max_bytes) may be without effect because no old file is kept: the file grows on without end, as
    /// Python's does with `maxBytes` and a `backupCount` of 0.
    pub fn allow_unbounded(mut self, endless: bool) -> Self {
        self.endless = endless;
        self
    }

    /// A file ends in time.
    pub fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }

    /// Only every so many seconds, minutes, hours, days or weeks.
    pub fn interval(mut self, interval: u32) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The time of day at which a file ends, for [`When::Midnight`] and [`When::Weekly`].
    pub fn at_time(mut self, time: TimeOfDay) -> Self {
        self.at = Some(time);
        self
    }

    /// Whether times and names are in UTC rather than in the zone of this machine.
    pub fn utc(mut self, utc: bool) -> Self {
        self.utc = utc;
        self
    }

    /// Times and names are in a zone of the IANA database, such as `Europe/Berlin`. Not with [`utc(true)`](Self::utc).
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.zone = Some(name.into());
        self
    }

    /// From where intervals are counted.
    pub fn alignment(mut self, grid: Alignment) -> Self {
        self.grid = grid;
        self
    }

    /// The clock that decides when a file ends (default: the records' own times, as soon as the system's clock agrees).
    ///
    /// It is for the rotation only. The times of the records are those of the layer: set one and the same clock on the builder *and*
    /// on the layer (`file.into_layer().clock(clock.clone())`). With it on the builder only, files end by it while the lines in them bear
    /// the system's time. With it on the layer only, lines bear its time, and files end when both that and the system's time say so. Behind a
    /// [`Queue`](crate::Queue) the clock is asked when the record is written, not when it was made.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.shared_clock(Arc::new(clock))
    }

    /// One that others have, too: handlers of one file are to go by one clock.
    pub(crate) fn shared_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = Some(clock);
        self
    }
}

/// What becomes of rotated files.
impl<F: Format> RotatingFileBuilder<F> {
    /// How many rotated files are kept. 0 (the default) keeps none of those by number (the file grows on), and all of those by
    /// date.
    pub fn backups(mut self, count: usize) -> Self {
        self.settings.backups = count;
        self
    }

    /// Further limits, by age and by bytes. Files by number need no [`backups`](Self::backups) then.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Compresses rotated files, on a thread of their own. Where the process ends before that is done, the file stays as it
    /// was, and is compressed at the next start.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression = Some(compression);
        self
    }

    /// Makes the names of rotated files from the default ones (`app.log.1`, `app.log.2024-03-05`), before the suffix of a
    /// compression. Called for each name anew, on the thread that logs and rotates, without a lock of ours; equal names must give
    /// equal names, different ones different names. Should it panic or give the name of the file in use, the rotation has failed.
    pub fn namer(mut self, namer: impl Fn(&Path) -> PathBuf + Send + Sync + 'static) -> Self {
        self.settings.namer = Some(Arc::new(namer));
        self
    }

    /// Brings a file from one path to another in place of a rename. Called on the thread that logs and rotates, without a lock of
    /// ours: others go on in a new file, however long it takes, and no rotation comes meanwhile. The source is what the file was
    /// moved to to that end (`app.log.rotating`). If it is still there afterwards, it is renamed as usual.
    pub fn rotator(mut self, rotator: impl Fn(&Path, &Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.settings.rotator = Some(Arc::new(rotator));
        self
    }

    /// Told of each rotated file once it has its name and is compressed, on a thread of its own that does this for all files of the
    /// process, one after the other: it may take its time. Events that are born in it go nowhere. A panic is told to the trap. Files that an
    /// earlier run has left are not told of, nor those that are deleted before their turn came.
    pub fn on_rotation(mut self, told: impl Fn(&RotatedFile) + Send + Sync + 'static) -> Self {
        self.settings.told = Some(Arc::new(told));
        self
    }

    /// Keeps a symbolic link to the file in use here (unix). A link that leads elsewhere is turned; anything else that has this name
    /// is left alone, and told to the trap.
    pub fn latest(mut self, link: impl Into<PathBuf>) -> Self {
        self.settings.latest = Some(link.into());
        self
    }
}

/// How it is opened and written.
impl<F: Format> RotatingFileBuilder<F> {
    /// Whether other processes may have the file, too.
    pub fn locking(mut self, sharing: FileLocking) -> Self {
        self.settings.sharing = sharing;
        self
    }

    /// Whether what is in the file is thrown away when it is first opened. Without effect where there is a limit by size or time.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.place.truncate = truncate;
        self
    }

    /// Whether the file is opened with the first record only.
    pub fn open_lazily(mut self, delay: bool) -> Self {
        self.settings.delay = delay;
        self
    }

    /// The permissions of files that are created (unix; without effect elsewhere). The umask is taken off.
    pub fn permissions(mut self, mode: u32) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Whether missing directories are created.
    pub fn create_dirs(mut self, create: bool) -> Self {
        self.place.create_dirs = create;
        self
    }

    /// Holds records back until so many bytes (at most 1 GiB) are full; 64 KiB serves well. What is held counts for the size, and is written before a rotation.
    /// With [`FileLocking::NamedHandler`] it is written in one piece, to the file in use at that time.
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.settings.buffer = Some(bytes);
        self
    }

    /// Writes the buffer after each record at or above a severity.
    pub fn flush_on(mut self, least: impl Into<Severity>) -> Self {
        self.flush_on = Some(least.into());
        self
    }

    /// When the file is synced to the disk (default: never). A file is synced before it is rotated.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// The format.
    pub fn format<G: Format>(self, format: G) -> RotatingFileBuilder<G> {
        let Self { place, settings, when, interval, at, grid, utc, zone, endless, flush_on, .. } = self;
        RotatingFileBuilder { place, settings, when, interval, at, grid, utc, zone, endless, flush_on, format }
    }

    /// The handler.
    ///
    /// # Errors
    /// - The path is empty, or cannot be opened (without [`open_lazily`](Self::open_lazily)).
    /// - The interval is 0, there is no such zone, [`at_time`](Self::at_time) is without effect, the namer does not work, a rotator meets
    ///   [`FileLocking::NamedHandler`], or a buffer with a [`durability`](Self::durability) does.
    /// - Something is without effect: [`max_bytes`](Self::max_bytes) or a compression where no old file is kept (but see
    ///   [`allow_unbounded`](Self::allow_unbounded)), an interval without [`when`](Self::when), a zone beside [`utc(true)`](Self::utc).
    /// - The path is that of a file that another handler of this process rotates, such as `app.log.1` beside `app.log`.
    /// - Another process has the file ([`FileLocking::Exclusive`]), or another handler of this process, with other settings or without rotation.
    pub fn build(self) -> Result<Formatted<F, RotatingFileSink>, Error> {
        let sync_on = self.settings.durability.on;
        let (sink, flush_on, format) = self.parts()?;
        let name = sink.path().display().to_string();
        let mut formatted = Formatted::new(format, sink).place(name);
        if let Some(least) = flush_on {
            formatted = formatted.flush_on(least);
        }
        if let Some(least) = sync_on {
            formatted = formatted.sync_on(least);
        }
        Ok(formatted)
    }

    /// The sink alone, for use as an [`io::Write`] or a `MakeWriter`; the format and `flush_on` are of no use there.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_sink(self) -> Result<RotatingFileSink, Error> {
        Ok(self.parts()?.0)
    }

    fn parts(mut self) -> Result<(RotatingFileSink, Option<Severity>, F), Error> {
        self.settings.schedule = self.schedule()?;
        let Self { mut place, mut settings, endless, flush_on, format, .. } = self;
        place.path = absolute(&place.path)?;
        place.mode = settings.mode;
        place.durability(settings.durability);
        if let Some(link) = &settings.latest {
            settings.latest = Some(absolute(link)?);
        }
        let is_kept = settings.schedule.is_some() || settings.backups > 0 || settings.retention != Retention::default();
        if settings.max_bytes > 0 && !is_kept && !endless {
            return Err(Error::config(format_args!(
                "cannot use {}: max_bytes {} without backups: expected backups, a retention or `when` as well, as the file grows \
                 without end otherwise; allow_unbounded(true) allows that",
                place.path.display(),
                settings.max_bytes
            )));
        }
        if settings.compression.is_some() && !is_kept {
            return Err(Error::config(format_args!(
                "cannot use {}: a compression without rotated files: expected backups, a retention or `when` as well",
                place.path.display()
            )));
        }
        if settings.rotator.is_some() && settings.sharing == FileLocking::NamedHandler {
            return Err(Error::config(format_args!(
                "cannot use {}: a rotator cannot be combined with Sharing::Shared; use on_rotation",
                place.path.display()
            )));
        }
        if settings.sharing == FileLocking::NamedHandler
            && settings.buffer.is_some()
            && settings.durability != Durability::system()
        {
            return Err(Error::config(format_args!(
                "cannot use {}: a durability cannot be combined with a buffer and Sharing::Shared; leave out the buffer",
                place.path.display()
            )));
        }
        Ok((RotatingFileSink::open(place, settings)?, flush_on, format))
    }

    fn schedule(&self) -> Result<Option<Schedule>, Error> {
        let zone = match &self.zone {
            Some(name) if self.utc && !["utc", "etc/utc"].contains(&name.to_ascii_lowercase().as_str()) => {
                return Err(Error::config(format_args!("zone {name:?} and utc(true): expected one of them")));
            }
            None if self.utc => TimeZone::UTC,
            None => TimeZone::try_system().unwrap_or(TimeZone::UTC),
            Some(name) => TimeZone::get(name)
                .map_err(|error| Error::config(format_args!("time zone {name:?}: expected an IANA name: {error}")))?,
        };
        let &Self { when, interval, at, grid, .. } = self;
        if interval == Some(0) {
            return Err(Error::config("interval 0: expected 1 or more"));
        }
        if let (Some(interval), None) = (interval, when) {
            return Err(Error::config(format_args!("interval {interval}: expected with `when` only")));
        }
        let interval = interval.unwrap_or(1);
        let schedule = when.map(|when| Schedule { when, interval, at, grid, zone });
        match at {
            Some(at) if !schedule.as_ref().is_some_and(Schedule::takes_a_time_of_day) => {
                Err(Error::config(format_args!("at_time {at}: expected with `when` midnight or W0 to W6 only")))
            }
            _ => Ok(schedule),
        }
    }
}
