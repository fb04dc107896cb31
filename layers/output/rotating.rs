//! Writes records to a file that is rotated by size, time or both.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::{
    Formatted,
    log_file::{absolute, set_encoding},
};
use crate::{
    Error, Format, Severity,
    clock::Clock,
    format::{Encoding, Text},
    sink::{
        Alignment, Compression, Durability, FileLocking, FileSpec, Retention, RotatedFile, RotatingFileSink, Schedule,
        Settings, TimeOfDay, When,
    },
};

/// Writes records to a file that is rotated by size, time or both.
///
/// Python: `logging.handlers.RotatingFileHandler`, `logging.handlers.TimedRotatingFileHandler`.
///
/// # Examples
/// By size:
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
/// By time:
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{clock::ManualClock, output::{RotatingFile, When}, prelude::*};
/// use tracing_subscriber::prelude::*;
///
/// # let logs = std::env::temp_dir().join(format!("strata-timed-file-{}", std::process::id()));
/// let clock = ManualClock::at(1_709_640_000);                    // 5 March 2024, noon
/// let file = RotatingFile::builder(logs.join("shop.log"))
///     .when(When::Midnight)
///     .zone("Europe/Berlin")
///     .backups(7)
///     .create_dirs(true)
///     .clock(clock.clone())
///     .build()?;
/// let subscriber = tracing_subscriber::registry().with(file.into_layer());
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info!("on Tuesday");
///     clock.advance(Duration::from_secs(86_400));
///     tracing::info!("on Wednesday");
/// });
/// assert!(std::fs::read_to_string(logs.join("shop.log.2024-03-05"))?.contains("on Tuesday"));
/// assert!(std::fs::read_to_string(logs.join("shop.log"))?.contains("on Wednesday"));
/// # std::fs::remove_dir_all(logs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`RotatingFile::builder`] does no I/O; [`build`](RotatingFileBuilder::build) checks the options and opens the file.
///
/// # What is sent
/// What a [`LogFile`](super::LogFile) writes. The file in use always has the path that was given.
///
/// Files whose names are not exactly those of rotated files are never renamed or deleted: `shop.jsonl.old`,
/// `shop.jsonl.01` and `shop.jsonl.1.bak` are safe, and so are directories and links. `shop.jsonl.1.gz` and `.zst` move
/// with the others.
///
/// # By size
/// Before a record that would make the file as long as [`max_bytes`](RotatingFileBuilder::max_bytes) or longer, the file
/// becomes `shop.jsonl.1`, the previous `.1` becomes `.2`, and so on; beyond [`backups`](RotatingFileBuilder::backups) the
/// oldest is deleted. A record longer than a whole file is written to a file of its own. What an earlier run left in the
/// file counts.
///
/// # By time
/// With [`when`](RotatingFileBuilder::when), the first record of a new period renames the file to the time at which its
/// own period began, in the schedule's zone (see [`When`]). No timer runs, and nothing happens without records: a long
/// silence is one rotation. A record belongs to the period of its own time, even if it arrives late, behind a queue; with
/// [`clock`](RotatingFileBuilder::clock) that clock decides. Without [`backups`](RotatingFileBuilder::backups) and
/// [`retention`](RotatingFileBuilder::retention) nothing is deleted.
///
/// With [`max_bytes`](RotatingFileBuilder::max_bytes) as well, all but the first file of a date get a number:
/// `shop.log.2024-10-27_02`, then `shop.log.2024-10-27_02.1`. A larger number is newer; files are renamed only once. The
/// same happens to a name that exists because an hour comes twice in autumn or the clock went back. Nothing is ever
/// overwritten.
///
/// Periods follow the wall clock in the zone ([`Alignment::Clock`]). The file found at the start belongs to the period in
/// which it was last written; if that is over, the first record rotates it. Ten restarts a day still make daily files.
/// Days begin at the true local midnight, or after the gap where that is skipped. A clock that goes back by up to two hours
/// (or a period) changes nothing, by more starts a new count without a rotation; one that jumps forward is one rotation.
///
/// A period in which the file was open without records ends all the same, as in Python, and can leave an empty file: for
/// example behind a queue, when the clock is set ahead before the first record.
/// [`open_lazily`](RotatingFileBuilder::open_lazily) avoids it.
///
/// # Durability
/// As for [`LogFile`](super::LogFile#durability). A process that is killed during a rotation loses nothing: the file that
/// it had moved away (`shop.jsonl.rotating`) gets its name at the next start or rotation.
///
/// # Several handlers, several processes
/// Handlers of one process share a file with the same path and the same settings; other settings are refused. For several
/// processes see [`FileLocking`].
///
/// # When it blocks
/// As long as write(2) does; the thread that rotates, for the renames and deletions. Other threads wait for one rename and
/// the opening of the new file. Behind a [`Queue`](crate::Queue), records are written up to 64 KiB at once (without a
/// [`buffer`](RotatingFileBuilder::buffer), and not with [`FileLocking::Shared`]), into the same files.
/// Compression and [`on_rotation`](RotatingFileBuilder::on_rotation) run on a thread of their own.
///
/// # Failures
/// The error handler gets a failed rotation once. Records still go to the old file, which may then exceed its limit; the
/// rotation is tried again after 1, 2, 4 … 60 seconds. A record that cannot be formatted fails, and a new file begins even so
/// where it is time for one, as in Python. Otherwise as for [`LogFile`](super::LogFile#failures).
///
/// # Differences from Python
/// - Lengths are counted in bytes, where Python counts a record in characters.
/// - A record longer than `max_bytes` does not rotate an empty file (as since Python 3.12.3).
/// - `mode='w'` is [`truncate`](RotatingFileBuilder::truncate), which has no effect with a limit, as in Python.
/// - The new file is opened before the old ones are renamed, so that other threads need not wait for that.
/// - Periods of `S`, `M`, `H` and `D` follow the wall clock; [`Alignment::Rollover`] counts from the last rotation as
///   Python does.
/// - A name that exists gets a number, where Python up to 3.12 deletes the file, and later stops rotating.
/// - `interval` applies to `midnight` and `W0`–`W6` too, as since Python 3.13.
/// - A wrong `when` is an error before any file is touched.
pub type RotatingFile<F = Text> = Formatted<F, RotatingFileSink>;

