//! The engine: when the open file is exchanged, and what happens to the old one.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io,
    path::Path,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{
    super::{Lines, archive, archive::Retention, file::FileSink, place::FilePlace},
    exchange::{After, Step, Turned},
    lock::{self, Burst, FileLocking},
    moves::seconds,
    names::Names,
    settings::Settings,
    when::Period,
};
use crate::{
    Error,
    fork::{self, ForkMutex},
};

/// A file that is exchanged for a new one in time.
pub(crate) struct Engine {
    pub(super) settings: Settings,
    pub(super) names: Names,
    pub(super) base: FileSink,
    /// How many numbered files there may be; none for any number.
    pub(super) most: Option<u64>,
    /// Whether a file that was rotated is kept at all.
    pub(super) keeps: bool,
    /// `u64::MAX` where the size does not matter.
    pub(super) max: u64,
    /// Of the file, with what is held for it; [`UNSURE`] or more where it has to be found out.
    pub(super) size: AtomicU64,
    /// From when to when, in seconds since 1970, nothing is to be done.
    pub(super) low: AtomicI64,
    pub(super) high: AtomicI64,
    /// It is no regular file.
    pub(super) exempt: AtomicBool,
    pub(super) turn: ForkMutex<Turn>,
    /// The lock of [`FileLocking::Exclusive`].
    _lock: Option<File>,
}

/// What a rotation changes. Held over renames, never over user code.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) period: Option<Period>,
    /// A rotator has the pending file.
    pub(super) in_hands: bool,
    /// Counts the files.
    pub(super) generation: u64,
    pub(super) failing: Option<Failing>,
    /// The lock of [`FileLocking::Shared`].
    pub(super) lock: Option<Arc<File>>,
    pub(super) burst: Option<Burst>,
}

/// A rotation that is tried again later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failing {
    pub(super) since: i64,
    /// Seconds.
    pub(super) wait: i64,
}

pub(super) const UNSURE: u64 = 1 << 62;
/// How long a failed rotation waits to be tried again, in seconds: at first, at most.
pub(super) const WAIT: i64 = 1;
pub(super) const MOST_WAIT: i64 = 60;
/// How often threads may come before one another.
pub(super) const TRIES: usize = 16;

impl Engine {
    pub(crate) fn new(mut place: FilePlace, settings: Settings) -> Result<Self, Error> {
        let names = Names {
            base: place.path.clone(),
            dated: settings.schedule.as_ref().map(|schedule| schedule.when),
            namer: settings.namer.clone(),
        };
        let unlimited = settings.backups == 0;
        let keeps = names.dated.is_some() || !unlimited || settings.retention != Retention::default();
        let max = if settings.max_bytes > 0 && keeps { settings.max_bytes } else { u64::MAX };
        if settings.max_bytes > 0 || settings.schedule.is_some() {
            // What is to be kept is not thrown away at the beginning (Python forces the mode, too).
            place.truncate = false;
        }
        if place.create_dirs
            && let Some(parent) = place.path.parent()
        {
            fs::create_dir_all(parent).map_err(|error| Error::io_at(&place.path, "create the directory of", error))?;
        }
        let lock = match settings.sharing {
            FileLocking::Exclusive => Some(lock::exclusively(&names.lock(), &names.base)?),
            FileLocking::Unguarded | FileLocking::Shared => None,
        };
        let shared = match settings.sharing {
            FileLocking::Shared => {
                Some(Arc::new(lock::open(&names.lock()).map_err(|error| Error::io_at(&names.lock(), "open", error))?))
            }
            FileLocking::Unguarded | FileLocking::Exclusive => None,
        };
        if settings.namer.is_some() {
            // One that cannot work is found out now.
            names.numbered(1)?;
        }
        let before = fs::metadata(&place.path).ok();
        let base = FileSink::new(place, settings.delay, settings.buffer)?;
        let engine = Self {
            names,
            base,
            most: (!unlimited).then_some(settings.backups as u64),
            keeps,
            max,
            size: AtomicU64::new(before.as_ref().map_or(0, Metadata::len)),
            low: AtomicI64::new(i64::MIN),
            high: AtomicI64::new(i64::MAX),
            exempt: AtomicBool::new(false),
            turn: ForkMutex::new(Turn { lock: shared, ..Turn::default() }),
            _lock: lock,
            settings,
        };
        engine.begin(&mut engine.turn(), before.as_ref(), seconds(engine.clock()));
        if before.is_some_and(|about| !about.is_file()) {
            engine.exempt();
        }
        engine.recover();
        Ok(engine)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.settings.sharing == FileLocking::Shared
    }

    pub(super) fn base(&self) -> &FileSink {
        &self.base
    }

    pub(crate) fn path(&self) -> &Path {
        &self.names.base
    }

    // --- the way of a record

    /// Takes the first line.
    #[inline]
    pub(crate) fn put(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let Some((record, time)) = lines.first() else { return Ok(()) };
        let len = record.len() as u64;
        let now = match (&self.settings.schedule, &self.settings.clock) {
            (None, _) => 0,
            (Some(_), Some(clock)) => seconds(clock.now()),
            // That of the record costs nothing.
            (Some(_), None) => seconds(time),
        };
        if self.is_shared() {
            return self.put_shared(lines, len, now);
        }
        match self.base.put_if(lines, || self.admits(len, now)) {
            Ok(true) => Ok(()),
            Ok(false) => self.put_at_a_boundary(lines, len, now),
            Err(error) => Err(self.unsure(error)),
        }
    }

