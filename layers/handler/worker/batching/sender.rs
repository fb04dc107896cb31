//! The thread that gathers batches, and sends them unless another one does.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{Capacity, Channel, Job, LossCounter, Receiver, Task, Weighed, Worker},
    BatchItem, Batchable, Export,
    job::BatchJob,
    outbox::{Batch, Outbox, has_ended},
    spool::{Next, PATIENCE, Pressure, Spool, Told},
};
use crate::{
    ledger::{End, Receipt},
    record,
    unwind::{catch, panicked},
};

/// How often to look whether the spool of a handler that ends is free.
const TAKE_OVER: Duration = Duration::from_millis(5);
/// How much of that memory is kept.
const RETAINED: usize = 2 << 20;
/// The last part of the time of a shutdown is for the disk.
const RESERVE: Duration = Duration::from_millis(250);

impl<E: Export> LossCounter<BatchItem<E::Item>> for BatchJob<E> {
    fn count_loss(&self, _: &BatchItem<E::Item>) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl<E: Export> Job for BatchJob<E> {
    type Item = BatchItem<E::Item>;

    fn run(worker: &Arc<Worker<Self>>, channel: &Channel<Self::Item>) {
        let job = &worker.job;
        let wait = || {
            channel.notifier().park(TAKE_OVER);
            !has_ended(channel)
        };
        if let Some(spool) = job.take_spool(wait) {
            start_sending(worker, &spool);
            Sender::run(job, channel, Way::Spool(spool));
        } else if let Some(client) = job.connect() {
            Sender::run(job, channel, Way::Direct(Outbox::new(job, channel, client, None)));
        }
        channel.end(None, job);
    }

    fn restarts(worker: &Worker<Self>) -> bool {
        worker.job.lost.store(0, Ordering::Relaxed);
        worker.job.forget_spool();
        !worker.is_shut()
    }

    fn restart_failed(&self, _: &Worker<Self>, error: std::io::Error) {
        self.ledger().report_error(&self.no_thread(error));
    }
}

/// Where gathered batches go.
enum Way<'a, E: Export> {
    /// To the receiver, on this thread.
    Direct(Outbox<'a, E>),
    /// To another thread that sends, or to the disk.
    Spool(Arc<Spool<E::Item>>),
}

struct Sender<'a, E: Export> {
    job: &'a BatchJob<E>,
    channel: &'a Channel<BatchItem<E::Item>>,
    receiver: Receiver<BatchItem<E::Item>>,
    batch: Batch<E::Item>,
    bytes: usize,
    /// Memory for what goes to the disk.
    entries: Vec<u8>,
    way: Way<'a, E>,
}

impl<'a, E: Export> Sender<'a, E> {
    fn run(job: &'a BatchJob<E>, channel: &'a Channel<BatchItem<E::Item>>, way: Way<'a, E>) {
        let (receiver, batch, entries) = (Receiver::new(), Batch::default(), Vec::new());
        let mut sender = Self { job, channel, receiver, batch, bytes: 0, entries, way };
        if let Err(panic) = catch(|| sender.work()) {
            job.report(panicked("export", &panic), 0);
        }
        sender.discard_rest();
    }

