//! What the threads of one worker share.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};

use super::{
    BatchConfig, Export,
    segment::{Segments, SpoolLock, SpoolOptions},
    spool::{Spool, Stored, Told},
};
use crate::{
    Error,
    fork::ForkMutex,
    ledger::{End, Ledger, Receipt, Receipts},
};

/// The job of a worker that sends batches.
pub(super) struct BatchJob<E: Export> {
    pub(super) export: E,
    pub(super) config: BatchConfig,
    /// The ledger of the first handler that an item comes from.
    pub(super) ledger: OnceLock<Arc<Ledger>>,
    /// What is to be told once that is known.
    early: ForkMutex<Vec<(Error, usize)>>,
    /// Refused out of the spool, and not reclassified yet.
    refused: ForkMutex<u64>,
    /// Losses that are not reported in-band yet.
    pub(super) lost: AtomicU64,
    pub(super) in_flight: AtomicUsize,
    /// Dropped at the deadline of a shutdown.
    pub(super) abandoned: AtomicUsize,
    pub(super) last_failure: ForkMutex<Option<String>>,
    /// Gets the result of the connect.
    pub(super) connected: ForkMutex<Option<SyncSender<Result<(), Error>>>>,
    /// Until a thread takes it.
    pub(super) spool: ForkMutex<Option<Arc<Spool<E::Item>>>>,
    /// Of the spool.
    lock: ForkMutex<Option<SpoolLock>>,
}

/// A receiver that is away from the beginning says little.
const MAX_EARLY: usize = 64;
/// How long a handler waits for the spool of one that ends before it says so.
const HELD_FOR_LONG: Duration = Duration::from_secs(10);

impl<E: Export> BatchJob<E> {
    pub(super) fn new(export: E, config: BatchConfig) -> Self {
        Self {
            export,
            config,
            ledger: OnceLock::new(),
            early: ForkMutex::default(),
            refused: ForkMutex::default(),
            lost: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            last_failure: ForkMutex::default(),
            connected: ForkMutex::default(),
            spool: ForkMutex::default(),
            lock: ForkMutex::default(),
        }
    }

    pub(super) fn open_spool(&self) -> Result<(), Error> {
        let Some(options) = self.config.spool.as_ref().filter(|spool| !spool.will_be_free()) else { return Ok(()) };
        let (segments, lock) = Segments::open(&self.config.output, options)?;
        *self.lock.get() = Some(lock);
        *self.spool.get() = Some(Arc::new(Spool::new(segments)));
        Ok(())
    }

    /// Waits while another handler of this process has it.
    pub(super) fn take_spool(&self, wait: impl Fn() -> bool) -> Option<Arc<Spool<E::Item>>> {
        let is_held = || self.config.spool.as_ref().is_some_and(SpoolOptions::will_be_free);
        let mut spool = self.spool.get().take();
        if spool.is_none() && is_held() {
            self.is_connected(Ok(()));
            let mut report_at = Some(Instant::now() + HELD_FOR_LONG);
            while is_held() && wait() {
                if report_at.is_some_and(|at| at <= Instant::now()) {
                    report_at = None;
                    let BatchConfig { output, spool, .. } = &self.config;
                    let directory = spool.as_ref().map(|spool| spool.directory.display());
                    let directory = directory.map(|directory| directory.to_string()).unwrap_or_default();
                    self.report(
                        Error::new(format_args!(
                            "{output}: spool: nothing is sent: another handler of this process still has {directory}"
                        )),
                        0,
                    );
                }
            }
            if let Err(error) = self.open_spool() {
                self.report(error, 0);
            }
            spool = self.spool.get().take();
        }
        spool
    }

    /// Another handler may use the spool.
    pub(super) fn unlock(&self) {
        let lock = self.lock.get().take();
        if let Some(lock) = lock {
            lock.release();
        }
    }