impl Formatted<Text, RotatingFileSink> {
    /// A file that is rotated, with [`Text`] as the format until another is set. No I/O.
    ///
    /// | option | default |
    /// |---|---|
    /// | [`max_bytes`](RotatingFileBuilder::max_bytes) | 0: no limit |
    /// | [`backups`](RotatingFileBuilder::backups) | 0: none by size (the file keeps growing), all by time |
    /// | [`when`](RotatingFileBuilder::when), [`interval`](RotatingFileBuilder::interval), [`at_time`](RotatingFileBuilder::at_time) | by size only; 1; midnight |
    /// | [`utc`](RotatingFileBuilder::utc), [`zone`](RotatingFileBuilder::zone), [`alignment`](RotatingFileBuilder::alignment) | the zone of this machine; [`Alignment::Clock`] |
    /// | [`retention`](RotatingFileBuilder::retention) | no limit but `backups` |
    /// | [`compression`](RotatingFileBuilder::compression) | none |
    /// | [`namer`](RotatingFileBuilder::namer), [`rotator`](RotatingFileBuilder::rotator), [`on_rotation`](RotatingFileBuilder::on_rotation) | none |
    /// | [`latest`](RotatingFileBuilder::latest) | no link |
    /// | [`locking`](RotatingFileBuilder::locking) | [`FileLocking::Unguarded`] |
    /// | [`open_lazily`](RotatingFileBuilder::open_lazily), [`permissions`](RotatingFileBuilder::permissions), [`create_dirs`](RotatingFileBuilder::create_dirs), [`buffer`](RotatingFileBuilder::buffer), [`flush_on`](RotatingFileBuilder::flush_on), [`encoding`](RotatingFileBuilder::encoding), [`durability`](RotatingFileBuilder::durability) | as for [`LogFile`](super::LogFile) |
    pub fn builder(path: impl Into<PathBuf>) -> RotatingFileBuilder {
        RotatingFileBuilder {
            file: FileSpec::new(path.into()),
            settings: Settings::default(),
            when: None,
            interval: None,
            at: None,
            alignment: Alignment::default(),
            utc: false,
            zone: None,
            allow_unbounded: false,
            flush_on: None,
            encoding: Encoding::UTF_8,
            format: Text::new(),
        }
    }
}

