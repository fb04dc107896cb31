//! The callers' side of a worker that sends batches.

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

use super::{
    super::{Command, Limits, Pending, WaitResult, Worker},
    BatchConfig, BatchItem, Export,
    job::BatchJob,
};
use crate::{
    Delivery, Error, Outcome,
    ledger::{Ledger, Receipt},
    record::OwnedRecord,
};

/// Clones are the same worker.
pub(crate) struct BatchWorker<E: Export>(Arc<Worker<BatchJob<E>>>);

impl<E: Export<Item = OwnedRecord>> BatchWorker<E> {
    /// Takes a record that a handler was given.
    #[inline]
    pub(crate) fn queue(&self, delivery: Delivery<'_>) -> Outcome {
        self.learn_ledger(|| delivery.ledger());
        let bytes = delivery.held_bytes();
        let (record, receipt) = delivery.take().split();
        self.put(record, bytes, receipt);
        Outcome::Queued
    }
}

impl<E: Export> Clone for BatchWorker<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Export> BatchWorker<E> {
    /// Its thread does not run before [`start`](Self::start).
    pub(crate) fn new(export: E, config: BatchConfig, flush_timeout: Duration) -> Self {
        let BatchConfig { capacity, max_bytes, overflow, .. } = config;
        let limits = Limits { capacity, max_bytes, overflow };
        let thread = config.thread.clone();
        Self(Worker::new(BatchJob::new(export, config), &thread, limits, flush_timeout))
    }

    /// Opens the spool, starts the thread, and waits until it has connected.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.0.job.open_spool()?;
        let (connected, is_connected) = mpsc::sync_channel(1);
        let job = &self.0.job;
        *job.connected.get() = Some(connected);
        self.0.start().map_err(|error| job.no_thread(error))?;
        let gone = |_| Error::new(format_args!("{}: the thread that sends ended at once", job.config.output));
        is_connected.recv().map_err(gone)?
    }

    /// Errors go to the ledger of the first handler that an item comes from.
    #[inline]
    pub(crate) fn learn_ledger(&self, ledger: impl FnOnce() -> Option<Arc<Ledger>>) {
        if self.0.job.ledger.get().is_none() {
            if let Some(ledger) = ledger() {
                self.0.job.ledger.get_or_init(|| ledger);
            }
        }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.0.job.ledger()
    }

    /// Drops the item where it does not fit, and after a shutdown.
    #[inline]
    pub(crate) fn put(&self, item: E::Item, bytes: usize, receipt: Receipt) {
        self.0.put(BatchItem { item, bytes, receipt });
    }

    /// Sends all earlier items without delay, and waits for it up to the flush timeout.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.begin_flush().wait(self.0.flush_timeout)
    }

    pub(crate) fn begin_flush(&self) -> PendingSend<'_, E> {
        PendingSend { worker: self, pending: self.0.begin_flush(Command::Flush, thread::current().id()) }
    }

    /// Accepts no more items, and sends the rest; what is left at the deadline is dropped.
    pub(crate) fn begin_shut_down(&self, deadline: Duration) -> PendingSend<'_, E> {
        PendingSend { worker: self, pending: self.0.begin_shut_down(deadline) }
    }

    /// Shuts down within the flush timeout, with nobody to return an error to.
    pub(crate) fn end(&self) {
        if let Err(error) = self.begin_shut_down(self.0.flush_timeout).wait(self.0.flush_timeout) {
            self.ledger().report_error(&error);
        }
    }
}

/// A flush or a shutdown that has begun.
pub(crate) struct PendingSend<'a, E: Export> {
    worker: &'a BatchWorker<E>,
    /// None on the worker's own thread, which cannot wait for itself.
    pending: Option<Pending<BatchJob<E>>>,
}

impl<E: Export> PendingSend<'_, E> {
    /// Waits until the deadline, counted from the beginning.
    pub(crate) fn wait(&self, deadline: Duration) -> Result<(), Error> {
        let (Some(pending), job) = (&self.pending, &self.worker.0.job) else { return Ok(()) };
        let mut unsent = if let WaitResult::Left(left) = pending.wait(deadline) { left } else { 0 };
        let is_shutdown = pending.is_shutdown();
        if is_shutdown {
            unsent = unsent.max(job.abandoned.load(Ordering::Relaxed));
        }
        if unsent == 0 {
            return Ok(());
        }
        let BatchConfig { output, what, .. } = &job.config;
        let (doing, in_flight) =
            (if is_shutdown { "shutdown" } else { "flush" }, job.in_flight.load(Ordering::Relaxed));
        let why = job.last_failure.get().as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        Err(Error::new(format_args!(
            "{output}: {doing}: {unsent} {what} not sent within {deadline:?}, {in_flight} of them on their way{why}"
        )))
    }
}
