//! What a queue, its guard and its worker share.

use std::{
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{QueueStats, consumer, counters::QueueCounters, item::Item, utilization::Utilization};
use crate::{
    Delivery, Error, Outcome, Severity,
    fork::{ForkMutex, ForkRwLock},
    handler::{
        Handler,
        worker::{Channel, Command, Job, LossCounter, Pending, PutResult, WaitResult, Worker},
    },
    ledger::Ledger,
    unwind::{PanicPayload, catch, panicked},
};

pub(super) type Core = Worker<Records>;

/// The job of a queue's worker: it passes each record to the handler.
pub(super) struct Records {
    /// The queue's name until a record comes from a handler with a name, or always if the builder was given one.
    pub(super) default_name: String,
    is_named: bool,
    priority_level: Severity,
    /// How often the queue logs how it is doing.
    pub(super) report_every: Option<Duration>,
    /// None after the shutdown: it is dropped, which closes what it has open.
    handler: ForkRwLock<Option<Arc<dyn Handler>>>,
    pub(super) counters: QueueCounters,
    utilization: ForkMutex<Utilization>,
    /// The error handler knows of a record that came too late.
    has_reported_late: AtomicBool,
    /// And of one that waited for capacity at the shutdown.
    has_reported_interrupted: AtomicBool,
    /// The handler has taken records, and may not have ended them yet.
    pub(super) handler_holds: AtomicBool,
    /// The message of the panic that ended the worker.
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
        consumer::run(core, channel);
    }

    fn restarts(core: &Core) -> bool {
        // Not after a shutdown.
        core.handler().is_some()
    }

    fn restart_failed(&self, core: &Core, error: std::io::Error) {
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
            handler: ForkRwLock::new(Some(handler)),
            utilization: ForkMutex::new(Utilization::new(Instant::now())),
            has_reported_late: AtomicBool::new(false),
            has_reported_interrupted: AtomicBool::new(false),
            handler_holds: AtomicBool::new(false),
            panic_message: OnceLock::new(),
        }
    }
}

impl Core {
    pub(super) fn no_thread(&self, error: std::io::Error) -> Error {
        Error::with_source(format_args!("queue {:?}: cannot start its thread", self.name()), error)
    }

    /// Its own name, if it was given one, else that of the handler around it.
    pub(super) fn name(&self) -> String {
        match self.job.counters.known_ledger() {
            Some(ledger) if !self.job.is_named => ledger.name(),
            _ => self.job.default_name.clone(),
        }
    }