/// When a file is rotated, and what happens to the old one. Made by [`RotatingFile::builder`].
#[derive(Debug)]
#[must_use]
pub struct RotatingFileBuilder<F = Text> {
    file: FileSpec,
    settings: Settings,
    when: Option<When>,
    interval: Option<u32>,
    at: Option<TimeOfDay>,
    alignment: Alignment,
    utc: bool,
    zone: Option<String>,
    allow_unbounded: bool,
    flush_on: Option<Severity>,
    encoding: Encoding,
    format: F,
}

/// When the file is rotated.
impl<F: Format> RotatingFileBuilder<F> {
    /// The length that no file reaches, in bytes, except with one record that is longer by itself. 0 is no limit. Without
    /// [`backups`](Self::backups), [`retention`](Self::retention) or [`when`](Self::when) no old file is kept, and the limit
    /// is an error unless [`allow_unbounded`](Self::allow_unbounded) is set.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Whether a file takes records until it has `max_bytes`, and is emptied then where no backups are kept.
    #[cfg(feature = "config")]
    pub(crate) fn fills_up(mut self) -> Self {
        self.settings.fills_up = true;
        self
    }

    /// Accepts a [`max_bytes`](Self::max_bytes) that has no effect because no old file is kept: the file grows without end, as
    /// Python's does with `maxBytes` and a `backupCount` of 0.
    pub fn allow_unbounded(mut self, allow: bool) -> Self {
        self.allow_unbounded = allow;
        self
    }

    /// Rotates by time.
    pub fn when(mut self, when: When) -> Self {
        self.when = Some(when);
        self
    }

    /// Rotates only every so many seconds, minutes, hours, days or weeks.
    pub fn interval(mut self, interval: u32) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The time of day of the rotation, for [`When::Midnight`] and [`When::Weekly`].
    pub fn at_time(mut self, time: TimeOfDay) -> Self {
        self.at = Some(time);
        self
    }

    /// Uses UTC for times and names rather than the zone of this machine.
    pub fn utc(mut self, utc: bool) -> Self {
        self.utc = utc;
        self
    }

    /// The zone of times and names, by its IANA name such as `Europe/Berlin`. Not with [`utc(true)`](Self::utc).
    pub fn zone(mut self, name: impl Into<String>) -> Self {
        self.zone = Some(name.into());
        self
    }

    /// From where intervals are counted.
    pub fn alignment(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// The clock that decides when the file is rotated (default: the records' own times, as soon as the system's clock
    /// agrees).
    ///
    /// It is for the rotation only; records have the time of the layer. Set the same clock here *and* on the layer
    /// (`file.into_layer().clock(clock.clone())`). Here only, files are rotated by it while their lines have the system's
    /// time. On the layer only, lines have its time, and a file is rotated when both its time and the system's say so. Behind
    /// a [`Queue`](crate::Queue) the clock is read when the record is written, not when it was made.
    pub fn clock(self, clock: impl Clock) -> Self {
        self.shared_clock(Arc::new(clock))
    }

    /// Handlers of one file must have the same clock.
    pub(crate) fn shared_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = Some(clock);
        self
    }
}

/// What happens to rotated files.
impl<F: Format> RotatingFileBuilder<F> {
    /// How many rotated files are kept. 0 (the default) keeps none by number (the file keeps growing), and all by date.
    pub fn backups(mut self, count: usize) -> Self {
        self.settings.backups = count;
        self
    }

