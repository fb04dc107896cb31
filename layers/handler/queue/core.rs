//! What a queue, its guard and its listener share.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant, SystemTime},
};

use super::{
    Health, Lost, Overflow,
    hand::{Hand, Waited},
    lane::{Account, Lane, Load, Room},
    listener,
};
use crate::{
    Error, Outcome, Record, Severity, fork,
    handler::Handler,
    record::Kept,
    trap::{Books, Ledger},
};

/// What a queue may hold and what it does when it is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) max_bytes: usize,
    pub(super) overflow: Overflow,
    pub(super) protect: Severity,
}

pub(super) struct Core {
    pub(super) name: String,
    pub(super) limits: Limits,
    /// How long a drop and a plain flush wait.
    pub(super) drain: Duration,
    /// How often the queue logs how it is doing.
    pub(super) report_every: Option<Duration>,
    handler: Arc<dyn Handler>,
    /// Another one after a fork.
    hand: Mutex<Arc<Hand<Item>>>,
    /// The number of the hand, by which threads find their lanes in it.
    number: AtomicU64,
    books: Arc<Accounts>,
    listener: Mutex<Option<ThreadId>>,
    meter: Mutex<Meter>,
    /// The process that the listener is a thread of: one more after each fork.
    generation: AtomicU64,
}

/// A record that waits.
pub(super) struct Item {
    pub(super) record: Kept,
    bytes: usize,
    is_protected: bool,
}

impl Load for Item {
    #[inline]
    fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        self.record.time()
    }
}

// --- the books

/// The ledger, and the losses.
pub(super) struct Accounts {
    /// Of the place the queue hangs in.
    ledger: OnceLock<Arc<Ledger>>,
    /// Of the handler, which settles there what it holds back; behind that of the place.
    own_ledger: Arc<Ledger>,
    losses: Mutex<Losses>,
}

#[derive(Default)]
struct Losses {
    lost: Lost,
    untold: Untold,
}

/// Losses that were not told in-band yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    pub(super) lost: Lost,
    pub(super) span: Option<(SystemTime, SystemTime)>,
}

impl Accounts {
    #[inline]
    fn ledger(&self) -> &Arc<Ledger> {
        self.ledger.get().unwrap_or(&self.own_ledger)
    }

    fn losses(&self) -> MutexGuard<'_, Losses> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, record: &Record) {
        let mut losses = self.losses();
        losses.lost.add(record.severity());
        losses.untold.lost.add(record.severity());
        let time = record.time();
        let (from, to) = losses.untold.span.unwrap_or((time, time));
        losses.untold.span = Some((from.min(time), to.max(time)));
    }
}

impl Account<Item> for Accounts {
    fn queued(&self, count: u64) {
        self.ledger().queue(count);
    }

    fn gave_up(&self, item: &Item) {
        self.ledger().settle_dropped(1);
        self.lose(&item.record);
    }

    fn refused(&self, item: &Item) {
        self.lose(&item.record);
    }
}

// --- a thread's lanes

/// A thread's place at a queue.
struct Seat {
    number: u64,
    hand: Arc<Hand<Item>>,
    lane: Arc<Lane<Item>>,
}