    pub(super) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.job.handler.get()
    }

    /// Drops the handler, after the shutdown and the final flush.
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

    /// Takes a record; where it does not fit, it is dropped.
    #[inline]
    pub(super) fn take(self: &Arc<Self>, delivery: Delivery<'_>) -> Outcome {
        self.job.counters.learn_ledger(&delivery);
        if self.is_shut() && !self.is_of_the_parent() {
            if delivery.has_fallback() {
                self.job.counters.count_handed_over(delivery.severity());
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

    /// Once: perhaps the guard was dropped too early.
    #[cold]
    fn report_late(&self) {
        self.report_once(
            &self.job.has_reported_late,
            "a record came after the shutdown and is lost, as all that follow are: keep the guard until the end of `main` \
             (`let (queue, _) = …` drops it at once)",
        );
    }

    #[cold]
    fn report_interrupted(&self) {
        self.report_once(
            &self.job.has_reported_interrupted,
            "a record that waited for room when the queue was shut down is lost, as are those of other callers that did",
        );
    }

    fn report_once(&self, is_reported: &AtomicBool, what: &str) {
        if self.is_shut() && !is_reported.swap(true, Ordering::Relaxed) {
            self.ledger().report_unthrottled(&Error::new(format_args!("queue {:?}: {what}", self.name())));
        }
    }

    /// Waits until all earlier records are handled and the command is done.
    pub(super) fn flush(self: &Arc<Self>, command: Command, timeout: Duration) -> Result<(), Error> {
        let pending = self.begin_flush(command, thread::current().id());
        self.wait_for(pending.as_ref(), timeout).and_then(|result| result)
    }

    /// Waits for a flush. The inner result is the handler's; the outer error says that the flush is not done.
    pub(super) fn wait_for(
        &self,
        pending: Option<&Pending<Records>>,
        timeout: Duration,
    ) -> Result<Result<(), Error>, Error> {
        let Some(pending) = pending else { return Err(self.own_thread("flush")) };
        match pending.wait(timeout) {
            WaitResult::Done => Ok(self.alive("flush")),
            WaitResult::Failed(error) => Ok(Err(Error::new(error))),
            WaitResult::Left(left) => Err(self.not_done("flush", left, timeout)),
        }
    }

    /// Accepts no more records, and waits until the rest is handled. What is left after `remaining`, the rest of
    /// `timeout`, is lost.
    pub(super) fn end(self: &Arc<Self>, remaining: Duration, timeout: Duration) -> Result<(), Error> {
        let lost_before = self.counters().unreported();
        let was_shut = self.is_shut();
        let Some(pending) = self.begin_shut_down(remaining) else { return Err(self.own_thread("shutdown")) };
        let WaitResult::Left(left) = pending.wait(remaining) else { return self.alive("shutdown") };
        let mut error = self.not_done("shutdown", left, timeout);
        let more = lost_before.min(self.counters().tell_error_handler().1);
        if more > 0 {
            error = Error::new(format_args!("{error}, {more} lost before"));
        }
        // Throttled, except for the first time.
        if was_shut {
            self.ledger().report_error(&error);
        } else {
            self.ledger().report_unthrottled(&error);
        }
        Err(error)
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
            blocked_sends: snapshot.blocked_sends,
            busy: utilization.busy(Instant::now()),
        }
    }

    /// Ends within what the final flush has left of the [`flush_timeout`](super::QueueBuilder::flush_timeout).
    pub(super) fn end_in_time(self: &Arc<Self>) -> Result<(), Error> {
        self.end(self.left_to_end(), self.flush_timeout)
    }

    // --- the worker

    pub(super) fn utilization(&self) -> MutexGuard<'_, Utilization> {
        self.job
            .utilization
            .lock(|utilization| *utilization = Utilization::new(Instant::now()), || Utilization::new(Instant::now()))
    }

    /// At the end, when nothing is reported in-band any more: the error handler gets the losses it does not know of.
    pub(super) fn report_remaining(&self) {
        let (count, _) = self.counters().tell_error_handler();
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            self.ledger().report_unthrottled(&Error::new(format_args!(
                "queue {:?}: {count} {records} lost, of which its own log does not tell",
                self.name()
            )));
        }
    }

    // --- a worker that ends by a panic

    /// From now on each flush and shutdown is an error. To be called before those who wait are woken.
    pub(super) fn set_panicked(&self, panic: &PanicPayload) {
        self.job.panic_message.get_or_init(|| panic.message().to_owned());
    }

    pub(super) fn report_panic(&self) {
        let (_, lost) = self.counters().tell_error_handler();
        let records = if lost == 1 { "record" } else { "records" };
        let why = self.job.panic_message.get().map_or("", String::as_str);
        self.ledger().report_unthrottled(&Error::new(format_args!(
            "queue {:?}: its thread has ended by a panic: {why}: {lost} {records} lost, and all that come",
            self.name()
        )));
    }

    /// An error once the worker has panicked.
    fn alive(&self, doing: &str) -> Result<(), Error> {
        let Some(why) = self.job.panic_message.get() else { return Ok(()) };
        Err(Error::new(format_args!(
            "queue {:?}: {doing}: its thread has ended by a panic, and nothing is written any more: {why}",
            self.name()
        )))
    }
}