    /// Further limits, by age and by bytes. Files by number then need no [`backups`](Self::backups).
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Compresses rotated files, on a thread of its own. If the process ends first, the file stays as it is, and is
    /// compressed at the next start.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.settings.compression = Some(compression);
        self
    }

    /// Makes the names of rotated files from the default ones (`app.log.1`, `app.log.2024-03-05`), before the suffix of a
    /// compression. Called for each name, on the thread that logs and rotates, without a lock of ours. Equal names must
    /// give equal names, different ones different names. If it panics or returns the name of the file in use, the rotation
    /// fails.
    pub fn namer(mut self, namer: impl Fn(&Path) -> PathBuf + Send + Sync + 'static) -> Self {
        self.settings.namer = Some(Arc::new(namer));
        self
    }

    /// Moves a file from one path to another instead of a rename. Called on the thread that logs and rotates, without a lock
    /// of ours: other threads write to a new file meanwhile, however long it takes, and no other rotation starts. The
    /// source is a temporary name of the rotated file (`app.log.rotating`). If it still exists afterwards, it is renamed as usual.
    pub fn rotator(mut self, rotator: impl Fn(&Path, &Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.settings.rotator = Some(Arc::new(rotator));
        self
    }

    /// Called for each rotated file once it has its name and is compressed, on a thread of its own that serves all files of
    /// the process in turn: it may take its time. Its own events are dropped. The error handler gets a panic. It is not called for
    /// files that an earlier run left, nor for those deleted before their turn.
    pub fn on_rotation(mut self, callback: impl Fn(&RotatedFile) + Send + Sync + 'static) -> Self {
        self.settings.on_rotation = Some(Arc::new(callback));
        self
    }

    /// Keeps a symbolic link to the file in use at this path (unix). A link to something else is replaced; anything else
    /// of this name is left alone, and the error handler is called.
    pub fn latest(mut self, link: impl Into<PathBuf>) -> Self {
        self.settings.latest = Some(link.into());
        self
    }
}

/// How the file is opened and written.
impl<F: Format> RotatingFileBuilder<F> {
    /// Whether other processes may use the file, too.
    pub fn locking(mut self, locking: FileLocking) -> Self {
        self.settings.locking = locking;
        self
    }

