//! One batch, from the first attempt to the end of its last receipt.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    super::{Channel, Weighed, state::Phase},
    Answer, Attempt, BatchConfig, BatchItem, Export, Verdict,
    job::BatchJob,
    retry::Retries,
    spool::{Spool, Stored, Told},
};
use crate::{
    Error,
    ledger::{End, Receipt, Receipts},
    unwind::{PanicPayload, catch, panicked},
};

/// Items and their receipts.
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    pub(super) receipts: Receipts,
    /// The last item says how many were lost.
    pub(super) has_notice: bool,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { items: Vec::new(), receipts: Receipts::default(), has_notice: false }
    }
}

impl<T> Batch<T> {
    /// Receipts of what is stored have ended.
    pub(super) fn spooled(items: Vec<T>) -> Self {
        let mut receipts = Receipts::default();
        items.iter().for_each(|_| receipts.push(Receipt::on(None)));
        Self { items, receipts, has_notice: false }
    }

    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.has_notice = false;
    }
}

pub(super) struct Outbox<'a, E: Export> {
    pub(super) job: &'a BatchJob<E>,
    channel: &'a Channel<BatchItem<E::Item>>,
    client: E::Client,
    pub(super) batch: Batch<E::Item>,
    spool: Option<Arc<Spool<E::Item>>>,
    /// Where the batch is on the disk.
    pub(super) stored: Option<Stored>,
}

impl<'a, E: Export> Outbox<'a, E> {
    pub(super) fn new(
        job: &'a BatchJob<E>,
        channel: &'a Channel<BatchItem<E::Item>>,
        client: E::Client,
        spool: Option<Arc<Spool<E::Item>>>,
    ) -> Self {
        Self { job, channel, client, batch: Batch::default(), spool, stored: None }
    }

    /// Sends the batch, with retries, and ends its receipts.
    pub(super) fn send(&mut self) {
        if let Err(panic) = catch(|| self.send_batch()) {
            self.fail_all(&panic);
        }
        self.batch.has_notice = false;
        self.job.in_flight.store(0, Ordering::Relaxed);
    }

    fn fail_all(&mut self, panic: &PanicPayload) {
        self.batch.clear();
        self.fail(self.batch.receipts.len(), panicked("export", panic));
    }

