//! Several processes on one path: each record under a lock, on whatever is the file in use by then.

use std::{io, sync::atomic::Ordering, time::Duration};

use super::{
    super::{Lines, append::Swap},
    engine::{Engine, Turn},
    exchange::{Ask, Turned},
    lock::{Burst, Locked, PATIENCE},
    moves::seconds,
};
use crate::Error;

impl Engine {
    #[cold]
    pub(super) fn put_shared(&self, lines: &mut Lines<'_>, len: u64, now: i64) -> io::Result<()> {
        let only_hold = || self.base.would_hold(len) && now < self.high.load(Ordering::Relaxed);
        let put = || self.base.put_if(lines, || true);
        self.between_processes((len, now), only_hold, put).map(drop).map_err(|error| self.unsure(error))
    }

    pub(super) fn flush_shared(&self) -> io::Result<()> {
        let now = seconds(self.clock());
        self.between_processes((0, now), || self.base.held() == 0, || self.base.bring())
    }

    /// Writes under the locks, after the file was exchanged if it is time; without any of this where it is needless.
    fn between_processes<R>(&self, ask: Ask, is_needless: impl Fn() -> bool, write: impl FnOnce() -> R) -> R {
        let mut after = self.visit();
        let mut made = None;
        let result = loop {
            let mut turn = self.turn();
            if is_needless() {
                break write();
            }
            let lock = turn.lock.clone();
            // Who waited in vain a moment ago does not wait again.
            let patience = if self.is_waiting(&turn, seconds(after.now)) { Duration::ZERO } else { PATIENCE };
            match lock.as_deref().map(|lock| Locked::wait(lock, patience)).transpose() {
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
                    let result = write();
                    drop(locked);
                    // With the turn in hand: the other threads of this process wait, too.
                    Burst::pause_if_long(&mut turn.burst);
                    break result;
                }
                Err(error) => {
                    after.now = after.now.checked_add(patience).unwrap_or(after.now);
                    // Whoever holds it has been stopped. Records are whole without it, too; but nothing is renamed.
                    self.failed(&mut turn, Error::io_at(&self.names.lock(), "lock", error), &mut after);
                    self.follow(&mut turn, seconds(after.now));
                    break write();
                }
            }
        };
        self.finish(after);
        result
    }

    /// Opens the path anew if another process has rotated the file away. All that is held goes to the new one.
    pub(super) fn follow(&self, turn: &mut Turn, now: i64) {
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

    pub(super) fn would_admit(&self, (len, now): Ask) -> bool {
        (self.low.load(Ordering::Relaxed)..self.high.load(Ordering::Relaxed)).contains(&now)
            && (self.max == u64::MAX || self.fits_in(self.size.load(Ordering::Relaxed), len))
    }
}