    fn work(&mut self) {
        let config = &self.job.config;
        while !has_ended(self.channel) {
            match self.receiver.next(self.channel, config.max_batch - self.batch.items.len()) {
                Task::Handle => {
                    while !has_ended(self.channel) {
                        let Some(item) = self.receiver.pop() else { break };
                        self.add(item);
                    }
                }
                Task::Idle => {}
                Task::Timer => self.send(),
                Task::Flush(request) => {
                    self.send();
                    self.settle(PATIENCE, pressure);
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
        if self.batch.items.is_empty() {
            self.receiver.timer = Instant::now().checked_add(config.delay);
        }
        self.bytes += bytes;
        self.batch.items.push(item);
        self.batch.receipts.push(receipt);
        if self.batch.items.len() >= config.max_batch {
            self.send();
        }
    }

    /// Sends what is gathered, or hands it over.
    fn send(&mut self) {
        self.receiver.timer = None;
        self.job.report_early();
        if self.batch.items.is_empty() {
            return;
        }
        let held = Capacity { records: self.batch.items.len(), bytes: mem::take(&mut self.bytes) };
        let lost = self.job.lost.swap(0, Ordering::Relaxed);
        let notice = (lost > 0).then(|| Batchable::loss_notice(&self.job.config.output, lost)).flatten();
        if let Some(notice) = notice {
            self.batch.items.push(notice);
            self.batch.receipts.push(Receipt::on(None));
            self.batch.has_notice = true;
        }
        match &mut self.way {
            Way::Direct(outbox) => {
                mem::swap(&mut outbox.batch, &mut self.batch);
                outbox.send();
                mem::swap(&mut outbox.batch, &mut self.batch);
            }
            Way::Spool(spool) => {
                self.batch.items.iter_mut().for_each(|item| item.identify(spool.id()));
                let mut is_done = false;
                while !is_done {
                    let mut told = Told::default();
                    is_done = spool.give(&mut self.batch, &mut self.entries, || pressure(self.channel), &mut told);
                    self.job.tell(&mut told);
                }
                self.entries.shrink_to(RETAINED);
            }
        }
        self.channel.release(held, false);
    }

    /// With a spool: what was handed over is sent, or on the disk.
    fn settle(&self, patience: Duration, pressure: fn(&Channel<BatchItem<E::Item>>) -> Pressure) {
        let Way::Spool(spool) = &self.way else { return };
        let until = Instant::now() + patience;
        let mut is_done = false;
        while !is_done {
            let mut told = Told::default();
            is_done = spool.settle(until, || pressure(self.channel), &mut told);
            self.job.tell(&mut told);
        }
    }

    fn discard_rest(&mut self) {
        if let Way::Spool(_) = self.way {
            return self.store_rest();
        }
        self.job.abandoned.fetch_add(self.channel.snapshot().held.records, Ordering::Relaxed);
        self.batch.clear();
        self.batch.receipts.end(self.batch.receipts.len(), End::Dropped);
        std::iter::from_fn(|| self.receiver.pop()).for_each(Weighed::discard);
    }

    /// All that is at hand goes to the disk. While the receiver takes it, it is sent, but for the last part of the time.
    fn store_rest(&mut self) {
        while let Some(item) = self.receiver.pop() {
            self.add(item);
        }
        self.send();
        let left = self.channel.deadline().map(|at| at.saturating_duration_since(Instant::now())).unwrap_or_default();
        self.settle(left - (left / 4).min(RESERVE), |channel| match has_ended(channel) {
            true => Pressure::Over,
            false => Pressure::None,
        });
        let Way::Spool(spool) = &self.way else { return };
        let mut told = Told::default();
        spool.close(&mut told);
        // Before the time of the shutdown is up: another handler may be built for it at once.
        self.job.unlock();
        self.job.tell(&mut told);
        // If no item has come, to a ledger of its own.
        self.job.ledger();
        self.job.fail_rest();
        self.job.report_early();
    }
}

/// How the queue is while a batch waits for the receiver.
fn pressure<T: Weighed>(channel: &Channel<T>) -> Pressure {
    let held = channel.snapshot().held;
    let is_filling = held.records > channel.limits.records / 4 || held.bytes > channel.limits.bytes / 4;
    let left = channel.deadline().map(|at| at.saturating_duration_since(Instant::now()));
    match has_ended(channel) {
        true => Pressure::Over,
        false if is_filling || left.is_some_and(|left| left < RESERVE) => Pressure::High,
        false => Pressure::None,
    }
}

/// Starts the thread that sends, beside the one that gathers. It may outlive that: an attempt may hang.
fn start_sending<E: Export>(worker: &Arc<Worker<BatchJob<E>>>, spool: &Arc<Spool<E::Item>>) {
    let (of_thread, spool, channel) = (Arc::clone(worker), Arc::clone(spool), worker.channel());
    let work = move || {
        record::silence_this_thread();
        let job = &of_thread.job;
        let Some(client) = job.connect() else { return };
        let mut outbox = Outbox::new(job, &channel, client, Some(Arc::clone(&spool)));
        if let Err(panic) = catch(|| send_all(&mut outbox, &spool)) {
            job.report(panicked("export", &panic), 0);
        }
    };
    let name = format!("{}-send", worker.job.config.thread.replace('\0', ""));
    if let Err(error) = thread::Builder::new().name(name).spawn(work) {
        worker.job.is_connected(Err(worker.job.no_thread(error)));
    }
}

fn send_all<E: Export>(outbox: &mut Outbox<'_, E>, spool: &Spool<E::Item>) {
    let (job, config) = (outbox.job, &outbox.job.config);
    loop {
        let mut told = Told::default();
        match spool.next(config.max_batch, config.batch_bytes.max(1), &mut told) {
            Next::Batch(batch, stored) => {
                (outbox.batch, outbox.stored) = (batch, stored);
                job.tell(&mut told);
                outbox.send();
                spool.done(outbox.stored.take(), &mut told);
            }
            Next::Again => {}
            Next::End => return,
        }
        job.tell(&mut told);
    }
}