    pub(super) fn clock(&self) -> SystemTime {
        self.settings.clock.as_ref().map_or_else(SystemTime::now, |clock| clock.now())
    }

    /// Whether a record goes into the open file; it is counted then.
    #[inline]
    pub(super) fn admits(&self, len: u64, now: i64) -> bool {
        if now < self.low.load(Ordering::Relaxed) || now >= self.high.load(Ordering::Relaxed) {
            return false;
        }
        if self.max == u64::MAX {
            return true;
        }
        let before = self.size.fetch_add(len, Ordering::Relaxed);
        if self.fits_in(before, len) {
            return true;
        }
        self.size.fetch_sub(len, Ordering::Relaxed);
        false
    }

    /// A file never reaches the limit, but one record that is longer goes into an empty one.
    #[inline]
    pub(super) fn fits_in(&self, size: u64, len: u64) -> bool {
        size == 0 || size.saturating_add(len) < self.max || self.exempt.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn unsure(&self, error: io::Error) -> io::Error {
        self.size.store(UNSURE, Ordering::Relaxed);
        error
    }

    #[cold]
    fn put_at_a_boundary(&self, lines: &mut Lines<'_>, len: u64, now: i64) -> io::Result<()> {
        for _ in 0..TRIES {
            let Step::Again = self.turn_over(Some((len, now))) else { break };
            if self.base.put_if(lines, || self.admits(len, now)).map_err(|error| self.unsure(error))? {
                return Ok(());
            }
        }
        // Into the open file, whatever its size and the time.
        let counted = || {
            self.size.fetch_add(len, Ordering::Relaxed);
            true
        };
        self.base.put_if(lines, counted).map(drop).map_err(|error| self.unsure(error))
    }

    // --- by hand

    pub(crate) fn rollover(&self) {
        self.turn_over(None);
    }

    pub(crate) fn reopen(&self) -> Result<(), Error> {
        let now = seconds(self.clock());
        let mut turn = self.turn();
        self.base.open_again()?;
        let about = fs::metadata(&self.names.base).ok();
        self.size.store(UNSURE, Ordering::Relaxed);
        self.begin(&mut turn, about.as_ref(), now);
        Ok(())
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        self.flush().map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))?;
        self.base.shut()?;
        self.size.store(UNSURE, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.settings.sharing != FileLocking::Shared {
            return self.base.bring();
        }
        self.flush_shared()
    }

    /// Waits until rotated files are compressed and told of.
    pub(crate) fn wait_for_archiving(&self, deadline: Duration) -> bool {
        archive::wait(&self.names.base, deadline)
    }

    // --- small things

    pub(super) fn visit(&self) -> After {
        After { now: self.clock(), troubles: Vec::new(), hand_to: None, filed: None }
    }

    /// The file begins, or goes on since it was last written.
    pub(super) fn begin(&self, turn: &mut Turn, about: Option<&Metadata>, now: i64) {
        let written = about.filter(|about| about.is_file()).and_then(|about| about.modified().ok());
        self.set_period(turn, written.map_or(now, seconds));
    }

    pub(super) fn set_period(&self, turn: &mut Turn, since: i64) {
        turn.generation += 1;
        let Some(schedule) = &self.settings.schedule else { return };
        let period = schedule.period(since);
        turn.period = Some(period);
        self.low.store(schedule.low(period), Ordering::Relaxed);
        self.high.store(period.end, Ordering::Relaxed);
    }

    /// What is no regular file is never rotated.
    pub(super) fn exempt(&self) {
        self.low.store(i64::MIN, Ordering::Relaxed);
        self.high.store(i64::MAX, Ordering::Relaxed);
        self.exempt.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_waiting(&self, turn: &Turn, now: i64) -> bool {
        turn.failing.is_some_and(|Failing { since, wait }| (now - since).abs() < wait)
    }

    pub(super) fn refused(&self, turn: &mut Turn, error: io::Error, after: &mut After) -> Turned {
        self.failed(turn, Error::io_at(&self.names.base, "rotate", error), after)
    }

    /// Goes on writing; tells once, and tries again later.
    pub(super) fn failed(&self, turn: &mut Turn, error: Error, after: &mut After) -> Turned {
        let wait = match turn.failing {
            Some(Failing { wait, .. }) => (wait * 2).min(MOST_WAIT),
            None => {
                after.troubles.push(error);
                WAIT
            }
        };
        turn.failing = Some(Failing { since: seconds(after.now), wait });
        Turned::Done(Step::GoOn)
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, Turn> {
        if self.is_shared() {
            // Before the lock between processes, which is one of a child's own.
            fork::check();
        }
        self.turn.lock(
            |turn| {
                turn.in_hands = false;
                self.lock_apart(turn);
            },
            || {
                let mut turn = Turn::default();
                self.lock_apart(&mut turn);
                self.size.store(UNSURE, Ordering::Relaxed);
                self.begin(&mut turn, fs::metadata(&self.names.base).ok().as_ref(), seconds(self.clock()));
                turn
            },
        )
    }

    /// In a child of a fork: the parent's lock is of both, and keeps neither from the other.
    fn lock_apart(&self, turn: &mut Turn) {
        if self.is_shared()
            && let Ok(lock) = lock::open(&self.names.lock())
        {
            turn.lock = Some(Arc::new(lock));
        }
    }
}

/// What is held may not be written into a file that another process has rotated.
impl Drop for Engine {
    fn drop(&mut self) {
        // What cannot be written counts as failed when the sink is dropped.
        self.flush().unwrap_or_default();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("names", &self.names).field("settings", &self.settings).finish_non_exhaustive()
    }
}
