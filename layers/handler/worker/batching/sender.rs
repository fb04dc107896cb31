//! The thread that sends batches.

use std::{
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};

use super::{
    super::{Capacity, Channel, Job, LossCounter, Receiver, Task, Weighed, Worker, state::Phase},
    Answer, BatchConfig, BatchItem, Export,
    retry::RetryDelay,
};
use crate::{
    Error,
    fork::ForkMutex,
    ledger::{End, Ledger, Receipts},
    unwind::{catch, panicked},
};

/// The job of a worker that sends batches.
pub(super) struct BatchJob<E> {
    export: E,
    pub(super) config: BatchConfig,
    /// The ledger of the first handler that an item comes from.
    pub(super) ledger: OnceLock<Arc<Ledger>>,
    /// Losses that are not reported in-band yet.
    lost: AtomicU64,
    pub(super) in_flight: AtomicUsize,
    /// Dropped at the deadline of a shutdown.
    pub(super) abandoned: AtomicUsize,
    pub(super) last_failure: ForkMutex<Option<String>>,
    /// Gets the result of the connect.
    pub(super) connected: ForkMutex<Option<SyncSender<Result<(), Error>>>>,
}

impl<E: Export> LossCounter<BatchItem<E::Item>> for BatchJob<E> {
    fn count_loss(&self, _: &BatchItem<E::Item>) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl<E: Export> Job for BatchJob<E> {
    type Item = BatchItem<E::Item>;

    fn run(worker: &Arc<Worker<Self>>, channel: &Channel<Self::Item>) {
        let job = &worker.job;
        // The client is made and dropped on this thread: a runtime of tokio must not be dropped on a thread of another
        // one.
        let (client, error) = match job.export.connect() {
            Ok(client) => (Some(client), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let connected = job.connected.get().take();
        match (connected, error) {
            (Some(connected), result) => connected.send(result).unwrap_or_default(),
            (None, Err(error)) => job.ledger().report_error(&error),
            (None, Ok(())) => {}
        }
        if let Some(client) = client {
            let (receiver, receipts) = (Receiver::new(), Receipts::default());
            let mut sender = Sender { job, channel, client, receiver, batch: Vec::new(), receipts, bytes: 0 };
            if let Err(panic) = catch(|| sender.work()) {
                job.ledger().report_error(&panicked("export", &panic));
            }
            sender.discard_rest();
        }
        channel.end(None, job);
    }

    fn restarts(worker: &Worker<Self>) -> bool {
        worker.job.lost.store(0, Ordering::Relaxed);
        !worker.is_shut()
    }

    fn restart_failed(&self, _: &Worker<Self>, error: std::io::Error) {
        self.ledger().report_error(&self.no_thread(error));
    }
}

impl<E> BatchJob<E> {
    pub(super) fn new(export: E, config: BatchConfig) -> Self {
        Self {
            export,
            config,
            ledger: OnceLock::new(),
            lost: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            last_failure: ForkMutex::default(),
            connected: ForkMutex::default(),
        }
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        // A ledger of its own, if no item has come yet.
        self.ledger.get_or_init(|| Ledger::unlisted(self.config.what))
    }

    pub(super) fn no_thread(&self, error: std::io::Error) -> Error {
        Error::with_source(format_args!("{}: cannot start the thread that sends", self.config.output), error)
    }

    fn note_failure(&self, error: Option<&Error>) {
        *self.last_failure.get() = error.map(Error::to_string);
    }
}

struct Sender<'a, E: Export> {
    job: &'a BatchJob<E>,
    channel: &'a Channel<BatchItem<E::Item>>,
    client: E::Client,
    receiver: Receiver<BatchItem<E::Item>>,
    batch: Vec<E::Item>,
    receipts: Receipts,
    bytes: usize,
}

impl<E: Export> Sender<'_, E> {
    fn work(&mut self) {
        let config = &self.job.config;
        while !self.is_abandoned() {
            match self.receiver.next(self.channel, config.max_batch - self.batch.len()) {
                Task::Handle => {
                    while !self.is_abandoned()
                        && let Some(item) = self.receiver.pop()
                    {
                        self.add(item);
                    }
                }
                Task::Idle => {}
                Task::Timer => self.send(),
                Task::Flush(request) => {
                    self.send();
                    self.channel.flushed(request.ticket, None);
                }
                Task::End => return self.send(),
            }
        }
    }

    fn add(&mut self, BatchItem { item, bytes, receipt }: BatchItem<E::Item>) {
        let config = &self.job.config;
        if self.bytes + bytes > config.batch_bytes {
            self.send();
        }
        if self.batch.is_empty() {
            self.receiver.timer = Instant::now().checked_add(config.delay);
        }
        self.bytes += bytes;
        self.batch.push(item);
        self.receipts.push(receipt);
        if self.batch.len() >= config.max_batch {
            self.send();
        }
    }

    /// Sends the batch, with retries, and ends its receipts.
    fn send(&mut self) {
        self.receiver.timer = None;
        if self.batch.is_empty() {
            return;
        }
        let (job, count) = (self.job, self.batch.len());
        job.in_flight.store(count, Ordering::Relaxed);
        let batch = mem::take(&mut self.batch);
        if let Err(panic) = catch(|| self.send_batch(batch)) {
            self.receipts.fail(count, panicked("export", &panic));
        }
        job.in_flight.store(0, Ordering::Relaxed);
        self.channel.release(Capacity { records: count, bytes: mem::take(&mut self.bytes) }, false);
    }

    fn send_batch(&mut self, batch: Vec<E::Item>) {
        let (job, count) = (self.job, batch.len());
        let BatchConfig { output, what, retry_for, .. } = job.config;
        let request = job.export.encode(&batch, job.lost.swap(0, Ordering::Relaxed));
        drop(batch);
        let began = Instant::now();
        let mut delay = RetryDelay::new();
        loop {
            let left = self.channel.deadline().map(|at| at.saturating_duration_since(Instant::now()));
            let (after, error) = match job.export.send(&mut self.client, &request, left) {
                Answer::Accepted { rejected, message } => return self.accepted(rejected, &message),
                Answer::Refused(error) => return self.fail(count, error),
                Answer::Retryable { after, error } => (after, error),
            };
            let wait = after.unwrap_or_else(|| delay.next());
            let spent = began.elapsed();
            if spent.saturating_add(wait) > retry_for {
                let text = format_args!("{output}: {count} {what} given up after {spent:.1?}");
                return self.fail(count, Error::with_source(text, error));
            }
            job.note_failure(Some(&error));
            // Once for each batch.
            if !mem::replace(&mut delay.is_reported, true) {
                job.ledger().report_error(&error);
            }
            if !self.pause(wait) {
                // Dropped on purpose, at the deadline of a shutdown.
                job.abandoned.fetch_add(count, Ordering::Relaxed);
                return self.receipts.end(count, End::Dropped);
            }
        }
    }

    fn accepted(&mut self, rejected: u64, message: &str) {
        let count = self.receipts.len();
        let rejected = usize::try_from(rejected).unwrap_or(count).min(count);
        // The collector does not say which ones.
        self.receipts.end(count - rejected, End::Written);
        self.job.note_failure(None);
        if rejected > 0 || !message.is_empty() {
            let BatchConfig { output, what, .. } = self.job.config;
            let error =
                Error::new(format_args!("{output}: the collector rejected {rejected} of {count} {what}: {message:?}"));
            if rejected > 0 {
                return self.fail(rejected, error);
            }
            self.job.note_failure(Some(&error));
            self.job.ledger().report_error(&error);
        }
    }

    fn fail(&mut self, count: usize, error: Error) {
        self.job.note_failure(Some(&error));
        self.receipts.fail(count, error);
    }

    /// False if the deadline of a shutdown comes first.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            if self.is_abandoned() {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let at = self.channel.deadline().map_or(until, |at| at.min(until));
            self.channel.notifier().park(at.saturating_duration_since(now));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.channel.commands().0 == Phase::Abandoned || self.channel.deadline().is_some_and(|at| at <= Instant::now())
    }

    fn discard_rest(&mut self) {
        self.job.abandoned.fetch_add(self.channel.snapshot().held.records, Ordering::Relaxed);
        self.batch.clear();
        self.receipts.end(self.receipts.len(), End::Dropped);
        std::iter::from_fn(|| self.receiver.pop()).for_each(Weighed::discard);
    }
}