    /// Truncates the file when it is first opened. No effect with a limit by size or time.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.file.truncate = truncate;
        self
    }

    /// Opens the file with the first record.
    pub fn open_lazily(mut self, open_lazily: bool) -> Self {
        self.settings.open_lazily = open_lazily;
        self
    }

    /// The permissions of files that are created, before the umask (unix; no effect elsewhere).
    pub fn permissions(mut self, mode: u32) -> Self {
        self.settings.permissions = Some(mode);
        self
    }

    /// The encoding (default: [UTF-8](Encoding::UTF_8)).
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Creates missing directories.
    pub fn create_dirs(mut self, create: bool) -> Self {
        self.file.create_dirs = create;
        self
    }

    /// Buffers up to so many bytes (at most 1 GiB); 64 KiB works well. Buffered bytes count for the size, and are written
    /// before a rotation. With [`FileLocking::Shared`] they are written in one piece, to the file in use at that time.
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.settings.buffer = Some(bytes);
        self
    }

    /// Writes the buffer after each record at or above a severity.
    pub fn flush_on(mut self, min_level: impl Into<Severity>) -> Self {
        self.flush_on = Some(min_level.into());
        self
    }

    /// When the file is synced to the disk (default: never). A file is synced before it is rotated.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// The format.
    pub fn format<G: Format>(self, format: G) -> RotatingFileBuilder<G> {
        let Self {
            file, settings, when, interval, at, alignment, utc, zone, allow_unbounded, flush_on, encoding, ..
        } = self;
        RotatingFileBuilder {
            file,
            settings,
            when,
            interval,
            at,
            alignment,
            utc,
            zone,
            allow_unbounded,
            flush_on,
            encoding,
            format,
        }
    }

    /// Checks the options and opens the file.
    ///
    /// # Errors
    /// - The path is empty, or cannot be opened (without [`open_lazily`](Self::open_lazily)).
    /// - The interval is 0, there is no such zone, [`at_time`](Self::at_time) has no effect, the namer fails, or
    ///   [`FileLocking::Shared`] meets a rotator, or a buffer with a [`durability`](Self::durability).
    /// - Something has no effect: [`max_bytes`](Self::max_bytes) or a compression where no old file is kept (but see
    ///   [`allow_unbounded`](Self::allow_unbounded)), an interval without [`when`](Self::when), a zone beside [`utc(true)`](Self::utc).
    /// - The path is that of a file that another handler of this process rotates, such as `app.log.1` beside `app.log`.
    /// - The file is in use by another process ([`FileLocking::Exclusive`]), or by another handler of this process with
    ///   other settings or without rotation.
    pub fn build(self) -> Result<RotatingFile<F>, Error> {
        let file = self.build_closed()?;
        file.as_sink().open()?;
        file.as_sink().start()?;
        Ok(file)
    }

    /// Nothing is opened yet.
    pub(crate) fn build_closed(self) -> Result<RotatingFile<F>, Error> {
        let sync_on = self.settings.durability.on;
        let encoding = self.encoding;
        let (sink, flush_on, format) = self.closed()?;
        let name = sink.path().display().to_string();
        let file = Formatted::new(format, sink).name(name).flush_and_sync_on(flush_on, sync_on).encoding(encoding);
        Ok(file.passing_over(RotatingFileSink::pass_over))
    }

    /// Opens the file as a sink only, for use as an [`io::Write`] or a `MakeWriter`. Ignores the format, `flush_on` and the
    /// durability's severity.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_sink(self) -> Result<RotatingFileSink, Error> {
        let (sink, ..) = self.closed()?;
        sink.open()?;
        sink.start()?;
        Ok(sink)
    }

    fn closed(mut self) -> Result<(RotatingFileSink, Option<Severity>, F), Error> {
        self.settings.schedule = self.schedule()?;
        let Self { mut file, mut settings, allow_unbounded, flush_on, format, .. } = self;
        file.path = absolute(&file.path)?;
        set_encoding(&mut file, self.encoding);
        file.permissions = settings.permissions;
        file.set_durability(settings.durability);
        if let Some(link) = &settings.latest {
            settings.latest = Some(absolute(link)?);
        }
        let refused = |why: std::fmt::Arguments<'_>| {
            Err(Error::config(format_args!("cannot use {}: {why}", file.path.display())))
        };
        let keeps_backups =
            settings.schedule.is_some() || settings.backups > 0 || settings.retention != Retention::default();
        let is_shared = settings.locking == FileLocking::Shared;
        if settings.max_bytes > 0 && !keeps_backups && !allow_unbounded {
            return refused(format_args!(
                "max_bytes {} without backups: expected backups, a retention or `when` as well, as the file grows without \
                 end otherwise; allow_unbounded(true) permits that",
                settings.max_bytes
            ));
        }
        if settings.compression.is_some() && !keeps_backups {
            return refused(format_args!(
                "a compression without rotated files: expected backups, a retention or `when` as well"
            ));
        }
        if settings.rotator.is_some() && is_shared {
            return refused(format_args!("a rotator cannot be combined with shared locking; use on_rotation"));
        }
        if is_shared && settings.buffer.is_some() && settings.durability != Durability::system() {
            return refused(format_args!(
                "a durability cannot be combined with a buffer and shared locking; leave out the buffer"
            ));
        }
        Ok((RotatingFileSink::new(file, settings)?, flush_on, format))
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
        let &Self { when, interval, at, alignment, .. } = self;
        if interval == Some(0) {
            return Err(Error::config("interval 0: expected 1 or more"));
        }
        if let (Some(interval), None) = (interval, when) {
            return Err(Error::config(format_args!("interval {interval}: expected with `when` only")));
        }
        let interval = interval.unwrap_or(1);
        let schedule = when.map(|when| Schedule { when, interval, at, alignment, zone });
        match at {
            Some(at) if !schedule.as_ref().is_some_and(Schedule::takes_a_time_of_day) => {
                Err(Error::config(format_args!("at_time {at}: expected with `when` midnight or W0 to W6 only")))
            }
            _ => Ok(schedule),
        }
    }
}
