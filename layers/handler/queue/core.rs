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
    counters::{Item, QueueCounters},
    listener,
    utilization::Utilization,
};
use crate::{
    Delivery, Error, Outcome, Severity,
    caught::catch,
    fork::{Common, Heirloom},
    handler::{
        Handler, panicked,
        worker::{Channel, Command, FlushTicket, Job, LossCounter, PutResult, WaitResult, Worker},
    },
    ledger::Ledger,
};

pub(super) type Core = Worker<Records>;

/// The job of a queue's worker: each record to the handler.
pub(super) struct Records {
    /// Until it hangs somewhere, and where it was given one.
    pub(super) default_name: String,
    is_named: bool,
    priority_level: Severity,
    /// How often the queue logs how it is doing.
    pub(super) report_every: Option<Duration>,
    /// None after the shutdown: it is let go, and what it has open is closed.
    handler: Common<Option<Arc<dyn Handler>>>,
    pub(super) counters: QueueCounters,
    utilization: Heirloom<Utilization>,
    /// The trap knows of a record that came too late.
    has_reported_late: AtomicBool,
    /// The same of one that was waiting for room.
    has_reported_interrupted: AtomicBool,
    /// The handler has taken records, and may not have said yet what became of them.
    pub(super) handler_holds: AtomicBool,
    /// What the listener died of.
    pub(super) panic_message: OnceLock<String>,
}

impl LossCounter<Item> for Records {
    fn count_loss(&self, item: &Item) {
        self.counters.count_loss(&item.delivery);
    }
}

impl Job for Records {
    type Item = Item;

    fn run(core: &Arc<Core>, channel: &Channel<Item>) {
        listener::run(core, channel);
    }

    fn restarts(core: &Core) -> bool {
        // It may have been shut down before.
        core.handler().is_some()
    }

    fn failed(&self, core: &Core, error: std::io::Error) {
        self.counters.ledger().report_error(&core.no_thread(error));
    }
}

impl Records {
    pub(super) fn new(
        default_name: String,
        is_named: bool,
        priority_level: Severity,
        report_every: Option<Duration>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        Self {
            counters: QueueCounters::new(&default_name),
            default_name,
            is_named,
            priority_level,
            report_every,
            handler: Common::new(Some(handler)),
            utilization: Heirloom::new(Utilization::new(Instant::now())),
            has_reported_late: AtomicBool::new(false),
            has_reported_interrupted: AtomicBool::new(false),
            handler_holds: AtomicBool::new(false),
            panic_message: OnceLock::new(),
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
        match self.job.counters.known_ledger() {
            Some(ledger) if !self.job.is_named => ledger.name(),
            _ => self.job.default_name.clone(),
        }
    }

    pub(super) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.job.handler()
    }

