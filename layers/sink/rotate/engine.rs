//! The engine: when the open file is exchanged, and what happens to the old one.

use std::{
    fmt,
    fs::{self, File, Metadata},
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    super::{
        Written,
        append::Swap,
        archive::{self, Compression, Job, Outside, Retention, Rotated},
        file::{FilePlace, FileSink},
        registry::FileId,
    },
    Rollover,
    crash::crash_point,
    lock::{self, LockPath, Locked, Sharing},
    names::{Namer, Names, exists, is_file, is_plain},
    slots::Slots,
    when::{Period, Schedule},
};
use crate::{Error, clock::Clock, handler::panicked, trap::Ledger};

/// Source, destination.
pub(crate) type Rotator = Arc<dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync>;
/// What is told of each rotated file.
pub(crate) type Told = Arc<dyn Fn(&Rollover) + Send + Sync>;

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
    pub(crate) sharing: Sharing,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) delay: bool,
    pub(crate) mode: Option<u32>,
    pub(crate) buffer: Option<usize>,
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

/// A file that is exchanged for a new one in time.
pub(crate) struct Engine {
    settings: Settings,
    names: Names,
    base: FileSink,
    /// How many numbered files there may be; none for any number.
    most: Option<u64>,
    /// Whether a file that was rotated is kept at all.
    keeps: bool,
    /// `u64::MAX` where the size does not matter.
    max: u64,
    /// Of the file, with what is held for it; [`UNSURE`] or more where it has to be found out.
    size: AtomicU64,
    /// From when to when, in seconds since 1970, nothing is to be done.
    low: AtomicI64,
    high: AtomicI64,
    /// It is no regular file.
    exempt: AtomicBool,
    turn: Mutex<Turn>,
    /// What went wrong before there was anybody to tell.
    untold: Mutex<Option<Error>>,
    /// The lock of [`Sharing::Exclusive`].
    _lock: Option<File>,
}

/// What a rotation changes. Held over renames, never over user code.
#[derive(Debug, Default)]
struct Turn {
    period: Option<Period>,
    /// A rotator has the pending file.
    in_hands: bool,
    /// Counts the files.
    generation: u64,
    failing: Option<Failing>,
    /// The lock of [`Sharing::Shared`].
    lock: Option<Arc<File>>,
}

/// A rotation that is tried again later.
#[derive(Clone, Copy, Debug)]
struct Failing {
    since: i64,
    /// Seconds.
    wait: i64,
}

const UNSURE: u64 = 1 << 62;
/// How long a failed rotation waits to be tried again, in seconds: at first, at most.
const WAIT: i64 = 1;
const MOST_WAIT: i64 = 60;
/// How often threads may come before one another.
const TRIES: usize = 16;

/// A record that wants to be written: its length, and the time in seconds since 1970.
type Ask = (u64, i64);

/// What is asked for, by the clock.
struct Due {
    ask: Option<Ask>,
    now: i64,
}

/// What to do with the record now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Things have changed.
    Again,
    /// Nothing is to be done, or it cannot be done now.
    GoOn,
}

/// What became of the file in use.
enum Moved {
    /// It is under this name, and a new one is open.
    To(PathBuf),
    /// There was no need.
    No(Step),
    /// Something is there already.
    Taken,
    Refused(Error),
}

/// Where the file in use goes. Made by user code in part, so before any lock.
enum Target {
    Numbered(Slots),
    Dated(PathBuf),
}

/// How an exchange ended.
enum Turned {
    /// User code has to make names first, for the file of this generation.
    NeedsTarget(u64, Option<Period>),
    Done(Step),
}

