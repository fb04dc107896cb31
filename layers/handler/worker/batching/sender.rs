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
    Answer, Attempt, BatchConfig, BatchItem, Batchable, Export, Verdict,
    retry::Retries,
};
use crate::{
    Error,
    fork::ForkMutex,
    ledger::{End, Ledger, Receipt, Receipts},
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
            let (batch, bytes, has_notice) = (Vec::new(), 0, false);
            let mut sender = Sender { job, channel, client, receiver, batch, receipts, bytes, has_notice };
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
    has_notice: bool,
}

impl<E: Export> Sender<'_, E> {
    fn work(&mut self) {
        let config = &self.job.config;
        while !self.is_abandoned() {
            match self.receiver.next(self.channel, config.max_batch - self.batch.len()) {
                Task::Handle => {
                    while !self.is_abandoned() {
                        let Some(item) = self.receiver.pop() else { break };
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
        let held = Capacity { records: self.batch.len(), bytes: mem::take(&mut self.bytes) };
        let lost = self.job.lost.swap(0, Ordering::Relaxed);
        let notice = (lost > 0).then(|| Batchable::loss_notice(&self.job.config.output, lost)).flatten();
        if let Some(notice) = notice {
            self.batch.push(notice);
            self.receipts.push(Receipt::on(None));
            self.has_notice = true;
        }
        if let Err(panic) = catch(|| self.send_batch()) {
            self.batch.clear();
            self.receipts.fail(self.receipts.len(), panicked("export", &panic));
        }
        self.has_notice = false;
        self.job.in_flight.store(0, Ordering::Relaxed);
        self.channel.release(held, false);
    }

    /// In order. Where the receiver blames some of it, in parts: the last of `parts` is the length of the next one.
    fn send_batch(&mut self) {
        let mut parts = vec![self.batch.len()];
        let (mut retries, mut is_first) = (Retries::new(), true);
        while let Some(part) = parts.pop() {
            if !mem::take(&mut is_first) && self.is_abandoned() {
                return self.abandon();
            }
            self.job.in_flight.store(self.unsent(), Ordering::Relaxed);
            let attempt = Attempt { number: retries.next_attempt(), deadline: self.channel.deadline() };
            let wait = match self.job.export.send(&mut self.client, &self.batch[..part], &attempt) {
                Answer::Split(_) if part > 1 => {
                    parts.extend([part / 2, part - part / 2]);
                    continue;
                }
                Answer::Retry { after, error } => {
                    parts.push(part);
                    Some((after, error))
                }
                Answer::Each(verdicts) => self.end_each(part, verdicts).map(|(count, error)| {
                    parts.push(count);
                    if count < part {
                        retries.restart();
                    }
                    (None, error)
                }),
                answer => {
                    self.end_part(part, answer);
                    None
                }
            };
            let Some((after, error)) = wait else {
                retries.restart();
                continue;
            };
            if !self.wait_to_retry(&mut retries, after, error) {
                return;
            }
        }
    }

    /// Ends the first `part` records alike.
    fn end_part(&mut self, part: usize, answer: Answer) {
        self.batch.drain(..part);
        match answer {
            Answer::Refused(error) | Answer::Split(error) => self.fail(part, error),
            Answer::Partial { refused, error } => {
                let refused = refused.min(part);
                let BatchConfig { output, what, .. } = &self.job.config;
                let error = Error::with_source(
                    format_args!("{output}: the receiver rejected {refused} of {part} {what}"),
                    error,
                );
                if refused > 0 {
                    // Nobody knows which ones.
                    self.fail(refused, error);
                } else {
                    self.job.note_failure(Some(&error));
                    self.job.ledger().report_error(&error);
                }
                self.receipts.end(part - refused, End::Written);
            }
            _ => {
                self.job.note_failure(None);
                self.receipts.end(part, End::Written);
            }
        }
    }

    /// Ends each of the first `part` records as its verdict says. How many are to be sent again, and why.
    fn end_each(&mut self, part: usize, verdicts: Vec<Verdict>) -> Option<(usize, Error)> {
        let later = self.batch.split_off(part);
        let items = mem::replace(&mut self.batch, Vec::with_capacity(later.len()));
        let mut receipts = self.receipts.split(part);
        let others = mem::take(&mut self.receipts);
        let mut verdicts = verdicts.into_iter();
        let mut why = None;
        let mut last_ended = false;
        // Refusals and retries note theirs.
        self.job.note_failure(None);
        for item in items {
            let kept = self.batch.len();
            let receipt = receipts.split(1);
            match verdicts.next() {
                Some(Verdict::Accepted) => end(receipt, End::Written),
                Some(Verdict::Refused(error)) => {
                    self.job.note_failure(Some(&error));
                    fail(receipt, error);
                }
                again => {
                    let unknown = || Error::new("the receiver did not say what became of it");
                    why.get_or_insert(if let Some(Verdict::Retry(error)) = again { error } else { unknown() });
                    self.batch.push(item);
                    self.receipts.append(receipt);
                }
            }
            last_ended = self.batch.len() == kept;
        }
        // The notice is the last of all.
        self.has_notice &= !(last_ended && later.is_empty());
        let again = self.batch.len();
        self.batch.extend(later);
        self.receipts.append(others);
        why.map(|why| (again, why))
    }

    /// False if the batch is given up.
    fn wait_to_retry(&mut self, retries: &mut Retries, after: Option<Duration>, error: Error) -> bool {
        let (job, count) = (self.job, self.unsent());
        let BatchConfig { output, what, retry_for, .. } = &job.config;
        let wait = retries.next_wait(after);
        let spent = retries.began.elapsed();
        if spent.saturating_add(wait) > *retry_for {
            let text = format!("{output}: {count} {what} given up after {spent:.1?}");
            self.batch.clear();
            self.fail(self.receipts.len(), Error::with_source(text, error));
            return false;
        }
        job.note_failure(Some(&error));
        // Once for each batch.
        if !mem::replace(&mut retries.is_reported, true) {
            job.ledger().report_error(&error);
        }
        let goes_on = self.pause(wait);
        if !goes_on {
            self.abandon();
        }
        goes_on
    }

    /// Drops the batch on purpose, at the deadline of a shutdown.
    fn abandon(&mut self) {
        self.job.abandoned.fetch_add(self.unsent(), Ordering::Relaxed);
        self.batch.clear();
        self.receipts.end(self.receipts.len(), End::Dropped);
    }

    /// How many of the batch are left; a notice of losses, which is its last item, does not count.
    fn unsent(&self) -> usize {
        self.batch.len() - usize::from(self.has_notice)
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

fn end(mut receipt: Receipts, end: End) {
    receipt.end(1, end);
}

fn fail(mut receipt: Receipts, error: Error) {
    receipt.fail(1, error);
}