    /// After the shutdown, when the handler was finished.
    pub(super) fn drop_handler(&self) {
        let handler = self.job.handler.set(None);
        // Not under the lock: it is user code.
        if let Err(panic) = catch(|| drop(handler)) {
            self.ledger().report_error(&panicked("drop", &panic));
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.job.counters.ledger()
    }

    pub(super) fn counters(&self) -> &QueueCounters {
        &self.job.counters
    }

    // --- callers

    /// Takes a record; where there is no room and none can be made, it is dropped.
    #[inline]
    pub(super) fn take(self: &Arc<Self>, delivery: Delivery<'_>) -> Outcome {
        self.job.counters.learn_ledger(&delivery);
        if self.is_shut() && !self.is_of_the_parent() {
            if delivery.has_fallback() {
                self.job.counters.count_lost(delivery.severity());
            } else {
                self.job.counters.count_loss(&delivery);
                self.report_late();
            }
            return Outcome::Dropped;
        }
        let item = Item::new(delivery.take(), self.job.priority_level);
        match self.put(item) {
            PutResult::Accepted | PutResult::Full => {}
            PutResult::Interrupted => self.report_interrupted(),
            PutResult::Closed => self.report_late(),
        }
        Outcome::Queued
    }

    /// Once: whoever drops the guard too early is to know.
    #[cold]
    fn report_late(&self) {
        if self.is_shut() && !self.job.has_reported_late.swap(true, Ordering::Relaxed) {
            self.ledger().report_unthrottled(&Error::new(format_args!(
                "queue {:?}: a record came after the shutdown and is lost, as all that follow are: keep the guard until \
                 the end of `main` (`let (queue, _) = …` drops it at once)",
                self.name()
            )));
        }
    }

    /// Once: it came in time, and nobody made room for it.
    #[cold]
    fn report_interrupted(&self) {
        if self.is_shut() && !self.job.has_reported_interrupted.swap(true, Ordering::Relaxed) {
            self.ledger().report_unthrottled(&Error::new(format_args!(
                "queue {:?}: a record that waited for room when the queue was shut down is lost, as are those of other \
                 callers that did",
                self.name()
            )));
        }
    }

    /// Waits until everything that was put before is handled and the handler was flushed; at the end, finished.
    /// `deadline` is left of `most`.
    pub(super) fn flush(self: &Arc<Self>, command: Command, deadline: Duration, most: Duration) -> Result<(), Error> {
        let asked = self.ask(command, thread::current().id());
        self.wait_for(asked.as_ref(), deadline, most).and_then(|result| result)
    }

    /// Waits for a flush that was asked for: `deadline` is left of `most`. What the handler says of it, or that it is not
    /// done.
    pub(super) fn wait_for(
        &self,
        asked: Option<&FlushTicket<Item>>,
        deadline: Duration,
        most: Duration,
    ) -> Result<Result<(), Error>, Error> {
        let Some(asked) = asked else { return Err(self.own_thread("flush")) };
        match asked.wait(deadline) {
            WaitResult::Done => Ok(self.alive("flush")),
            WaitResult::Failed(error) => Ok(Err(Error::new(error))),
            WaitResult::Left(left) => Err(self.not_done("flush", left, most)),
        }
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left at the deadline is lost. `deadline` is
    /// left of `most`.
    pub(super) fn end(self: &Arc<Self>, deadline: Duration, most: Duration) -> Result<(), Error> {
        let lost_before = self.counters().unreported_losses();
        let was_shut = self.is_shut();
        let Some(waited) = self.shut_down(deadline) else { return Err(self.own_thread("shutdown")) };
        match waited {
            WaitResult::Left(left) => {
                let mut error = self.not_done("shutdown", left, most);
                let more = lost_before.min(self.counters().admit_all());
                if more > 0 {
                    error = Error::new(format_args!("{error}, {more} lost before"));
                }
                // Again and again it is nothing new.
                if was_shut {
                    self.ledger().report_error(&error);
                } else {
                    self.ledger().report_unthrottled(&error);
                }
                Err(error)
            }
            WaitResult::Done | WaitResult::Failed(_) => self.alive("shutdown"),
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

    pub(super) fn stats(&self) -> QueueStats {
        let snapshot = self.channel().snapshot();
        let lost = self.counters().lost();
        let mut utilization = self.utilization();
        utilization.observe(snapshot.high_water);
        utilization.observe(snapshot.held);
        let oldest = snapshot.oldest.into_iter().chain(utilization.oldest_in_hand).min();
        QueueStats {
            depth: snapshot.held.records,
            high_water: utilization.high_water().records,
            bytes: snapshot.held.bytes,
            bytes_high_water: utilization.high_water().bytes,
            oldest_age: oldest.map(|oldest| SystemTime::now().duration_since(oldest).unwrap_or_default()),
            lost,
            blocked_sends: snapshot.waits,
            busy: utilization.busy(Instant::now()),
        }
    }

    /// Waits for what is left of the [`flush_timeout`](super::QueueBuilder::flush_timeout) deadline in this end of the handler.
    pub(super) fn end_in_time(self: &Arc<Self>) -> Result<(), Error> {
        self.end(self.left_to_end(), self.flush_timeout)
    }

    // --- the listener

    pub(super) fn utilization(&self) -> MutexGuard<'_, Utilization> {
        self.job
            .utilization
            .lock(|utilization| *utilization = Utilization::new(Instant::now()), || Utilization::new(Instant::now()))
    }

    /// At the end, when nothing is told in-band any more: the trap is told of the losses that it does not know.
    pub(super) fn report_remaining(&self) {
        let count = self.counters().take_unknown_to_error_handler();
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            self.ledger().report_unthrottled(&Error::new(format_args!(
                "queue {:?}: {count} {records} lost, of which its own log does not tell",
                self.name()
            )));
        }
    }
}
