//! The thread behind a queue.

use std::{
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::{
    books::{Item, Untold},
    core::Core,
};
use crate::{
    Error, Flush, Handler, Outcome, OwnedDelivery, Record, Severity,
    format::Time,
    handler::{
        panicked,
        worker::{Hand, Load as _, Losses as _, Room, Taker, Task, Wish, batch::Batch},
    },
    ledger::End,
    record::{self, OwnedRecord},
    unwind::{PanicPayload, catch},
};

/// Of the queue's own records.
const TARGET: &str = "tracing_strata::queue";
/// The most records the listener takes from a lane at once. Fewer if they take long: what it has can no longer be given up
/// for others.
const MOST: usize = 256;
/// How long a batch may take before the next one is smaller.
const LONG: Duration = Duration::from_millis(10);
/// How many records are handled before their room is given back, and how long that may take before they are fewer.
const STEP: usize = 32;
const LONG_STEP: Duration = Duration::from_millis(1);
/// How often losses are told while there are always more.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(core: &Arc<Core>, hand: &Hand<Item>) {
    let mut ends = Ends { core, hand, error: None };
    let Some(handler) = core.handler() else { return };
    let mut listener = Listener {
        core,
        handler,
        hand,
        taker: Taker::new(),
        done: Vec::new(),
        late: Vec::new(),
        batch: Batch::new(),
        step: 1,
        told: None,
        tell_after: None,
    };
    let lived = catch(|| {
        listener.report_later();
        listener.work();
        // The trap was told, and who shuts down will be.
        listener.flush(Wish::Last).err().map(|error| error.to_string())
    });
    match lived {
        Ok(error) => ends.error = error,
        Err(panic) => listener.die(&panic),
    }
    drop(listener);
    core.let_go();
    core.tell_the_rest();
}

/// Whatever happens, nobody waits for a listener that is gone.
struct Ends<'a> {
    core: &'a Core,
    hand: &'a Hand<Item>,
    /// Of the last flush.
    error: Option<String>,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.hand.end(self.error.take(), &self.core.job);
        self.core.meter().end_work(Instant::now);
    }
}

struct Listener<'a> {
    core: &'a Core,
    handler: Arc<dyn Handler>,
    hand: &'a Hand<Item>,
    taker: Taker<Item>,
    /// Handled, with memory to be used again.
    done: Vec<OwnedRecord>,
    late: Vec<OwnedRecord>,
    /// Outputs that hold what they were given.
    batch: Rc<Batch>,
    step: usize,
    /// When losses were told.
    told: Option<Instant>,
    /// Losses are to be told before the first record after this time.
    tell_after: Option<SystemTime>,
}