    /// In order. Where the receiver blames some of it, in parts: the last of `parts` is the length of the next one.
    fn send_batch(&mut self) {
        let mut parts = vec![self.batch.items.len()];
        let (mut retries, mut is_first) = (Retries::new(), true);
        while let Some(part) = parts.pop() {
            if !mem::take(&mut is_first) && self.is_abandoned() {
                return self.abandon();
            }
            self.job.in_flight.store(self.unsent(), Ordering::Relaxed);
            let attempt = Attempt { number: retries.next_attempt(), deadline: self.channel.deadline() };
            let Some(answer) = self.attempt(part, &attempt) else { return };
            let wait = match answer {
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
        self.batch.items.drain(..part);
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
                    self.job.report(error, 0);
                }
                self.batch.receipts.end(part - refused, End::Written);
            }
            _ => {
                self.job.note_failure(None);
                self.batch.receipts.end(part, End::Written);
            }
        }
    }

    /// Ends each of the first `part` records as its verdict says. How many are to be sent again, and why.
    fn end_each(&mut self, part: usize, verdicts: Vec<Verdict>) -> Option<(usize, Error)> {
        let later = self.batch.items.split_off(part);
        let items = mem::replace(&mut self.batch.items, Vec::with_capacity(later.len()));
        let mut receipts = self.batch.receipts.split(part);
        let others = mem::take(&mut self.batch.receipts);
        let mut verdicts = verdicts.into_iter();
        let mut why = None;
        let mut last_ended = false;
        // Refusals and retries note theirs.
        self.job.note_failure(None);
        for item in items {
            let kept = self.batch.items.len();
            let mut receipt = receipts.split(1);
            match verdicts.next() {
                Some(Verdict::Accepted) => receipt.end(1, End::Written),
                Some(Verdict::Refused(error)) => self.job.fail(&mut receipt, 1, error, self.stored),
                again => {
                    let unknown = || Error::new("the receiver did not say what became of it");
                    why.get_or_insert(if let Some(Verdict::Retry(error)) = again { error } else { unknown() });
                    self.batch.items.push(item);
                    self.batch.receipts.append(receipt);
                }
            }
            last_ended = self.batch.items.len() == kept;
        }
        // The notice is the last of all.
        self.batch.has_notice &= !(last_ended && later.is_empty());
        let again = self.batch.items.len();
        self.batch.items.extend(later);
        self.batch.receipts.append(others);
        why.map(|why| (again, why))
    }

    /// False if the batch is given up.
    fn wait_to_retry(&mut self, retries: &mut Retries, after: Option<Duration>, error: Error) -> bool {
        let (job, count) = (self.job, self.unsent());
        let BatchConfig { output, what, retry_for, .. } = &job.config;
        let wait = retries.next_wait(after);
        let spent = retries.began.elapsed();
        if self.spool.is_none() && spent.saturating_add(wait) > *retry_for {
            let text = format!("{output}: {count} {what} given up after {spent:.1?}");
            self.batch.clear();
            self.fail(self.batch.receipts.len(), Error::with_source(text, error));
            return false;
        }
        self.store();
        job.note_failure(Some(&error));
        // Once for each batch.
        if !mem::replace(&mut retries.is_reported, true) {
            job.report(error, 0);
        }
        let goes_on = self.pause(wait);
        if !goes_on {
            self.abandon();
        }
        goes_on
    }

    /// Drops the batch on purpose, at the deadline of a shutdown. What is stored waits for the next start.
    fn abandon(&mut self) {
        if self.stored.is_none() {
            self.job.abandoned.fetch_add(self.unsent(), Ordering::Relaxed);
        }
        self.batch.clear();
        self.batch.receipts.end(self.batch.receipts.len(), End::Dropped);
    }

    /// How many of the batch are left; a notice of losses, which is its last item, does not count.
    fn unsent(&self) -> usize {
        self.batch.items.len() - usize::from(self.batch.has_notice)
    }

    fn fail(&mut self, count: usize, error: Error) {
        self.job.fail(&mut self.batch.receipts, count, error, self.stored);
    }

    // --- with a spool, where the batch may be stored while it is on its way

    /// `None` if the batch ended by a panic.
    fn attempt(&mut self, part: usize, attempt: &Attempt) -> Option<Answer> {
        let (Some(spool), None) = (&self.spool, self.stored) else {
            return Some(self.job.export.send(&mut self.client, &self.batch.items[..part], attempt));
        };
        let items = spool.lend(&mut self.batch);
        let answer = catch(|| self.job.export.send(&mut self.client, &items[..part], attempt));
        self.stored = spool.take_back(items, &mut self.batch);
        answer.map_err(|panic| self.fail_all(&panic)).ok()
    }

    fn store(&mut self) {
        if let (Some(spool), None) = (&self.spool, self.stored) {
            let mut told = Told::default();
            self.stored = spool.keep(&mut self.batch, &mut told);
            self.job.tell(&mut told);
            if self.stored.is_some() {
                spool.kept();
            }
        }
    }

    /// False if the deadline of a shutdown comes first.
    fn pause(&mut self, wait: Duration) -> bool {
        let Some(spool) = &self.spool else { return self.park(wait) };
        if self.stored.is_some() {
            return spool.pause(wait);
        }
        let items = spool.lend(&mut self.batch);
        let goes_on = spool.pause(wait);
        self.stored = spool.take_back(items, &mut self.batch);
        goes_on
    }

    fn park(&self, wait: Duration) -> bool {
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
        match &self.spool {
            Some(spool) => spool.is_closed(),
            None => has_ended(self.channel),
        }
    }
}

/// Whether the deadline of a shutdown has passed.
pub(super) fn has_ended<T: Weighed>(channel: &Channel<T>) -> bool {
    channel.commands().0 == Phase::Abandoned || channel.deadline().is_some_and(|at| at <= Instant::now())
}
