//! What a queue, its guard and its listener share.

use std::{
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    QueueStats,
    books::{Books, Item},
    listener,
    meter::Meter,
};
use crate::{
    Delivery, Error, Outcome, Severity,
    fork::{ForkMutex, ForkRwLock},
    handler::{
        Handler, panicked,
        worker::{Asked, Hand, Job, Losses, Put, Waited, Wish, Worker},
    },
    ledger::Ledger,
    unwind::catch,
};

pub(super) type Core = Worker<Records>;

/// The job of a queue's worker: each record to the handler.
pub(super) struct Records {
    /// Until it hangs somewhere, and where it was given one.
    pub(super) first_name: String,
    is_named: bool,
    protect: Severity,
    /// How often the queue logs how it is doing.
    pub(super) report_every: Option<Duration>,
    /// None after the shutdown: it is let go, and what it has open is closed.
    handler: ForkRwLock<Option<Arc<dyn Handler>>>,
    pub(super) books: Books,
    meter: ForkMutex<Meter>,
    /// The trap knows of a record that came too late.
    has_told_late: AtomicBool,
    /// The same of one that was waiting for room.
    has_told_overtaken: AtomicBool,
    /// The handler has taken records, and may not have said yet what became of them.
    pub(super) handler_holds: AtomicBool,
    /// What the listener died of.
    pub(super) death: OnceLock<String>,
}

impl Losses<Item> for Records {
    fn lose(&self, item: &Item) {
        self.books.lose(&item.delivery);
    }
}

impl Job for Records {
    type Item = Item;

    fn run(core: &Arc<Core>, hand: &Hand<Item>) {
        listener::run(core, hand);
    }

    fn begins_anew(core: &Core) -> bool {
        // It may have been shut down before.
        core.handler().is_some()
    }

    fn failed(&self, core: &Core, error: std::io::Error) {
        self.books.ledger().report_error(&core.no_thread(error));
    }
}

impl Records {
    pub(super) fn new(
        first_name: String,
        is_named: bool,
        protect: Severity,
        report_every: Option<Duration>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        Self {
            books: Books::new(&first_name),
            first_name,
            is_named,
            protect,
            report_every,
            handler: ForkRwLock::new(Some(handler)),
            meter: ForkMutex::new(Meter::new(Instant::now())),
            has_told_late: AtomicBool::new(false),
            has_told_overtaken: AtomicBool::new(false),
            handler_holds: AtomicBool::new(false),
            death: OnceLock::new(),
        }
    }

    pub(super) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.handler.get()
    }
}

impl Core {
    pub(super) fn no_thread(&self, error: std::io::Error) -> Error {
        Error::with_source(format_args!("queue {:?}: cannot start its thread", self.name()), error)
    }

    /// That of the place where it hangs, unless it was given one of its own.
    pub(super) fn name(&self) -> String {
        match self.job.books.home() {
            Some(ledger) if !self.job.is_named => ledger.name(),
            _ => self.job.first_name.clone(),
        }
    }

