//! What a queue, its guard and its listener share.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant, SystemTime},
};

use super::{
    Health, Overflow,
    books::{Accounts, Item},
    hand::{Hand, Put, Waited},
    lane::{Lane, Room},
    listener,
    meter::Meter,
};
use crate::{
    Error, Outcome, Severity,
    caught::catch,
    fork::{self, Common, Heirloom},
    handler::{Handler, panicked},
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
    /// Until it hangs somewhere, and where it was given one.
    pub(super) first_name: String,
    is_named: bool,
    pub(super) limits: Limits,
    /// How long a drop and a plain flush wait.
    pub(super) drain: Duration,
    /// How often the queue logs how it is doing.
    pub(super) report_every: Option<Duration>,
    /// None after the shutdown: it is let go, and what it has open is closed.
    handler: Common<Option<Arc<dyn Handler>>>,
    /// Another one after a fork.
    hand: Heirloom<Arc<Hand<Item>>>,
    /// The number of the hand, by which threads find their lanes in it.
    number: AtomicU64,
    books: Arc<Accounts>,
    listener: Heirloom<Option<ThreadId>>,
    meter: Heirloom<Meter>,
    /// Held by the thread that begins anew in a child.
    restarting: Heirloom<()>,
    /// The process that the listener is a thread of: one more after each fork.
    generation: AtomicU64,
    /// Nothing comes in any more.
    is_shut: AtomicBool,
    /// The trap knows of a record that came too late.
    has_told_late: AtomicBool,
    /// The same of one that was waiting for room.
    has_told_overtaken: AtomicBool,
    /// What the listener died of.
    pub(super) death: OnceLock<String>,
}

/// A flush that was asked for.
pub(super) struct Asked {
    hand: Arc<Hand<Item>>,
    ticket: u64,
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
    /// The thread's number. There is nothing to drop: it is there for as long as the thread.
    static OWN_NUMBER: Cell<u64> = const { Cell::new(0) };
}

