//! The thread behind a queue.

use std::{
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::{
    core::Core,
    counters::{Item, UnreportedLosses},
};
use crate::{
    Error, Flush, Handler, Outcome, OwnedDelivery, Record, Severity,
    caught::{Caught, catch},
    format::Time,
    handler::{
        panicked,
        worker::{
            Capacity, Channel, Command, LossCounter as _, Receiver, Task, Weighed as _, deferred::DeferredWrites,
        },
    },
    ledger::End,
    record::{self, OwnedRecord},
};

/// Of the queue's own records.
const TARGET: &str = "tracing_strata::queue";
/// The most records the listener takes from a lane at once. Fewer if they take long: what it has can no longer be given up
/// for others.
const MAX_BATCH: usize = 256;
/// How long a batch may take before the next one is smaller.
const SLOW_BATCH: Duration = Duration::from_millis(10);
/// How many records are handled before their room is given back, and how long that may take before they are fewer.
const STEP: usize = 32;
const SLOW_STEP: Duration = Duration::from_millis(1);
/// How often losses are told while there are always more.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(core: &Arc<Core>, channel: &Channel<Item>) {
    let mut ends = Ends { core, channel, error: None };
    let Some(handler) = core.handler() else { return };
    let mut listener = Listener {
        core,
        handler,
        channel,
        receiver: Receiver::new(),
        done: Vec::new(),
        late: Vec::new(),
        deferred: DeferredWrites::new(),
        step: 1,
        reported: None,
        report_losses_after: None,
    };
    let lived = catch(|| {
        listener.report_later();
        listener.work();
        // The trap was told, and who shuts down will be.
        listener.flush(Command::Last).err().map(|error| error.to_string())
    });
    match lived {
        Ok(error) => ends.error = error,
        Err(panic) => listener.die(&panic),
    }
    drop(listener);
    core.drop_handler();
    core.report_remaining();
}

/// Whatever happens, nobody waits for a listener that is gone.
struct Ends<'a> {
    core: &'a Core,
    channel: &'a Channel<Item>,
    /// Of the last flush.
    error: Option<String>,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.channel.end(self.error.take(), &self.core.job);
        self.core.utilization().end_work(Instant::now);
    }
}

struct Listener<'a> {
    core: &'a Core,
    handler: Arc<dyn Handler>,
    channel: &'a Channel<Item>,
    receiver: Receiver<Item>,
    /// Handled, with memory to be used again.
    done: Vec<OwnedRecord>,
    late: Vec<OwnedRecord>,
    /// Outputs that hold what they were given.
    deferred: Rc<DeferredWrites>,
    step: usize,
    /// When losses were told.
    reported: Option<Instant>,
    /// Losses are to be told before the first record after this time.
    report_losses_after: Option<SystemTime>,
}

impl Listener<'_> {
    fn work(&mut self) {
        // Half of what fits at most: the other half can still be given up.
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
                    self.report_losses();
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
        let may_tell = self.reported.is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL);
        self.report_losses_after = if may_tell { self.core.counters().unreported_since() } else { None };
        let mut utilization = self.core.utilization();
        utilization.begin_work(Instant::now);
        utilization.observe(self.receiver.high_water);
        utilization.oldest_in_hand = self.receiver.oldest();
    }

    /// Step by step: what is done makes room. False if time is up.
    fn handle_all(&mut self) -> bool {
        loop {
            let began = Instant::now();
            let mut room = Capacity::default();
            while room.records < self.step
                && let Some(item) = self.receiver.pop()
            {
                if self.report_losses_after.is_some_and(|after| item.time() > after) {
                    self.report_losses_after = None;
                    self.report_losses();
                }
                room.add(Capacity::one(item.bytes()));
                let (outcome, record) = item.delivery.pass_on_deferred(Some(&self.deferred), &*self.handler);
                if outcome == Some(Outcome::Queued) {
                    self.core.job.handler_holds.store(true, Ordering::Relaxed);
                }
                self.done.push(record);
            }
            record::give_back_all(&mut self.done, &mut self.late);
            let is_empty = self.receiver.len() == 0;
            if is_empty || began.elapsed() > SLOW_STEP {
                // What came while these were in hand.
                let held = self.channel.snapshot().held;
                self.core.utilization().observe(held);
            }
            let is_slow = began.elapsed() > SLOW_STEP;
            let goes_on = self.channel.release(room, is_slow);
            if is_empty || !goes_on || is_slow {
                self.core.utilization().oldest_in_hand = self.receiver.oldest();
            }
            if !goes_on {
                self.leave();
                return false;
            }
            if is_empty {
                return true;
            }
            self.step = if is_slow { 1 } else { (self.step * 2).min(STEP) };
        }
    }

    /// A panic that nobody reckoned with. The account is put in order, and what the handler has is brought to its place.
    #[cold]
    fn die(&mut self, panic: &Caught) {
        let core = self.core;
        core.set_panicked(panic);
        self.leave();
        self.channel.end(None, &core.job);
        // What was at work, and what was done in the same step.
        self.channel.release(self.channel.snapshot().held, true);
        core.utilization().oldest_in_hand = None;
        core.report_panic(core.counters().unreported_losses());
        let finish = || {
            self.deferred.write_all();
            self.handler.flush(&Flush::LAST)
        };
        if let Err(error) = catch(finish).unwrap_or_else(|panic| Err(panicked("finish", &panic))) {
            core.ledger().report_error(&error);
        }
    }

    /// Gives up what is left of a batch.
    fn leave(&mut self) {
        while let Some(item) = self.receiver.pop() {
            self.core.job.count_loss(&item);
            self.channel.release(Capacity::one(item.bytes()), true);
            item.discard();
        }
    }

    fn flush(&mut self, command: Command) -> Result<(), Error> {
        self.core.utilization().begin_work(Instant::now);
        self.report_losses();
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

    fn report_later(&mut self) {
        self.receiver.timer = self.core.job.report_every.and_then(|interval| Instant::now().checked_add(interval));
    }

    fn report(&mut self) {
        let record = self.core.stats().to_record(TARGET, &self.core.name());
        self.core.utilization().begin_work(Instant::now);
        self.emit(record);
        self.deferred.write_all();
        self.core.utilization().end_work(Instant::now);
        // Not before: it may take longer than the interval.
        self.report_later();
    }

    fn report_losses(&mut self) {
        let Some(unreported) = self.core.counters().take_unreported() else { return };
        self.reported = Some(Instant::now());
        let is_told = self.emit(notice(&self.core.name(), &unreported));
        self.core.counters().notice_handled(is_told);
    }

    /// A record of the queue's own, in the handler's own format and on its account.
    fn emit(&self, record: Record) -> bool {
        let known_ledger = self.core.counters().known_ledger();
        let notice = OwnedDelivery::internal(record, known_ledger);
        let (outcome, _) = notice.pass_on_deferred(Some(&self.deferred), &*self.handler);
        if known_ledger.is_none() {
            self.core.counters().count_early(match outcome {
                Some(Outcome::Written | Outcome::Queued) => End::Written,
                Some(Outcome::Filtered) => End::Filtered,
                Some(Outcome::Dropped) => End::Dropped,
                None => End::Failed,
            });
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
