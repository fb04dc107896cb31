//! What the thread of a queue does: it takes records out and passes them to the handler, flushes and reports.

use std::{
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::{core::Core, counters::UnreportedLosses, item::Item};
use crate::{
    Error, Flush, Handler, Outcome, OwnedDelivery, Record, Severity,
    format::Time,
    handler::worker::{
        Capacity, Channel, Command, LossCounter as _, Receiver, Task, Weighed as _, deferred::DeferredWrites,
    },
    ledger::End,
    record::{self, OwnedRecord},
    unwind::{PanicPayload, catch, panicked},
};

/// The target of the queue's own records.
const TARGET: &str = "tracing_strata::queue";
/// The most records the worker takes from a shard at once. Fewer if they take long, as taken records can no longer be
/// evicted.
const MAX_BATCH: usize = 256;
/// How long a batch may take before the next one is smaller.
const SLOW_BATCH: Duration = Duration::from_millis(10);
/// How many records are handled before their capacity is released, and how long that may take before they are fewer.
const STEP: usize = 32;
const SLOW_STEP: Duration = Duration::from_millis(1);
/// The shortest time between two notices of losses.
const NOTICE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(core: &Arc<Core>, channel: &Channel<Item>) {
    let error = core.handler().and_then(|handler| work(core, channel, handler));
    core.drop_handler();
    core.report_remaining();
    // Nobody waits for a worker that has ended.
    channel.end(error, &core.job);
    core.utilization().end_work(Instant::now);
}

/// Returns the error of the final flush.
fn work(core: &Core, channel: &Channel<Item>, handler: Arc<dyn Handler>) -> Option<String> {
    let mut consumer = Consumer {
        core,
        handler,
        channel,
        receiver: Receiver::new(),
        done: Vec::new(),
        late: Vec::new(),
        deferred: DeferredWrites::new(),
        step: 1,
        last_notice: None,
        notice_due_after: None,
    };
    let result = catch(|| {
        consumer.schedule_report();
        consumer.work();
        // The error handler has it, and a shutdown returns it.
        consumer.flush(Command::Last).err().map(|error| error.to_string())
    });
    result.unwrap_or_else(|panic| {
        consumer.clean_up(&panic);
        None
    })
}

struct Consumer<'a> {
    core: &'a Core,
    handler: Arc<dyn Handler>,
    channel: &'a Channel<Item>,
    receiver: Receiver<Item>,
    /// Handled records, whose memory is reused.
    done: Vec<OwnedRecord>,
    /// Those of them that a handler still uses, until the next step.
    late: Vec<OwnedRecord>,
    deferred: Rc<DeferredWrites>,
    step: usize,
    last_notice: Option<Instant>,
    /// A notice of losses comes before the first record after this time.
    notice_due_after: Option<SystemTime>,
}

