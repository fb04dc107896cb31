//! The thread behind a queue.

use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    batch,
    books::{Item, Untold},
    core::Core,
    hand::Hand,
    lane::{Account as _, Load as _, Room},
    taker::{Taker, Task},
};
use crate::{
    Error, Handler, Outcome, Record, Severity,
    caught::{Caught, catch},
    format::Time,
    handler::panicked,
    record::{self, Kept},
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

/// Starts the thread of a queue.
pub(super) fn start(core: &Arc<Core>) -> Result<(), Error> {
    crate::fork::watch();
    let shared = Arc::clone(core);
    thread::Builder::new()
        // A name may hold no NUL; Linux shows the first 15 bytes of it.
        .name(format!("strata-{}", core.first_name.replace('\0', "")))
        .spawn(move || run(&shared))
        .map(drop)
        .map_err(|error| Error::with_source(format_args!("queue {:?}: cannot start its thread", core.name()), error))
}

fn run(core: &Arc<Core>) {
    record::silence_this_thread();
    batch::listen();
    core.begin();
    let hand = core.hand();
    let mut ends = Ends { core, hand: &hand, error: None };
    let Some(handler) = core.handler() else { return };
    let mut listener = Listener {
        core,
        handler,
        hand: &hand,
        taker: Taker::new(),
        done: Vec::new(),
        late: Vec::new(),
        step: 1,
        told: None,
        tell_after: None,
    };
    let lived = catch(|| {
        listener.report_later();
        listener.work();
        // The trap was told, and who shuts down will be.
        listener.flush(true).err().map(|error| error.to_string())
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
        self.hand.end(self.error.take(), self.core.books());
        self.core.meter().end_work(Instant::now);
    }
}

struct Listener<'a> {
    core: &'a Core,
    handler: Arc<dyn Handler>,
    hand: &'a Hand<Item>,
    taker: Taker<Item>,
    /// Handled, with memory to be used again.
    done: Vec<Kept>,
    late: Vec<Kept>,
    step: usize,
    /// When losses were told.
    told: Option<Instant>,
    /// Losses are to be told before the first record after this time.
    tell_after: Option<SystemTime>,
}

impl Listener<'_> {
    fn work(&mut self) {
        // Half of what fits at most: the other half can still be given up.
        let limit = MOST.min(self.core.limits.capacity.div_ceil(2));
        let mut most = 1;
        loop {
            match self.taker.next(self.hand, most, self.core.books()) {
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
                    batch::write_out();
                    self.core.meter().end_work(Instant::now);
                }
                Task::Flush(wanted) => {
                    let result = self.flush(wanted.is_last);
                    self.hand.flushed(wanted.ticket, result.err().map(|error| error.to_string()));
                }
                Task::Report => self.report(),
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
                if self.tell_after.is_some_and(|after| item.record.time() > after) {
                    self.tell_after = None;
                    self.tell_losses();
                }
                room.add(Room::one(item.bytes()));
                let mut item = AtWork { core: self.core, item: Some(item) };
                if let Some(item) = &mut item.item {
                    self.deliver(&mut item.record);
                }
                if let Some(item) = item.item.take() {
                    self.done.push(item.record);
                }
            }
            settle(self.core);
            record::give_back_all(&mut self.done, &mut self.late);
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
    fn die(&mut self, panic: &Caught) {
        let core = self.core;
        core.is_dying(panic);
        settle(core);
        self.leave();
        self.hand.end(None, core.books());
        // What was at work, and what was done in the same step.
        self.hand.release(self.hand.look().held, true);
        core.meter().oldest_in_hand = None;
        core.tell_death(core.books().owed());
        let finish = || {
            batch::write_out();
            self.handler.finish()
        };
        if let Err(error) = catch(finish).unwrap_or_else(|panic| Err(panicked("finish", &panic))) {
            core.ledger().tell(&error);
        }
    }

    /// Gives up what is left of a batch.
    fn leave(&mut self) {
        while let Some(item) = self.taker.pop() {
            self.core.books().gave_up(&item);
            self.hand.release(Room::one(item.bytes()), true);
        }
    }

    /// The ledger has counted the record as queued.
    ///
    /// Says whether it was taken.
    fn deliver(&self, record: &mut Kept) -> bool {
        let handle = |record: &Record| catch(|| self.handler.handle(record));
        let outcome = if self.handler.keeps() { record.lend(handle) } else { handle(record) };
        let is_taken = matches!(outcome, Ok(Ok(Outcome::Written | Outcome::Queued)));
        match outcome {
            Ok(Ok(Outcome::Written)) => note(|settled| settled.written += 1),
            Ok(Ok(Outcome::Filtered)) => note(|settled| settled.filtered += 1),
            Ok(Ok(Outcome::Dropped)) => note(|settled| settled.dropped += 1),
            // It settles it on the ledger it was given.
            Ok(Ok(Outcome::Queued)) => {}
            Ok(Err(error)) => self.failed(&error, record),
            Err(panic) => self.failed(&panicked("handle", &panic), record),
        }
        is_taken
    }

    #[cold]
    fn failed(&self, error: &Error, record: &Record) {
        let ledger = self.core.ledger();
        if !error.record_is_held() {
            ledger.settle_failed(1);
        }
        ledger.tell_of(error, Some(record));
    }

    fn flush(&mut self, is_last: bool) -> Result<(), Error> {
        self.core.meter().begin_work(Instant::now);
        self.tell_losses();
        batch::write_out();
        let flush = || if is_last { self.handler.finish() } else { self.handler.flush() };
        let doing = if is_last { "finish" } else { "flush" };
        let result = catch(flush).unwrap_or_else(|panic| Err(panicked(doing, &panic)));
        if let Err(error) = &result {
            self.core.ledger().tell(error);
        }
        self.core.meter().end_work(Instant::now);
        result
    }

    fn report_later(&mut self) {
        self.taker.report_at = self.core.report_every.and_then(|interval| Instant::now().checked_add(interval));
    }

    fn report(&mut self) {
        let record = self.core.health().to_record(TARGET, &self.core.name());
        self.core.meter().begin_work(Instant::now);
        self.hand_in(record);
        batch::write_out();
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
        let mut record = Kept::new(record);
        self.core.ledger().queue(1);
        let is_taken = self.deliver(&mut record);
        settle(self.core);
        is_taken
    }
}

/// The record that the handler has. Should that end otherwise than by a result, it is lost.
struct AtWork<'a> {
    core: &'a Core,
    item: Option<Item>,
}

impl Drop for AtWork<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(item) = &self.item {
            self.core.books().gave_up(item);
        }
    }
}

/// What became of the records of a step.
#[derive(Clone, Copy, Default)]
struct Settled {
    written: u64,
    filtered: u64,
    dropped: u64,
}

thread_local! {
    /// Of this thread's queue. Not the listener's own: a handler may end the process in the midst of a step.
    static SETTLED: Cell<Settled> = const { Cell::new(Settled { written: 0, filtered: 0, dropped: 0 }) };
}

#[inline]
fn note(add: impl FnOnce(&mut Settled)) {
    let mut settled = SETTLED.get();
    add(&mut settled);
    SETTLED.set(settled);
}

/// Tells the ledger of them, on the listener's thread.
pub(super) fn settle(core: &Core) {
    let settled = SETTLED.take();
    let ledger = core.ledger();
    if settled.written > 0 {
        ledger.settle_written(settled.written);
    }
    if settled.filtered > 0 {
        ledger.settle_filtered(settled.filtered);
    }
    if settled.dropped > 0 {
        ledger.settle_dropped(settled.dropped);
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