thread_local! {
    static SEATS: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Core {
    pub(super) fn new(
        name: String,
        limits: Limits,
        drain: Duration,
        report_every: Option<Duration>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        let own_ledger = Ledger::apart(&name);
        handler.attach(&own_ledger);
        let books = Accounts { ledger: OnceLock::new(), own_ledger, losses: Mutex::default() };
        Self {
            name,
            limits,
            drain,
            report_every,
            handler,
            hand: Mutex::new(Self::new_hand(&limits)),
            number: AtomicU64::new(next_number()),
            books: Arc::new(books),
            listener: Mutex::new(None),
            meter: Mutex::new(Meter::new()),
            generation: AtomicU64::new(fork::generation()),
        }
    }

    fn new_hand(limits: &Limits) -> Arc<Hand<Item>> {
        let room = Room { records: limits.capacity, bytes: limits.max_bytes };
        Arc::new(Hand::new(room, limits.overflow))
    }

    pub(super) fn handler(&self) -> &Arc<dyn Handler> {
        &self.handler
    }

    /// The ledger is brought up to date by whoever reads it: callers do not touch what they share.
    pub(super) fn attach(self: &Arc<Self>, ledger: &Arc<Ledger>) {
        if self.books.ledger.set(Arc::clone(ledger)).is_ok() {
            let books: Arc<dyn Books> = Arc::<Self>::clone(self);
            ledger.read_with(&books);
            self.books.own_ledger.stand_behind(ledger);
        }
    }

    #[inline]
    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        self.books.ledger()
    }

    pub(super) fn books(&self) -> &Accounts {
        &self.books
    }

    pub(super) fn hand(&self) -> Arc<Hand<Item>> {
        Arc::clone(&self.hand.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // --- callers

    /// Takes a record, if there is or can be made room.
    #[inline]
    pub(super) fn put(self: &Arc<Self>, record: &Record) -> Outcome {
        if self.is_of_the_parent() {
            self.restart();
        }
        let item = Item {
            bytes: record.weight(),
            is_protected: record.severity() >= self.limits.protect,
            record: record.keep(),
        };
        if self.put_item(item) { Outcome::Queued } else { Outcome::Dropped }
    }

    #[inline]
    fn put_item(&self, item: Item) -> bool {
        let number = self.number.load(Ordering::Relaxed);
        let mut item = Some(item);
        let put = SEATS.try_with(|seats| {
            let seats = seats.try_borrow().ok()?;
            let seat = seats.iter().find(|seat| seat.number == number)?;
            Some(seat.hand.put(&seat.lane, item.take()?, &*self.books))
        });
        match (put, item) {
            (Ok(Some(put)), _) => put,
            (_, Some(item)) => self.put_without_seat(item, number),
            (_, None) => unreachable!("the item was put, so the result is here"),
        }
    }

    #[cold]
    fn put_without_seat(&self, item: Item, number: u64) -> bool {
        let hand = self.hand();
        let seated = SEATS.try_with(|seats| {
            let mut seats = seats.try_borrow_mut().ok()?;
            // Those of queues that are no more.
            seats.retain(|seat| !seat.hand.has_ended());
            let lane = hand.lane();
            seats.push(Seat { number, hand: Arc::clone(&hand), lane: Arc::clone(&lane) });
            Some(lane)
        });
        // A thread that is ending has no seat any more.
        let lane = seated.ok().flatten().unwrap_or_else(|| hand.any_lane());
        hand.put(&lane, item, &*self.books)
    }

    /// Waits until everything that was put before is handled and the handler was flushed; at the end, finished.
    pub(super) fn flush(self: &Arc<Self>, is_last: bool, deadline: Duration) -> Result<(), Error> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        if self.is_listener() {
            // A handler that flushes what it hangs behind would wait for itself.
            return Ok(());
        }
        match self.hand().flush(is_last, deadline) {
            Waited::Done => Ok(()),
            Waited::Failed(error) => Err(Error::new(error)),
            Waited::Left(left) => Err(self.not_done("flush", left, deadline)),
        }
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left at the deadline is lost.
    pub(super) fn shut_down(self: &Arc<Self>, deadline: Duration) -> Result<(), Error> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        let hand = self.hand();
        if self.is_listener() {
            hand.close();
            return Ok(());
        }
        match hand.shut_down(deadline, &*self.books) {
            Waited::Left(left) => {
                let error = self.not_done("shutdown", left, deadline);
                self.ledger().tell(&error);
                Err(error)
            }
            Waited::Done | Waited::Failed(_) => Ok(()),
        }
    }

    fn is_listener(&self) -> bool {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }

    #[cold]
    fn not_done(&self, doing: &str, left: usize, deadline: Duration) -> Error {
        let records = if left == 1 { "record" } else { "records" };
        Error::new(format_args!("queue {:?}: {doing}: {left} {records} not written within {deadline:?}", self.name))
    }

    pub(super) fn health(&self) -> Health {
        let look = self.hand().look();
        let lost = self.books.losses().lost;
        let meter = self.meter();
        let oldest = look.oldest.into_iter().chain(meter.oldest_in_hand).min();
        let worked = meter.worked + meter.at_work_since.map_or(Duration::ZERO, |since| since.elapsed());
        Health {
            depth: look.held.records,
            high_water: meter.high_water.records.max(look.high_water.records).max(look.held.records),
            bytes: look.held.bytes,
            bytes_high_water: meter.high_water.bytes.max(look.high_water.bytes).max(look.held.bytes),
            oldest_age: oldest.map(|oldest| SystemTime::now().duration_since(oldest).unwrap_or_default()),
            lost,
            waits: look.waits,
            busy: (worked.as_secs_f64() / meter.started.elapsed().as_secs_f64().max(1e-9)).min(1.0),
        }
    }

    // --- after a fork

    /// Begins anew in a child: what waits is the parent's, and is not written here. The locks are new, too, whoever had
    /// them when the process was forked.
    #[cold]
    pub(super) fn restart(self: &Arc<Self>) {
        let generation = fork::generation();
        if self.generation.swap(generation, Ordering::AcqRel) == generation {
            return;
        }
        *self.hand.lock().unwrap_or_else(PoisonError::into_inner) = Self::new_hand(&self.limits);
        self.number.store(next_number(), Ordering::Release);
        self.ledger().settle_dropped(u64::MAX);
        *self.meter() = Meter::new();
        if let Err(error) = listener::start(self) {
            self.hand().end(&*self.books);
            self.ledger().tell(&error);
        }
    }

    #[inline]
    fn is_of_the_parent(&self) -> bool {
        self.generation.load(Ordering::Relaxed) != fork::generation()
    }

    // --- the listener

    pub(super) fn begin(&self) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the first record was lost that was not told yet.
    pub(super) fn untold_since(&self) -> Option<SystemTime> {
        self.books.losses().untold.span.map(|(from, _)| from)
    }

    /// Losses to be told, if there are any.
    pub(super) fn take_untold(&self) -> Option<Untold> {
        let mut losses = self.books.losses();
        (losses.untold.lost.total() > 0).then(|| std::mem::take(&mut losses.untold))
    }
}

impl Books for Core {
    fn bring_up_to_date(&self) {
        self.hand().tell(&*self.books);
    }
}

/// What the listener has done.
pub(super) struct Meter {
    started: Instant,
    worked: Duration,
    at_work_since: Option<Instant>,
    pub(super) high_water: Room,
    pub(super) oldest_in_hand: Option<SystemTime>,
}

impl Meter {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            worked: Duration::ZERO,
            at_work_since: None,
            high_water: Room::default(),
            oldest_in_hand: None,
        }
    }

    pub(super) fn begin_work(&mut self) {
        self.at_work_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn end_work(&mut self) {
        if let Some(since) = self.at_work_since.take() {
            self.worked += since.elapsed();
        }
    }
}