impl Listener<'_> {
    fn work(&mut self) {
        // Half of what fits at most: the other half can still be given up.
        let limit = MOST.min(self.core.capacity().div_ceil(2));
        let mut most = 1;
        loop {
            match self.taker.next(self.hand, most) {
                Task::Handle => {
                    let began = Instant::now();
                    self.begin_batch();
                    if !self.handle_all() {
                        return;
                    }
                    let was_long = began.elapsed() > LONG;
                    most = if was_long { most / 2 } else { most * 2 }.clamp(1, limit);
                }
                Task::Rest => {
                    self.tell_losses();
                    self.batch.write_out();
                    self.core.meter().end_work(Instant::now);
                }
                Task::Flush(wanted) => {
                    let result = self.flush(wanted.wish);
                    self.hand.flushed(wanted.ticket, result.err().map(|error| error.to_string()));
                }
                Task::Timer => self.report(),
                Task::End => return,
            }
        }
    }

    fn begin_batch(&mut self) {
        let may_tell = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        self.tell_after = if may_tell { self.core.books().untold_since() } else { None };
        let mut meter = self.core.meter();
        meter.begin_work(Instant::now);
        meter.saw(self.taker.high_water);
        meter.oldest_in_hand = self.taker.oldest();
    }

    /// Step by step: what is done makes room. False if time is up.
    fn handle_all(&mut self) -> bool {
        loop {
            let began = Instant::now();
            let mut room = Room::default();
            while room.records < self.step
                && let Some(item) = self.taker.pop()
            {
                if self.tell_after.is_some_and(|after| item.time() > after) {
                    self.tell_after = None;
                    self.tell_losses();
                }
                room.add(Room::one(item.bytes()));
                let (outcome, record) = item.delivery.pass_on_in(Some(&self.batch), &*self.handler);
                if outcome == Some(Outcome::Queued) {
                    self.core.job.handler_holds.store(true, Ordering::Relaxed);
                }
                self.done.push(record);
            }
            record::recycle_all(&mut self.done, &mut self.late);
            let is_empty = self.taker.len() == 0;
            if is_empty || began.elapsed() > LONG_STEP {
                // What came while these were in hand.
                let held = self.hand.look().held;
                self.core.meter().saw(held);
            }
            let is_slow = began.elapsed() > LONG_STEP;
            let goes_on = self.hand.release(room, is_slow);
            if is_empty || !goes_on || is_slow {
                self.core.meter().oldest_in_hand = self.taker.oldest();
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
    fn die(&mut self, panic: &PanicPayload) {
        let core = self.core;
        core.is_dying(panic);
        self.leave();
        self.hand.end(None, &core.job);
        // What was at work, and what was done in the same step.
        self.hand.release(self.hand.look().held, true);
        core.meter().oldest_in_hand = None;
        core.tell_death(core.books().owed());
        let finish = || {
            self.batch.write_out();
            self.handler.flush(&Flush::LAST)
        };
        if let Err(error) = catch(finish).unwrap_or_else(|panic| Err(panicked("finish", &panic))) {
            core.ledger().report_error(&error);
        }
    }

    /// Gives up what is left of a batch.
    fn leave(&mut self) {
        while let Some(item) = self.taker.pop() {
            self.core.job.lose(&item);
            self.hand.release(Room::one(item.bytes()), true);
            item.give_up();
        }
    }

    fn flush(&mut self, wish: Wish) -> Result<(), Error> {
        self.core.meter().begin_work(Instant::now);
        self.tell_losses();
        self.batch.write_out();
        let how = match wish {
            Wish::Barrier => Flush::BARRIER,
            Wish::Flush => Flush::PLAIN,
            Wish::Last => Flush::LAST,
        };
        let result = catch(|| self.handler.flush(&how)).unwrap_or_else(|panic| Err(panicked(how.verb(), &panic)));
        if let Err(error) = &result {
            self.core.ledger().report_error(error);
        }
        self.core.meter().end_work(Instant::now);
        result
    }

    fn report_later(&mut self) {
        self.taker.timer = self.core.job.report_every.and_then(|interval| Instant::now().checked_add(interval));
    }

    fn report(&mut self) {
        let record = self.core.health().to_record(TARGET, &self.core.name());
        self.core.meter().begin_work(Instant::now);
        self.hand_in(record);
        self.batch.write_out();
        self.core.meter().end_work(Instant::now);
        // Not before: it may take longer than the interval.
        self.report_later();
    }

    fn tell_losses(&mut self) {
        let Some(untold) = self.core.books().take_untold() else { return };
        self.told = Some(Instant::now());
        let is_told = self.hand_in(notice(&self.core.name(), &untold));
        self.core.books().was_told(is_told);
    }

    /// A record of the queue's own, in the handler's own format and on its account.
    fn hand_in(&self, record: Record) -> bool {
        let home = self.core.books().home();
        let notice = OwnedDelivery::born(record, home);
        let (outcome, _) = notice.pass_on_in(Some(&self.batch), &*self.handler);
        if home.is_none() {
            self.core.books().note_early(match outcome {
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
fn notice(queue: &str, untold: &Untold) -> Record {
    let lost = untold.lost.total();
    let highest = untold.lost.iter().rfind(|(_, count)| *count > 0).map_or(Severity::WARN, |(severity, _)| severity);
    let records = if lost == 1 { "record" } else { "records" };
    let mut record = Record::new(highest.max(Severity::WARN), TARGET, &format!("{lost} {records} lost"));
    record.set("queue", queue);
    untold.lost.set_on(&mut record);
    if let Some((from, to)) = untold.span {
        for (name, time) in [("from", from), ("to", to)] {
            let mut text = String::new();
            Time::utc().micros().write(time, &mut text);
            record.set(name, text.as_str());
        }
    }
    record
}