/// One visit: what user code said before, and what is to be done when no lock is held any more.
struct After {
    /// The clock's time.
    now: SystemTime,
    ledger: Option<Arc<Ledger>>,
    troubles: Vec<Error>,
    /// The rotator has to bring the pending file here.
    hand_to: Option<PathBuf>,
    /// A file has got its name.
    filed: Option<PathBuf>,
}

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
            Sharing::Exclusive => Some(lock::exclusively(&names.lock(), &names.base)?),
            Sharing::Unguarded | Sharing::Shared => None,
        };
        let shared = match settings.sharing {
            Sharing::Shared => {
                Some(Arc::new(lock::open(&names.lock()).map_err(|error| Error::io_at(&names.lock(), "open", error))?))
            }
            Sharing::Unguarded | Sharing::Exclusive => None,
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
            turn: Mutex::new(Turn { lock: shared, ..Turn::default() }),
            untold: Mutex::new(None),
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

    pub(crate) fn path(&self) -> &Path {
        &self.names.base
    }

    /// Whether a handler with other settings may use it.
    pub(crate) fn fits(&self, other: &Settings) -> Result<(), Error> {
        let mine = &self.settings;
        let times = |settings: &Settings| {
            let schedule = settings.schedule.as_ref()?;
            let Schedule { when, interval, at, grid, zone } = schedule;
            Some((*when, *interval, *at, *grid, zone.clone()))
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
            (mine.mode != other.mode, "mode"),
            (mine.delay != other.delay, "delay"),
            (
                mine.namer.is_some() || other.namer.is_some() || mine.rotator.is_some() || other.rotator.is_some(),
                "namer or rotator",
            ),
            (mine.told.is_some() || other.told.is_some(), "on_rotation"),
            (mine.clock.is_some() || other.clock.is_some(), "clock"),
        ];
        match differs.iter().find(|(differs, _)| *differs) {
            None => Ok(()),
            Some((_, what)) => Err(Error::config(format_args!(
                "cannot use {}: a handler of this process rotates this file with another {what}; use that one, or the \
                 same settings",
                self.names.base.display()
            ))),
        }
    }

    // --- the way of a record

    #[inline]
    pub(crate) fn put(
        &self,
        record: &[u8],
        time: Option<SystemTime>,
        ledger: Option<&Arc<Ledger>>,
    ) -> io::Result<Written> {
        let now = if self.settings.schedule.is_some() { self.time_of(time) } else { 0 };
        if self.settings.sharing == Sharing::Shared {
            return self.put_shared(record, now, ledger);
        }
        match self.base.put_if(record, ledger, || self.admits(record.len() as u64, now)) {
            Ok(Some(written)) => Ok(written),
            Ok(None) => self.put_at_a_boundary(record, now, ledger),
            Err(error) => Err(self.unsure(error)),
        }
    }

    /// With an injected clock, its time; else that of the record, which costs nothing; else the system's.
    #[inline]
    fn time_of(&self, time: Option<SystemTime>) -> i64 {
        match (&self.settings.clock, time) {
            (Some(clock), _) => seconds(clock.now()),
            (None, Some(time)) => seconds(time),
            (None, None) => seconds(SystemTime::now()),
        }
    }

    fn clock(&self) -> SystemTime {
        self.settings.clock.as_ref().map_or_else(SystemTime::now, |clock| clock.now())
    }

    /// Whether a record goes into the open file; it is counted then.
    #[inline]
    fn admits(&self, len: u64, now: i64) -> bool {
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
    fn fits_in(&self, size: u64, len: u64) -> bool {
        size == 0 || size.saturating_add(len) < self.max || self.exempt.load(Ordering::Relaxed)
    }

    #[cold]
    fn unsure(&self, error: io::Error) -> io::Error {
        self.size.store(UNSURE, Ordering::Relaxed);
        error
    }

    #[cold]
    fn put_at_a_boundary(&self, record: &[u8], now: i64, ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        let len = record.len() as u64;
        for _ in 0..TRIES {
            let Step::Again = self.turn_over(Some((len, now)), ledger) else { break };
            match self.base.put_if(record, ledger, || self.admits(len, now)) {
                Ok(Some(written)) => return Ok(written),
                Ok(None) => {}
                Err(error) => return Err(self.unsure(error)),
            }
        }
        self.put_anyway(record, ledger)
    }

    /// Into the open file, whatever its size and the time.
    fn put_anyway(&self, record: &[u8], ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        let counted = || {
            self.size.fetch_add(record.len() as u64, Ordering::Relaxed);
            true
        };
        match self.base.put_if(record, ledger, counted) {
            Ok(Some(written)) => Ok(written),
            Ok(None) => Err(io::ErrorKind::Other.into()),
            Err(error) => Err(self.unsure(error)),
        }
    }

    // --- several processes

    #[cold]
    fn put_shared(&self, record: &[u8], now: i64, ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
        let ask = (record.len() as u64, now);
        let mut after = self.visit(ledger);
        let mut made = None;
        let written = loop {
            let mut turn = self.turn();
            if self.base.would_hold(record.len()) && now < self.high.load(Ordering::Relaxed) {
                break self.base.put_if(record, ledger, || true);
            }
            let lock = turn.lock.clone();
            let locked = match lock.as_deref().map(Locked::wait).transpose() {
                Ok(locked) => {
                    self.follow(&mut turn, seconds(after.now));
                    if !self.would_admit(ask)
                        && let Turned::NeedsTarget(generation, period) =
                            self.exchange(&mut turn, Some(ask), made.take(), &mut after)
                    {
                        drop((locked, turn));
                        made = self.make_target(generation, period, &mut after);
                        continue;
                    }
                    locked
                }
                Err(error) => {
                    // Whoever holds it has been stopped. Records are whole without it, too; but nothing is renamed.
                    self.failed(&mut turn, Error::io_at(&self.names.lock(), "lock", error), &mut after);
                    self.follow(&mut turn, seconds(after.now));
                    None
                }
            };
            let written = self.base.put_if(record, ledger, || true);
            drop(locked);
            break written;
        };
        self.finish(after);
        match written {
            Ok(written) => Ok(written.unwrap_or(Written::Through)),
            Err(error) => Err(self.unsure(error)),
        }
    }

    /// Opens the path anew if another process has rotated the file away. All that is held goes to the new one.
    fn follow(&self, turn: &mut Turn, now: i64) {
        self.base.swap(true, |place, file, held| match self.look(file) {
            Some((about, true)) => {
                self.size.store(about.len() + held, Ordering::Relaxed);
                (Swap::Keep, ())
            }
            there => {
                let about = there.map(|(about, _)| about);
                (self.open_anew(place, about, held, turn, now).unwrap_or(Swap::Keep), ())
            }
        });
    }

    fn would_admit(&self, (len, now): Ask) -> bool {
        (self.low.load(Ordering::Relaxed)..self.high.load(Ordering::Relaxed)).contains(&now)
            && (self.max == u64::MAX || self.fits_in(self.size.load(Ordering::Relaxed), len))
    }

    // --- exchanging the file

    /// Rotates if it is time, or in any case without a record.
    fn turn_over(&self, ask: Option<Ask>, ledger: Option<&Arc<Ledger>>) -> Step {
        let mut after = self.visit(ledger);
        let mut made = None;
        let step = loop {
            let mut turn = self.turn();
            let lock = turn.lock.clone();
            let locked = match lock.as_deref().map(Locked::wait).transpose() {
                Ok(locked) => locked,
                Err(error) => {
                    self.failed(&mut turn, Error::io_at(&self.names.lock(), "lock", error), &mut after);
                    break Step::GoOn;
                }
            };
            match self.exchange(&mut turn, ask, made.take(), &mut after) {
                Turned::Done(step) => break step,
                Turned::NeedsTarget(generation, period) => {
                    drop((locked, turn));
                    made = self.make_target(generation, period, &mut after);
                }
            }
        };
        self.finish(after);
        step
    }

    /// Runs user code. Where that fails, the rotation has.
    fn make_target(&self, generation: u64, period: Option<Period>, after: &mut After) -> Option<(u64, Target)> {
        match self.target(period) {
            Ok(target) => Some((generation, target)),
            Err(error) => {
                self.failed(&mut self.turn(), error, after);
                None
            }
        }
    }

    fn target(&self, period: Option<Period>) -> Result<Target, Error> {
        match (&self.settings.schedule, period) {
            (Some(schedule), Some(period)) => Ok(Target::Dated(self.names.next_dated(&schedule.date(period.start))?)),
            _ => Ok(Target::Numbered(Slots::new(&self.names, self.most)?)),
        }
    }

    fn exchange(
        &self,
        turn: &mut Turn,
        ask: Option<Ask>,
        mut made: Option<(u64, Target)>,
        after: &mut After,
    ) -> Turned {
        for _ in 0..TRIES {
            if turn.in_hands || (ask.is_some() && self.is_waiting(turn, seconds(after.now))) {
                return Turned::Done(Step::GoOn);
            }
            let target = match made.take() {
                Some((generation, target)) if generation == turn.generation => target,
                _ if self.names.namer.is_some() => return Turned::NeedsTarget(turn.generation, turn.period),
                _ => match self.target(turn.period) {
                    Ok(target) => target,
                    Err(error) => return self.failed(turn, error, after),
                },
            };
            if let Target::Numbered(slots) = &target
                && self.keeps
                && let Err(error) = slots.check()
            {
                // Before anything is moved. But perhaps there is no need to.
                if ask.is_some_and(|ask| self.would_admit(ask)) {
                    return Turned::Done(Step::Again);
                }
                return self.refused(turn, error, after);
            }
            let holding = self.settings.sharing == Sharing::Shared;
            let moved = self.base.swap(holding, |place, file, held| {
                self.decide(place, file, held, turn, Due { ask, now: seconds(after.now) }, &target)
            });
            match moved {
                Moved::No(step) => return Turned::Done(step),
                Moved::Refused(error) => return self.failed(turn, error, after),
                Moved::Taken => {
                    turn.generation += 1;
                    let pending = self.names.pending();
                    if is_file(&pending)
                        && let Err(error) = self.file_pending(&target, true)
                    {
                        return self.refused(turn, error, after);
                    }
                }
                Moved::To(path) => {
                    turn.generation += 1;
                    turn.failing = None;
                    crash_point("moved");
                    self.place_in_order(turn, path, &target, after);
                    return Turned::Done(Step::Again);
                }
            }
        }
        Turned::Done(Step::GoOn)
    }

    /// Whether the file is to be moved now, and if so: moves it and opens a new one. Nobody writes meanwhile.
    fn decide(
        &self,
        place: &FilePlace,
        file: Option<&File>,
        held: u64,
        turn: &mut Turn,
        due: Due,
        target: &Target,
    ) -> (Swap<File>, Moved) {
        let Due { ask, now } = due;
        let about = match self.look(file) {
            // Somebody else has moved it away, or it was not open.
            there @ (None | Some((_, false))) if ask.is_some() || there.is_none() => {
                let swap = self.open_anew(place, there.map(|(about, _)| about), held, turn, now);
                let step = if swap.is_some() { Step::Again } else { Step::GoOn };
                return (swap.unwrap_or(Swap::Keep), Moved::No(step));
            }
            Some((about, _)) => about,
            None => return (Swap::Keep, Moved::No(Step::GoOn)),
        };
        if !about.is_file() {
            self.exempt();
            return (Swap::Keep, Moved::No(Step::GoOn));
        }
        self.size.store(about.len() + held, Ordering::Relaxed);
        if let Some((len, at)) = ask {
            if now < self.low.load(Ordering::Relaxed) {
                // The clock has gone far back: what was planned is too far away.
                self.set_period(turn, now);
            }
            let time = at >= self.high.load(Ordering::Relaxed) && now >= self.high.load(Ordering::Relaxed);
            let size = about.len() > 0 && !self.fits_in(about.len() + held, len);
            if !time && !size {
                let step = if self.would_admit((len, at)) { Step::Again } else { Step::GoOn };
                return (Swap::Keep, Moved::No(step));
            }
        }
        let to = match target {
            _ if !self.keeps => {
                let swap = self.open_anew(place, Some(about), held, turn, now);
                return (swap.unwrap_or(Swap::Keep), Moved::No(Step::GoOn));
            }
            Target::Dated(path) if self.settings.rotator.is_none() => path.clone(),
            Target::Dated(_) | Target::Numbered(_) => self.names.pending(),
        };
        crash_point("before");
        match rename_new(&self.names.base, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return (Swap::Keep, Moved::Taken),
            Err(error) => return (Swap::Keep, Moved::Refused(Error::io_at(&self.names.base, "rotate", error))),
        }
        crash_point("renamed");
        let swap = match ask {
            None if self.settings.delay && held == 0 => Swap::Close,
            _ => match place.open_file() {
                Ok(opened) => Swap::Open(opened),
                Err(refusal) => {
                    // Back to where it was; should that fail as well, the next record opens the path.
                    rename_new(&to, &self.names.base).unwrap_or_default();
                    let error = Error::io_at(&self.names.base, "begin anew", refusal.into());
                    return (Swap::Keep, Moved::Refused(error));
                }
            },
        };
        self.size.store(held, Ordering::Relaxed);
        self.set_period(turn, now);
        (swap, Moved::To(to))
    }

    /// What is at the path, and whether it is the open file.
    fn look(&self, file: Option<&File>) -> Option<(Metadata, bool)> {
        let there = fs::metadata(&self.names.base).ok()?;
        let mine = file.and_then(|file| file.metadata().ok());
        let same = mine.is_some_and(|mine| FileId::of(&mine) == FileId::of(&there));
        Some((there, same))
    }

    /// Opens the path; none if that is refused, and the old file stays in use.
    fn open_anew(
        &self,
        place: &FilePlace,
        there: Option<Metadata>,
        held: u64,
        turn: &mut Turn,
        now: i64,
    ) -> Option<Swap<File>> {
        let opened = place.open_file().ok()?;
        self.size.store(there.as_ref().map_or(0, Metadata::len) + held, Ordering::Relaxed);
        self.begin(turn, there.as_ref(), now);
        Some(Swap::Open(opened))
    }

    /// Gives what was moved away its name.
    fn place_in_order(&self, turn: &mut Turn, path: PathBuf, target: &Target, after: &mut After) {
        let prepared = match (target, &self.settings.rotator) {
            (Target::Dated(_), None) => Ok(path),
            (_, None) => self.file_pending(target, false),
            (Target::Dated(path), Some(_)) => self.hand_over(turn, path.clone(), after),
            (Target::Numbered(slots), Some(_)) => archive::hold(&self.names.base)
                .and_then(|hold| slots.shift(&hold, false))
                .and_then(|()| self.hand_over(turn, slots.first()?, after)),
        };
        match prepared {
            Ok(path) => {
                if after.hand_to.is_none() {
                    after.filed = Some(path);
                    if let Target::Numbered(slots) = target {
                        self.tidy(slots.found(), after);
                    }
                }
            }
            Err(error) => {
                self.refused(turn, error, after);
            }
        }
    }

    fn hand_over(&self, turn: &mut Turn, to: PathBuf, after: &mut After) -> io::Result<PathBuf> {
        turn.in_hands = true;
        after.hand_to = Some(to.clone());
        Ok(to)
    }

    fn file_pending(&self, target: &Target, resuming: bool) -> io::Result<PathBuf> {
        let hold = archive::hold(&self.names.base)?;
        let to = match target {
            Target::Dated(path) => path.clone(),
            Target::Numbered(slots) => {
                slots.shift(&hold, resuming)?;
                slots.first()?
            }
        };
        crash_point("shifted");
        rename_new(&self.names.pending(), &to)?;
        crash_point("filed");
        Ok(to)
    }

    // --- afterwards

    /// Without a lock: the rotator, prunes that run user code, and telling.
    fn finish(&self, mut after: After) {
        if let Some(to) = after.hand_to.take() {
            self.rotator_has_it(&to, &mut after);
            after.filed = Some(to);
            if self.names.dated.is_none() {
                match Slots::new(&self.names, self.most) {
                    Ok(slots) => {
                        let _turn = self.turn();
                        self.tidy(slots.found(), &mut after);
                    }
                    Err(error) => after.troubles.push(error),
                }
            }
        }
        if after.filed.is_some() {
            if self.names.dated.is_some() {
                self.tidy(self.names.found_dated(), &mut after);
            }
            self.link(&mut after);
        }
        for error in mem::take(&mut after.troubles) {
            self.tell(error, after.ledger.as_ref());
        }
    }

    fn rotator_has_it(&self, to: &Path, after: &mut After) {
        let pending = self.names.pending();
        let Some(rotator) = &self.settings.rotator else { return };
        let result = catch_unwind(AssertUnwindSafe(|| rotator(&pending, to)));
        let result = match result {
            Ok(result) => result.map_err(|error| Error::io_at(&pending, "rotate", error)),
            Err(panic) => Err(panicked("the rotator", &*panic)),
        };
        let mut turn = self.turn();
        turn.in_hands = false;
        after.troubles.extend(result.err());
        if exists(&pending)
            && let Err(error) = rename_new(&pending, to)
        {
            self.refused(&mut turn, error, after);
        }
    }

    /// Deletes what is too much, and has the rest compressed.
    fn tidy(&self, found: Result<Vec<Rotated>, Error>, after: &mut After) {
        match found {
            Ok(found) => {
                after.troubles.extend(self.prune(&found, after.now).err());
                self.submit(&found, after);
            }
            Err(error) => after.troubles.push(error),
        }
    }

    fn prune(&self, found: &[Rotated], now: SystemTime) -> Result<(), Error> {
        let mut retention = self.settings.retention.clone();
        if self.names.dated.is_some() && self.settings.backups > 0 {
            retention = retention.files(self.settings.backups);
        }
        let active = self.size.load(Ordering::Relaxed);
        let surplus = retention.surplus(found, if active >= UNSURE { 0 } else { active }, now);
        if surplus.is_empty() {
            return Ok(());
        }
        let hold = archive::hold(&self.names.base).map_err(|error| Error::io_at(&self.names.base, "prune", error))?;
        for file in surplus {
            match hold.remove(&file.path) {
                Ok(_) => {}
                // Another process was first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io_at(&file.path, "delete", error)),
            }
        }
        Ok(())
    }

    /// All that is still plain is compressed, whoever left it so; the new one is told of.
    fn submit(&self, found: &[Rotated], after: &mut After) {
        let Settings { compression, told, sharing, .. } = &self.settings;
        let filed = after.filed.as_ref().filter(|_| told.is_some());
        let plain = found.iter().map(|file| &file.path).filter(|path| compression.is_some() && is_plain(path));
        let mut paths: Vec<_> = plain.filter(|path| Some(*path) != filed && exists(path)).collect();
        paths.extend(filed);
        for path in paths {
            let then = told.clone().filter(|_| Some(path) == filed).map(|told| {
                let base = self.names.base.clone();
                Box::new(move |path: &Path| {
                    if let Ok(file) = File::open(path) {
                        told(&Rollover { base, path: path.to_owned(), file });
                    }
                }) as _
            });
            let outside: Option<Arc<dyn Outside>> = match sharing {
                Sharing::Shared => Some(Arc::new(LockPath(self.names.lock()))),
                Sharing::Unguarded | Sharing::Exclusive => None,
            };
            let job = Job {
                base: self.names.base.clone(),
                path: path.clone(),
                compression: compression.clone(),
                ledger: after.ledger.clone(),
                outside,
                then,
            };
            archive::compress(job);
        }
    }

    /// The optional link to the file in use.
    fn link(&self, after: &mut After) {
        let Some(link) = &self.settings.latest else { return };
        if let Err(error) = link_to(link, &self.names.base) {
            after.troubles.push(Error::io_at(link, "link to the file in use as", error));
        }
    }

    /// What an earlier run has not finished. Nobody has the engine yet.
    fn recover(&self) {
        let mut after = self.visit(None);
        if self.keeps {
            after.troubles.extend(self.finish_pending().err());
        }
        if self.settings.compression.is_some() {
            let dir = self.names.base.parent().unwrap_or(&self.names.base);
            archive::sweep(&self.names.base, dir);
            let found = match self.names.dated {
                Some(_) => self.names.found_dated(),
                None => Slots::new(&self.names, self.most).and_then(|slots| slots.found()),
            };
            match found {
                Ok(found) => self.submit(&found, &mut after),
                Err(error) => after.troubles.push(error),
            }
        }
        self.link(&mut after);
        self.finish(after);
    }

    fn finish_pending(&self) -> Result<(), Error> {
        let pending = self.names.pending();
        let Ok(about) = pending.symlink_metadata() else { return Ok(()) };
        let written = about.modified().unwrap_or(UNIX_EPOCH);
        let period = self.settings.schedule.as_ref().map(|schedule| schedule.period(seconds(written)));
        let target = self.target(period)?;
        let refused = |error| Error::io_at(&pending, "finish the rotation of", error);
        let turn = self.turn();
        let _locked = turn.lock.as_deref().map(Locked::wait).transpose().map_err(refused)?;
        // With the lock in hand: perhaps another process was at work on it.
        if is_file(&pending) {
            self.file_pending(&target, true).map_err(refused)?;
        }
        Ok(())
    }

    // --- by hand

    pub(crate) fn rollover(&self, ledger: Option<&Arc<Ledger>>) {
        self.turn_over(None, ledger);
    }

    pub(crate) fn reopen(&self) -> Result<(), Error> {
        let now = seconds(self.clock());
        let mut turn = self.turn();
        self.base.reopen()?;
        let about = fs::metadata(&self.names.base).ok();
        self.size.store(UNSURE, Ordering::Relaxed);
        self.begin(&mut turn, about.as_ref(), now);
        Ok(())
    }

    pub(crate) fn close(&self) -> Result<(), Error> {
        self.flush().map_err(|error| Error::io_at(self.path(), "write what is buffered for", error))?;
        self.base.close()?;
        self.size.store(UNSURE, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        if self.settings.sharing != Sharing::Shared {
            return self.base.bring();
        }
        let now = seconds(self.clock());
        let mut turn = self.turn();
        let lock = turn.lock.clone();
        let _locked = lock.as_deref().map(Locked::wait).transpose()?;
        self.follow(&mut turn, now);
        self.base.bring()
    }

    /// Waits until rotated files are compressed and told of.
    pub(crate) fn settle(&self, deadline: Duration) -> bool {
        archive::wait(&self.names.base, deadline)
    }

    // --- small things

    fn visit(&self, ledger: Option<&Arc<Ledger>>) -> After {
        if let Some(ledger) = ledger {
            self.tell_what_is_untold(ledger);
        }
        After { now: self.clock(), ledger: ledger.cloned(), troubles: Vec::new(), hand_to: None, filed: None }
    }

    /// The file begins, or goes on since it was last written.
    fn begin(&self, turn: &mut Turn, about: Option<&Metadata>, now: i64) {
        let written = about.filter(|about| about.is_file()).and_then(|about| about.modified().ok());
        self.set_period(turn, written.map_or(now, seconds));
    }

    fn set_period(&self, turn: &mut Turn, since: i64) {
        turn.generation += 1;
        let Some(schedule) = &self.settings.schedule else { return };
        let period = schedule.period(since);
        turn.period = Some(period);
        self.low.store(schedule.low(period), Ordering::Relaxed);
        self.high.store(period.end, Ordering::Relaxed);
    }

    /// What is no regular file is never rotated.
    fn exempt(&self) {
        self.low.store(i64::MIN, Ordering::Relaxed);
        self.high.store(i64::MAX, Ordering::Relaxed);
        self.exempt.store(true, Ordering::Relaxed);
    }

    fn is_waiting(&self, turn: &Turn, now: i64) -> bool {
        turn.failing.is_some_and(|Failing { since, wait }| (now - since).abs() < wait)
    }

    fn refused(&self, turn: &mut Turn, error: io::Error, after: &mut After) -> Turned {
        self.failed(turn, Error::io_at(&self.names.base, "rotate", error), after)
    }

    /// Goes on writing; tells once, and tries again later.
    fn failed(&self, turn: &mut Turn, error: Error, after: &mut After) -> Turned {
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

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong when nobody was there to be told.
    fn tell_what_is_untold(&self, ledger: &Ledger) {
        let Some(error) = self.untold.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let period = self.turn().period.zip(self.settings.schedule.as_ref());
        self.low.store(period.map_or(i64::MIN, |(period, schedule)| schedule.low(period)), Ordering::Relaxed);
        ledger.tell(&error);
    }

    fn tell(&self, error: Error, ledger: Option<&Arc<Ledger>>) {
        match ledger {
            Some(ledger) => ledger.tell(&error),
            None => {
                *self.untold.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                // The next record comes by.
                self.low.store(i64::MAX, Ordering::Relaxed);
            }
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

fn seconds(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()) - 1,
    }
}

/// Renames, never over something.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems that cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            result => return result.map_err(Into::into),
        }
    }
    if exists(to) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Makes a link, or turns one that leads elsewhere; anything else of this name stays.
fn link_to(link: &Path, target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let target = match (link.parent(), target.parent(), target.file_name()) {
            (Some(here), Some(there), Some(name)) if here == there => Path::new(name),
            _ => target,
        };
        match fs::read_link(link) {
            Ok(present) if present == target => return Ok(()),
            Ok(_) => fs::remove_file(link)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no link"));
            }
            Err(error) => return Err(error),
        }
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(not(unix))]
    {
        let _ = (link, target);
        Err(io::ErrorKind::Unsupported.into())
    }
}