    /// In the child of a fork: it is the parent's.
    pub(super) fn forget_spool(&self) {
        drop((self.lock.get().take(), self.spool.get().take()));
    }

    /// The client is made and dropped on the thread that sends: a runtime of tokio must not be dropped on a thread of another
    /// one.
    pub(super) fn connect(&self) -> Option<E::Client> {
        let (client, result) = match self.export.connect() {
            Ok(client) => (Some(client), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.is_connected(result);
        client
    }

    pub(super) fn is_connected(&self, result: Result<(), Error>) {
        let connected = self.connected.get().take();
        match (connected, result) {
            (Some(connected), result) => connected.send(result).unwrap_or_default(),
            (None, Err(error)) => self.report(error, 0),
            (None, Ok(())) => {}
        }
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        // A ledger of its own, if no item has come yet.
        self.ledger.get_or_init(|| Ledger::unlisted(self.config.what))
    }

    pub(super) fn no_thread(&self, error: std::io::Error) -> Error {
        Error::with_source(format_args!("{}: cannot start the thread that sends", self.config.output), error)
    }

    pub(super) fn note_failure(&self, error: Option<&Error>) {
        *self.last_failure.get() = error.map(Error::to_string);
    }

    // --- what became of items

    /// Fails the first `count`. Of those that are on disk the receipts have ended.
    pub(super) fn fail(&self, receipts: &mut Receipts, count: usize, error: Error, stored: Option<Stored>) {
        self.note_failure(Some(&error));
        match stored {
            None => receipts.fail(count, error),
            Some(stored) => {
                receipts.end(count, End::Written);
                if stored.is_earlier {
                    return self.report(error, count);
                }
                self.report(error, 0);
                self.reclassify(count);
            }
        }
    }

    /// What was refused counted as written; or will in a moment, when the thread that stored it has ended its receipts.
    fn reclassify(&self, refused: usize) {
        let Some(ledger) = self.ledger.get() else { return };
        let mut owed = self.refused.get();
        *owed += refused as u64;
        if *owed > 0 {
            *owed -= ledger.reclassify_failed(*owed);
        }
    }

    /// At the end: what counted as written elsewhere, by another handler that has this output.
    pub(super) fn fail_rest(&self) {
        let left = std::mem::take(&mut *self.refused.get());
        if left > 0 {
            let BatchConfig { output, what, .. } = &self.config;
            self.report(
                Error::new(format_args!("{output}: {left} {what} out of the spool were refused")),
                left as usize,
            );
        }
    }

    pub(super) fn tell(&self, told: &mut Told) {
        told.end();
        self.reclassify(0);
        self.abandoned.fetch_add(told.dropped, Ordering::Relaxed);
        if let Some(error) = told.stuck.take() {
            self.report(error, 0);
        }
        told.damage.drain(..).for_each(|damage| self.report(damage.error, damage.entries));
    }

    /// An error, and how many records out of the spool it lost that this account does not know.
    pub(super) fn report(&self, error: Error, lost: usize) {
        let Some(ledger) = self.ledger.get() else {
            let mut early = self.early.get();
            if early.len() < MAX_EARLY {
                early.push((error, lost));
            } else if let Some((_, before)) = early.last_mut() {
                *before += lost;
            }
            return;
        };
        report_to(ledger, error, lost);
    }

    /// Tells what happened before a ledger was known.
    pub(super) fn report_early(&self) {
        if let Some(ledger) = self.ledger.get() {
            let early = std::mem::take(&mut *self.early.get());
            early.into_iter().for_each(|(error, lost)| report_to(ledger, error, lost));
        }
    }
}

fn report_to(ledger: &Ledger, error: Error, lost: usize) {
    if lost == 0 {
        return ledger.report_error(&error);
    }
    let mut receipts = Receipts::default();
    (0..lost).for_each(|_| receipts.push(Receipt::on(Some(ledger.counters()))));
    receipts.fail(receipts.len(), error);
}
