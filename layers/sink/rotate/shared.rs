//! Several processes on one path: each record under a lock, on whatever is the file in use by then.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use super::{
    super::{Written, append::Swap},
    engine::{Engine, Turn},
    exchange::{Ask, Turned},
    lock::Locked,
    moves::seconds,
};
use crate::{Error, trap::Ledger};

impl Engine {
    #[cold]
    pub(super) fn put_shared(&self, record: &[u8], now: i64, ledger: Option<&Arc<Ledger>>) -> io::Result<Written> {
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