fn own_number() -> u64 {
    OWN_NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(next_number());
        }
        number.get()
    })
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Core {
    pub(super) fn new(
        first_name: String,
        is_named: bool,
        limits: Limits,
        drain: Duration,
        report_every: Option<Duration>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        fork::check();
        let own_ledger = Ledger::apart(&first_name);
        handler.attach(&own_ledger);
        let books = Accounts::new(own_ledger);
        Self {
            first_name,
            is_named,
            limits,
            drain,
            report_every,
            handler: Common::new(Some(handler)),
            hand: Heirloom::new(Self::new_hand(&limits)),
            number: AtomicU64::new(next_number()),
            books: Arc::new(books),
            listener: Heirloom::default(),
            meter: Heirloom::new(Meter::new(Instant::now())),
            restarting: Heirloom::default(),
            generation: AtomicU64::new(fork::generation()),
            is_shut: AtomicBool::new(false),
            has_told_late: AtomicBool::new(false),
            has_told_overtaken: AtomicBool::new(false),
            death: OnceLock::new(),
        }
    }

    /// That of the place where it hangs, unless it was given one of its own.
    pub(super) fn name(&self) -> String {
        match self.books.ledger.get() {
            Some(ledger) if !self.is_named => ledger.name(),
            _ => self.first_name.clone(),
        }
    }

    fn new_hand(limits: &Limits) -> Arc<Hand<Item>> {
        let room = Room { records: limits.capacity, bytes: limits.max_bytes };
        Arc::new(Hand::new(room, limits.overflow))
    }

    pub(super) fn handler(&self) -> Option<Arc<dyn Handler>> {
        self.handler.get()
    }

    /// After the shutdown, when the handler was finished.
    pub(super) fn let_go(&self) {
        let handler = self.handler.set(None);
        // Not under the lock: it is user code.
        if let Err(panic) = catch(|| drop(handler)) {
            self.ledger().tell(&panicked("drop", &panic));
        }
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
        fork::check();
        let fresh = || {
            let hand = Self::new_hand(&self.limits);
            self.number.store(next_number(), Ordering::Release);
            hand
        };
        Arc::clone(&self.hand.lock(|hand| *hand = fresh(), fresh))
    }

    // --- callers

    /// Takes a record, if there is or can be made room.
    #[inline]
    pub(super) fn put(self: &Arc<Self>, record: Kept) -> Outcome {
        if self.is_of_the_parent() {
            self.restart();
        }
        let item = Item::new(record, self.limits.protect);
        match self.put_item(item) {
            Put::In => return Outcome::Queued,
            Put::NoRoom => {}
            Put::Overtaken => self.tell_overtaken(),
            Put::Late => self.tell_late(),
        }
        Outcome::Dropped
    }

    /// Once: whoever drops the guard too early is to know.
    #[cold]
    fn tell_late(&self) {
        if self.is_shut() && !self.has_told_late.swap(true, Ordering::Relaxed) {
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
        if self.is_shut() && !self.has_told_overtaken.swap(true, Ordering::Relaxed) {
            self.ledger().tell_last(&Error::new(format_args!(
                "queue {:?}: a record that waited for room when the queue was shut down is lost, as are those of other \
                 callers that did",
                self.name()
            )));
        }
    }

    #[inline]
    fn put_item(&self, item: Item) -> Put {
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
    fn put_without_seat(&self, item: Item, number: u64) -> Put {
        let hand = self.hand();
        let seated = SEATS.try_with(|seats| {
            let mut seats = seats.try_borrow_mut().ok()?;
            // Those of queues that are no more.
            seats.retain(|seat| !seat.hand.has_ended());
            let lane = hand.lane(own_number());
            seats.push(Seat { number, hand: Arc::clone(&hand), lane: Arc::clone(&lane) });
            Some(lane)
        });
        // A thread that is ending has no seat any more.
        let lane = seated.ok().flatten().unwrap_or_else(|| hand.lane_of(own_number()));
        hand.put(&lane, item, &*self.books)
    }

    /// Waits until everything that was put before is handled and the handler was flushed; at the end, finished.
    /// `deadline` is left of `most`.
    pub(super) fn flush(self: &Arc<Self>, is_last: bool, deadline: Duration, most: Duration) -> Result<(), Error> {
        let asked = self.ask(is_last, thread::current().id())?;
        self.wait_for(&asked, deadline, most).and_then(|result| result)
    }

    /// Asks for a flush that the thread `caller` is going to wait for.
    pub(super) fn ask(self: &Arc<Self>, is_last: bool, caller: ThreadId) -> Result<Asked, Error> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        if self.is_listener(caller) {
            return Err(self.own_thread("flush"));
        }
        let hand = self.hand();
        let ticket = hand.ask(is_last);
        Ok(Asked { hand, ticket })
    }

    /// Waits for a flush that was asked for: `deadline` is left of `most`. What the handler says of it, or that it is not
    /// done.
    pub(super) fn wait_for(
        &self,
        asked: &Asked,
        deadline: Duration,
        most: Duration,
    ) -> Result<Result<(), Error>, Error> {
        match asked.hand.wait_for_flush(asked.ticket, deadline) {
            Waited::Done => Ok(self.alive("flush")),
            Waited::Failed(error) => Ok(Err(Error::new(error))),
            Waited::Left(left) => Err(self.not_done("flush", left, most)),
        }
    }

    /// Takes nothing any more, and waits until what waits is handled. What is left at the deadline is lost. `deadline` is
    /// left of `most`.
    pub(super) fn shut_down(self: &Arc<Self>, deadline: Duration, most: Duration) -> Result<(), Error> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        let hand = self.hand();
        let lost_before = self.books.owed();
        let was_shut = self.is_shut.swap(true, Ordering::Relaxed);
        if self.is_listener(thread::current().id()) {
            hand.close();
            return Err(self.own_thread("shutdown"));
        }
        match hand.shut_down(deadline, &*self.books) {
            Waited::Left(left) => {
                let mut error = self.not_done("shutdown", left, most);
                let more = lost_before.min(self.books.admit_all());
                if more > 0 {
                    error = Error::new(format_args!("{error}, {more} lost before"));
                }
                // Again and again it is nothing new.
                if was_shut {
                    self.ledger().tell(&error);
                } else {
                    self.ledger().tell_last(&error);
                }
                Err(error)
            }
            Waited::Done | Waited::Failed(_) => self.alive("shutdown"),
        }
    }

    pub(super) fn is_listener(&self, thread: ThreadId) -> bool {
        *self.listener() == Some(thread)
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

    pub(super) fn health(&self) -> Health {
        let look = self.hand().look();
        let lost = self.books.lost();
        let mut meter = self.meter();
        meter.saw(look.high_water);
        meter.saw(look.held);
        let oldest = look.oldest.into_iter().chain(meter.oldest_in_hand).min();
        Health {
            depth: look.held.records,
            high_water: meter.high_water().records,
            bytes: look.held.bytes,
            bytes_high_water: meter.high_water().bytes,
            oldest_age: oldest.map(|oldest| SystemTime::now().duration_since(oldest).unwrap_or_default()),
            lost,
            waits: look.waits,
            busy: meter.busy(Instant::now()),
        }
    }

    // --- after a fork

    /// Begins anew in a child: what waits is the parent's, and is not written here.
    #[cold]
    pub(super) fn restart(self: &Arc<Self>) {
        let restarting = self.restarting.get();
        if !self.is_of_the_parent() {
            // Another thread was faster.
            return;
        }
        let hand = self.hand();
        // What is with the handler, and then what waited, before anything new is queued.
        self.books.own_ledger.settle_dropped(u64::MAX);
        self.ledger().settle_dropped(u64::MAX);
        let mut result = Ok(());
        if self.handler().is_none() {
            // It was shut down before.
            hand.end(None, &*self.books);
        } else {
            self.is_shut.store(false, Ordering::Relaxed);
            result = listener::start(self).inspect_err(|_| hand.end(None, &*self.books));
        }
        // From now on callers use what is new.
        self.generation.store(fork::generation(), Ordering::Release);
        // A trap may log.
        drop(restarting);
        if let Err(error) = result {
            self.ledger().tell(&error);
        }
    }

    #[inline]
    fn is_of_the_parent(&self) -> bool {
        self.generation.load(Ordering::Acquire) != fork::generation()
    }

    // --- the listener

    pub(super) fn begin(&self) {
        *self.listener() = Some(thread::current().id());
    }

    pub(super) fn meter(&self) -> MutexGuard<'_, Meter> {
        self.meter.lock(|meter| *meter = Meter::new(Instant::now()), || Meter::new(Instant::now()))
    }

    fn listener(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.listener.lock(|listener| *listener = None, || None)
    }

    /// At the end, when nothing is told in-band any more: the trap is told of the losses that it does not know.
    pub(super) fn tell_the_rest(&self) {
        let count = self.books.admit();
        if count > 0 {
            let records = if count == 1 { "record was" } else { "records were" };
            self.ledger().tell_last(&Error::new(format_args!(
                "queue {:?}: {count} {records} lost, of which its own log does not tell",
                self.name()
            )));
        }
    }

    pub(super) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed)
    }
}

impl Books for Core {
    fn bring_up_to_date(&self) {
        self.hand().tell(&*self.books);
    }
}