impl Consumer<'_> {
    fn work(&mut self) {
        // Half of the capacity at most: the other half can still be evicted.
        let limit = MAX_BATCH.min(self.core.capacity().div_ceil(2));
        let mut most = 1;
        loop {
            match self.receiver.next(self.channel, most) {
                Task::Handle => {
                    let began = Instant::now();
                    self.begin_batch();
                    if !self.handle_all() {
                        return;
                    }
                    let was_long = began.elapsed() > SLOW_BATCH;
                    most = if was_long { most / 2 } else { most * 2 }.clamp(1, limit);
                }
                Task::Idle => {
                    self.send_notice();
                    self.deferred.write_all();
                    self.core.utilization().end_work(Instant::now);
                }
                Task::Flush(request) => {
                    let result = self.flush(request.command);
                    self.channel.flushed(request.ticket, result.err().map(|error| error.to_string()));
                }
                Task::Timer => self.report(),
                Task::End => return,
            }
        }
    }

    fn begin_batch(&mut self) {
        let may_notify = self.last_notice.is_none_or(|reported| reported.elapsed() >= NOTICE_INTERVAL);
        self.notice_due_after = if may_notify { self.core.counters().unreported_since() } else { None };
        let mut utilization = self.core.utilization();
        utilization.begin_work(Instant::now);
        utilization.observe(self.receiver.high_water);
        utilization.oldest_in_hand = self.receiver.oldest();
    }

    /// Releases capacity step by step. False if the deadline of a shutdown has passed.
    fn handle_all(&mut self) -> bool {
        loop {
            let began = Instant::now();
            let mut room = Capacity::default();
            while room.records < self.step {
                let Some(item) = self.receiver.pop() else { break };
                if self.notice_due_after.is_some_and(|after| item.time() > after) {
                    self.notice_due_after = None;
                    self.send_notice();
                }
                room.add(Capacity::one(item.bytes()));
                let (outcome, record) = item.delivery.pass_on_deferred(Some(&self.deferred), &*self.handler);
                if outcome == Some(Outcome::Queued) {
                    self.core.job.handler_holds.store(true, Ordering::Relaxed);
                }
                self.done.push(record);
            }
            record::recycle_all(&mut self.done, &mut self.late);
            let is_empty = self.receiver.len() == 0;
            if is_empty || began.elapsed() > SLOW_STEP {
                // Includes what came meanwhile.
                let held = self.channel.snapshot().held;
                self.core.utilization().observe(held);
            }
            let is_slow = began.elapsed() > SLOW_STEP;
            let goes_on = self.channel.release(room, is_slow);
            if is_empty || !goes_on || is_slow {
                self.core.utilization().oldest_in_hand = self.receiver.oldest();
            }
            if !goes_on {
                self.discard_rest();
                return false;
            }
            if is_empty {
                return true;
            }
            self.step = if is_slow { 1 } else { (self.step * 2).min(STEP) };
        }
    }

    /// After an unexpected panic: balances the ledger, and flushes the handler.
    #[cold]
    fn clean_up(&mut self, panic: &PanicPayload) {
        let core = self.core;
        core.set_panicked(panic);
        self.discard_rest();
        self.channel.end(None, &core.job);
        // The record at hand, and those done in the same step.
        self.channel.release(self.channel.snapshot().held, true);
        core.utilization().oldest_in_hand = None;
        core.report_panic();
        let finish = || {
            self.deferred.write_all();
            self.handler.flush(&Flush::LAST)
        };
        if let Err(error) = catch(finish).unwrap_or_else(|panic| Err(panicked("finish", &panic))) {
            core.ledger().report_error(&error);
        }
    }

    /// Discards what is left of a batch.
    fn discard_rest(&mut self) {
        while let Some(item) = self.receiver.pop() {
            self.core.job.count_loss(&item);
            self.channel.release(Capacity::one(item.bytes()), true);
            item.discard();
        }
    }

    fn flush(&mut self, command: Command) -> Result<(), Error> {
        self.core.utilization().begin_work(Instant::now);
        self.send_notice();
        self.deferred.write_all();
        let how = match command {
            Command::Barrier => Flush::BARRIER,
            Command::Flush => Flush::PLAIN,
            Command::Last => Flush::LAST,
        };
        let result = catch(|| self.handler.flush(&how)).unwrap_or_else(|panic| Err(panicked(how.verb(), &panic)));
        if let Err(error) = &result {
            self.core.ledger().report_error(error);
        }
        self.core.utilization().end_work(Instant::now);
        result
    }

    fn schedule_report(&mut self) {
        self.receiver.timer = self.core.job.report_every.and_then(|interval| Instant::now().checked_add(interval));
    }

    fn report(&mut self) {
        let record = self.core.stats().to_record(TARGET, &self.core.name());
        self.core.utilization().begin_work(Instant::now);
        self.emit(record);
        self.deferred.write_all();
        self.core.utilization().end_work(Instant::now);
        // Not earlier: it may take longer than the interval.
        self.schedule_report();
    }

    fn send_notice(&mut self) {
        let Some(unreported) = self.core.counters().take_for_notice() else { return };
        self.last_notice = Some(Instant::now());
        let is_accepted = self.emit(notice(&self.core.name(), &unreported));
        self.core.counters().notice_ended(is_accepted);
    }

    /// A record of the queue's own, in the handler's format and on its ledger. Returns whether it was accepted.
    fn emit(&self, record: Record) -> bool {
        let known_ledger = self.core.counters().known_ledger();
        let notice = OwnedDelivery::internal(record, known_ledger);
        let (outcome, _) = notice.pass_on_deferred(Some(&self.deferred), &*self.handler);
        if known_ledger.is_none() {
            self.core.counters().count_early(Some(match outcome {
                Some(Outcome::Written | Outcome::Queued) => End::Written,
                Some(Outcome::Filtered) => End::Filtered,
                Some(Outcome::Dropped) => End::Dropped,
                None => End::Failed,
            }));
        }
        matches!(outcome, Some(Outcome::Written | Outcome::Queued))
    }
}

/// "12 records lost"
fn notice(queue: &str, unreported: &UnreportedLosses) -> Record {
    let lost = unreported.lost.total();
    let highest =
        unreported.lost.iter().rfind(|(_, count)| *count > 0).map_or(Severity::WARN, |(severity, _)| severity);
    let records = if lost == 1 { "record" } else { "records" };
    let mut record = Record::new(highest.max(Severity::WARN), TARGET, &format!("{lost} {records} lost"));
    record.set("queue", queue);
    unreported.lost.set_on(&mut record);
    if let Some((from, to)) = unreported.span {
        for (name, time) in [("from", from), ("to", to)] {
            let mut text = String::new();
            Time::utc().micros().write(time, &mut text);
            record.set(name, text.as_str());
        }
    }
    record
}
