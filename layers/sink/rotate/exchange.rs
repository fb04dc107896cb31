//! The exchange of the open file for a new one.

use std::{
    fs::{self, File, Metadata},
    io,
    path::PathBuf,
    sync::atomic::Ordering,
    time::SystemTime,
};

use super::{
    super::{append::Swap, archive, place::FilePlace, registry::FileId},
    crash::crash_point,
    engine::{Engine, TRIES, Turn},
    lock::{FileLocking, Locked, PATIENCE},
    moves::{rename_new, seconds},
    names::is_file,
    slots::Slots,
    when::Period,
};
use crate::Error;

/// A record that wants to be written: its length, and the time in seconds since 1970.
pub(super) type Ask = (u64, i64);

/// What is asked for, by the clock.
pub(super) struct Due {
    pub(super) ask: Option<Ask>,
    pub(super) now: i64,
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
pub(super) enum Moved {
    /// It is under this name, and a new one is open.
    To(PathBuf),
    /// There was no need.
    No(Step),
    /// Something is there already.
    Taken,
    Refused(Error),
}

/// Where the file in use goes. Made by user code in part, so before any lock.
pub(super) enum Target {
    Numbered(Slots),
    Dated(PathBuf),
}

/// How an exchange ended.
pub(super) enum Turned {
    /// User code has to make names first, for the file of this generation.
    NeedsTarget(u64, Option<Period>),
    Done(Step),
}

/// One visit: what user code said before, and what is to be done when no lock is held any more.
pub(super) struct After {
    /// The clock's time.
    pub(super) now: SystemTime,
    pub(super) troubles: Vec<Error>,
    /// The rotator has to bring the pending file here.
    pub(super) hand_to: Option<PathBuf>,
    /// A file has got its name.
    pub(super) filed: Option<PathBuf>,
}

impl Engine {
    /// Rotates if it is time, or in any case without a record.
    pub(super) fn turn_over(&self, ask: Option<Ask>) -> Step {
        let mut after = self.visit();
        let mut made = None;
        let step = loop {
            let mut turn = self.turn();
            let lock = turn.lock.clone();
            let locked = match lock.as_deref().map(|lock| Locked::wait(lock, PATIENCE)).transpose() {
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
                    if made.is_none() {
                        break Step::GoOn;
                    }
                }
            }
        };
        self.finish(after);
        step
    }

    /// Runs user code. Where that fails, the rotation has.
    pub(super) fn make_target(
        &self,
        generation: u64,
        period: Option<Period>,
        after: &mut After,
    ) -> Option<(u64, Target)> {
        match self.target(period) {
            Ok(target) => Some((generation, target)),
            Err(error) => {
                self.failed(&mut self.turn(), error, after);
                None
            }
        }
    }

    pub(super) fn target(&self, period: Option<Period>) -> Result<Target, Error> {
        match (&self.settings.schedule, period) {
            (Some(schedule), Some(period)) => Ok(Target::Dated(self.names.next_dated(&schedule.date(period.start))?)),
            _ => Ok(Target::Numbered(Slots::new(&self.names, self.most)?)),
        }
    }

    pub(super) fn exchange(
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
            let holding = self.settings.sharing == FileLocking::Shared;
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
    pub(super) fn decide(
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
    pub(super) fn look(&self, file: Option<&File>) -> Option<(Metadata, bool)> {
        let there = fs::metadata(&self.names.base).ok()?;
        let mine = file.and_then(|file| file.metadata().ok());
        let same = mine.is_some_and(|mine| FileId::of(&mine) == FileId::of(&there));
        Some((there, same))
    }

    /// Opens the path; none if that is refused, and the old file stays in use.
    pub(super) fn open_anew(
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
    pub(super) fn place_in_order(&self, turn: &mut Turn, path: PathBuf, target: &Target, after: &mut After) {
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
                    if let Target::Numbered(slots) = target
                        && self.is_tidy_needed()
                    {
                        self.tidy(slots.found(), after);
                    }
                }
            }
            Err(error) => {
                self.refused(turn, error, after);
            }
        }
    }

    pub(super) fn hand_over(&self, turn: &mut Turn, to: PathBuf, after: &mut After) -> io::Result<PathBuf> {
        turn.in_hands = true;
        after.hand_to = Some(to.clone());
        Ok(to)
    }

    pub(super) fn file_pending(&self, target: &Target, resuming: bool) -> io::Result<PathBuf> {
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
}
