//! Many records in one write: what a queue's listener formats is held until 64 KiB are full or nothing more waits.

use std::{
    borrow::Cow,
    io, mem,
    path::Path,
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crate::{
    Error, Sink,
    caught::catch,
    fork::{self, Heirloom},
    handler::{panicked, queue::batch},
    trap::Ledger,
};

/// How much is held at most, in bytes. A longer record is written by itself.
const FULL: usize = 64 << 10;

/// A sink, with what is held for it.
pub(super) struct Gather<S> {
    pub(super) sink: S,
    /// What errors call it.
    pub(super) place: Cow<'static, str>,
    held: Heirloom<Held>,
    /// How many are held or on their way to the sink; changed under the lock.
    pending: AtomicU64,
    ledger: OnceLock<Arc<Ledger>>,
    /// A second ledger came: whose a record is cannot be told, so none is held.
    several: AtomicBool,
}

/// Whole records, one after the other.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// When each was made.
    times: Vec<SystemTime>,
}

impl<S: Sink> Gather<S> {
    pub(super) fn new(sink: S, place: Cow<'static, str>) -> Self {
        fork::check();
        let (held, pending) = (Heirloom::default(), AtomicU64::new(0));
        Self { sink, place, held, pending, ledger: OnceLock::new(), several: AtomicBool::new(false) }
    }

    pub(super) fn attach(&self, ledger: &Arc<Ledger>) {
        if !Arc::ptr_eq(self.ledger.get_or_init(|| Arc::clone(ledger)), ledger) {
            self.several.store(true, Ordering::Relaxed);
        }
        self.sink.attach(ledger);
    }

    #[cold]
    pub(super) fn refused(&self, doing: &str, error: io::Error) -> Error {
        Error::io_at(Path::new(&*self.place), doing, error)
    }

    /// The ledger, where records are to be held: on a listener's thread, for a sink that gains from it.
    #[inline]
    pub(super) fn holds(&self) -> Option<&Arc<Ledger>> {
        if !batch::is_listening() || !self.sink.gathers() || self.several.load(Ordering::Relaxed) {
            return None;
        }
        if batch::is_direct() {
            // In order, should anything be held.
            self.write_held();
            return None;
        }
        self.ledger.get()
    }

    pub(super) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.ledger.get()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock(
            |held| {
                held.clear();
                self.leave_to_the_parent();
            },
            || {
                self.leave_to_the_parent();
                Held::default()
            },
        )
    }

    /// After a fork, what was held before is the parent's.
    fn leave_to_the_parent(&self) {
        let count = self.pending.swap(0, Ordering::Relaxed);
        if let Some(ledger) = self.ledger.get() {
            ledger.settle_dropped(count);
        }
    }

    /// Under the lock, so that it is no more than a load and a store.
    #[inline]
    fn count(&self, change: impl FnOnce(u64) -> u64) {
        self.pending.store(change(self.pending.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

impl<S: Sink> Gather<S> {
    /// Holds a record; the listener writes it in a moment.
    pub(super) fn hold(self: &Arc<Self>, line: &[u8], time: SystemTime, ledger: &Arc<Ledger>) {
        let mut held = self.held();
        if !held.ends.is_empty() && held.bytes.len() + line.len() > FULL {
            drop(held);
            self.write_held();
            held = self.held();
        }
        let is_first = held.ends.is_empty();
        ledger.queue(1);
        self.count(|pending| pending + 1);
        held.bytes.extend_from_slice(line);
        let end = held.bytes.len();
        held.ends.push(end);
        held.times.push(time);
        drop(held);
        if is_first {
            batch::join(Arc::<Self>::clone(self));
        }
    }

    /// Writes what is held. The sink is not called under a lock.
    pub(super) fn write_held(&self) {
        let mut held = mem::take(&mut *self.held());
        let Some(ledger) = self.ledger.get() else { return };
        let mut done = 0;
        while done < held.ends.len() {
            let from = done.checked_sub(1).map_or(0, |last| held.ends[last]);
            let write = || self.sink.write_many_of(&held.bytes, from, &held.ends[done..], &held.times[done..]);
            let (written, result) = catch(write).map_or_else(
                |panic| (0, Err(panicked("write_many", &panic))),
                |(written, result)| (written, result.map_err(|error| self.refused("write to", error))),
            );
            let written = written.min(held.ends.len() - done);
            ledger.settle_written(written as u64);
            done += written;
            match result {
                Ok(()) if written > 0 => {}
                // Each record is tried: the next may be shorter, or there is room again.
                result => {
                    let lost = done < held.ends.len();
                    ledger.settle_failed(u64::from(lost));
                    done += usize::from(lost);
                    let nothing = || Error::new(format_args!("cannot write to {}: it took nothing", self.place));
                    ledger.tell(&result.err().unwrap_or_else(nothing));
                }
            }
        }
        held.clear();
        // The memory is used again.
        let mut now = self.held();
        self.count(|pending| pending.saturating_sub(done as u64));
        if now.ends.is_empty() {
            *now = held;
        }
    }
}

impl Held {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.times.clear();
    }
}

impl<S: Sink> batch::Pending for Gather<S> {
    fn write_out(&self) {
        self.write_held();
    }
}
