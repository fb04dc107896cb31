//! Many records in one write, cut where the file is exchanged.

use std::{io, sync::Arc, time::SystemTime};

use super::{super::Sink as _, engine::Engine, moves::seconds};
use crate::trap::Ledger;

/// Whole records, one after the other.
pub(super) struct Batch<'a> {
    pub(super) bytes: &'a [u8],
    /// Where each ends.
    pub(super) ends: &'a [usize],
    /// When each was made, where that is known.
    pub(super) times: Option<&'a [SystemTime]>,
}

impl Engine {
    /// A buffer gathers by itself; and what other processes may rotate is looked at record by record.
    pub(super) fn gathers(&self) -> bool {
        !self.is_shared() && self.base.gathers()
    }

    /// As [`Sink::write_many`](super::super::Sink::write_many): the files become what they would become record by record.
    pub(super) fn put_many(
        &self,
        batch: &Batch<'_>,
        mut from: usize,
        ledger: Option<&Arc<Ledger>>,
    ) -> (usize, io::Result<()>) {
        let mut done = 0;
        while let Some(end) = batch.ends.get(done) {
            if self.gathers() {
                // The clock may be user code, so it is not asked while the file is held.
                let clock = self.clock_of(batch);
                let now = |index: usize| clock.unwrap_or_else(|| batch.seconds(index));
                let admit = || self.admits_many(batch, from, done, now);
                let (written, result) = self.base.put_many_if(batch.bytes, from, &batch.ends[done..], admit);
                // Before the file is exchanged, so that it is synced where it has to be.
                self.base.after_many(written);
                if written > 0 {
                    done += written;
                    from = batch.ends[done - 1];
                }
                match result {
                    Err(error) => return (done, Err(self.unsure(error))),
                    Ok(()) if written > 0 => continue,
                    Ok(()) => {}
                }
            }
            // It does not go into the open file.
            let time = batch.times.and_then(|times| times.get(done)).copied();
            let result = self.put(&batch.bytes[from..*end], time, ledger);
            self.base.after(result.is_ok());
            if let Err(error) = result {
                return (done, Err(error));
            }
            done += 1;
            from = *end;
        }
        (done, Ok(()))
    }

    /// How many records, from one on, go into the open file; they are counted then.
    fn admits_many(&self, batch: &Batch<'_>, mut from: usize, first: usize, now: impl Fn(usize) -> i64) -> usize {
        let admitted = batch.ends[first..].iter().enumerate().take_while(|(index, end)| {
            let len = (**end - from) as u64;
            from = **end;
            self.admits(len, now(first + index))
        });
        admitted.count()
    }

    /// The time of all records of a batch, where it is not their own.
    fn clock_of(&self, batch: &Batch<'_>) -> Option<i64> {
        match (&self.settings.schedule, batch.times) {
            // Nobody looks at it.
            (None, _) => Some(0),
            (Some(_), Some(_)) => self.settings.clock.as_ref().map(|clock| seconds(clock.now())),
            (Some(_), None) => Some(seconds(self.clock())),
        }
    }
}

impl Batch<'_> {
    fn seconds(&self, index: usize) -> i64 {
        self.times.and_then(|times| times.get(index)).map_or(0, |time| seconds(*time))
    }
}