    pub(super) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.job.handler()
    }

    /// After the shutdown, when the handler was finished.
    pub(super) fn let_go(&self) {
        let handler = self.job.handler.set(None);
        // Not under the lock: it is user code.
        if let Err(panic) = catch(|| drop(handler)) {
            self.ledger().report_error(&panicked("drop", &panic));
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.job.books.ledger()
    }

    pub(super) fn books(&self) -> &Books {
        &self.job.books
    }

    // --- callers

    /// Takes a record; where there is no room and none can be made, it is dropped.
    #[inline]
    pub(super) fn take(self: &Arc<Self>, delivery: Delivery<'_>) -> Outcome {
        self.job.books.belong_to(&delivery);
        if self.is_shut() && !self.is_of_the_parent() {
            if delivery.is_covered() {
                self.job.books.count_lost(delivery.severity());
            } else {
                self.job.books.lose(&delivery);
                self.tell_late();
            }
            return Outcome::Dropped;
        }
        let item = Item::new(delivery.take(), self.job.protect);
        match self.put(item) {
            Put::In | Put::NoRoom => {}
            Put::Overtaken => self.tell_overtaken(),
            Put::Late => self.tell_late(),
        }
        Outcome::Queued
    }

    /// Once: whoever drops the guard too early is to know.
    #[cold]
    fn tell_late(&self) {
        if self.is_shut() && !self.job.has_told_late.swap(true, Ordering::Relaxed) {
            self.ledger().tell_last(&Error::new(format_args!(
                "queue {:?}: a record came after the shutdown and is lost, as all that follow are: keep the guard until \
                 the end of `main` (`let (queue, _) = …` drops it at once)",
                self.name()
            )));
        }
    }

    /// Once: it came in time, and nobody made room for it.
    #[cold]
    fn tell_overtaken(&self) {
        if self.is_shut() && !self.job.has_told_overtaken.swap(true, Ordering::Relaxed) {
            self.ledger().tell_last(&Error::new(format_args!(
                "queue {:?}: a record that waited for room when the queue was shut down is lost, as are those of other \
                 callers that did",
                self.name()
            )));
        }
    }

    /// Waits until everything that was put before is handled and the handler was flushed; at the end, finished.
    /// `deadline` is left of `most`.
    pub(super) fn flush(self: &Arc<Self>, wish: Wish, deadline: Duration, most: Duration) -> Result<(), Error> {
        let asked = self.ask(wish, thread::current().id());
        self.wait_for(asked.as_ref(), deadline, most).and_then(|result| result)
    }

    /// Waits for a flush that was asked for: `deadline` is left of `most`. What the handler says of it, or that it is not
    /// done.
    pub(super) fn wait_for(
        &self,
        asked: Option<&Asked<Item>>,
        deadline: Duration,
        most: Duration,
    ) -> Result<Result<(), Error>, Error> {
        let Some(asked) = asked else { return Err(self.own_thread("flush")) };
        match asked.wait(deadline) {
            Waited::Done => Ok(self.alive("flush")),
            Waited::Failed(error) => Ok(Err(Error::new(error))),
            Waited::Left(left) => Err(self.not_done("flush", left, most)),
        }
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left at the deadline is lost. `deadline` is
    /// left of `most`.
    pub(super) fn end(self: &Arc<Self>, deadline: Duration, most: Duration) -> Result<(), Error> {
        let lost_before = self.books().owed();
        let was_shut = self.is_shut();
        let Some(waited) = self.shut_down(deadline) else { return Err(self.own_thread("shutdown")) };
        match waited {
            Waited::Left(left) => {
                let mut error = self.not_done("shutdown", left, most);
                let more = lost_before.min(self.books().admit_all());
                if more > 0 {
                    error = Error::new(format_args!("{error}, {more} lost before"));
                }
                // Again and again it is nothing new.
                if was_shut {
                    self.ledger().report_error(&error);
                } else {
                    self.ledger().tell_last(&error);
                }
                Err(error)
            }
            Waited::Done | Waited::Failed(_) => self.alive("shutdown"),
        }
    }

    #[cold]
    fn own_thread(&self, doing: &str) -> Error {
        Error::new(format_args!(
            "queue {:?}: {doing}: called on the queue's own thread, which cannot wait for itself: what waits is not written yet",
            self.name()
        ))
    }

    #[cold]
    fn not_done(&self, doing: &str, left: usize, deadline: Duration) -> Error {
        let records = if left == 1 { "record" } else { "records" };
        Error::new(format_args!("queue {:?}: {doing}: {left} {records} not written within {deadline:?}", self.name()))
    }

    pub(super) fn health(&self) -> QueueStats {
        let look = self.hand().look();
        let lost = self.books().lost();
        let mut meter = self.meter();
        meter.saw(look.high_water);
        meter.saw(look.held);
        let oldest = look.oldest.into_iter().chain(meter.oldest_in_hand).min();
        QueueStats {
            depth: look.held.records,
            high_water: meter.high_water().records,
            bytes: look.held.bytes,
            bytes_high_water: meter.high_water().bytes,
            oldest_age: oldest.map(|oldest| SystemTime::now().duration_since(oldest).unwrap_or_default()),
            lost,
            blocked_sends: look.waits,
            busy: meter.busy(Instant::now()),
        }
    }

    /// Waits for what is left of the [`drain`](super::QueueBuilder::flush_timeout) deadline in this end of the handler.
    pub(super) fn end_in_time(self: &Arc<Self>) -> Result<(), Error> {
        self.end(self.left_to_end(), self.drain)
    }

    // --- the listener

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.job.meter.lock(|meter| *meter = Meter::new(Instant::now()), || Meter::new(Instant::now()))
    }

    /// At the end, when nothing is told in-band any more: the trap is told of the losses that it does not know.
    pub(super) fn tell_the_rest(&self) {
        let count = self.books().admit();
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            self.ledger().tell_last(&Error::new(format_args!(
                "queue {:?}: {count} {records} lost, of which its own log does not tell",
                self.name()
            )));
        }
    }
}
