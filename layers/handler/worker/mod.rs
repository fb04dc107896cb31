//! One bounded hand-over to a thread, for all that is done elsewhere: a [`Queue`](crate::Queue), an export in batches.
//!
//! A [`Worker`] takes items from any thread, within its limits, and runs a [`Job`] on a thread of its own. It knows when
//! everything given before is handled, ends within a deadline, and begins anew in a child of a fork.

pub(crate) mod batch;
#[cfg(feature = "otlp")]
pub(crate) mod batching;
mod bell;
mod budget;
mod hand;
mod lane;
mod overflow;
#[cfg(feature = "otlp")]
mod retry;
mod sync;
mod taker;
mod turns;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod wakes;

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, LocalKey, ThreadId},
    time::Duration,
};

pub use self::overflow::Overflow;
#[cfg(feature = "otlp")]
pub(crate) use self::retry::retry_after;
pub(crate) use self::{
    budget::Wish,
    hand::{Hand, Put, Waited},
    lane::{Lane, Load, Losses, Room},
    taker::{Taker, Task},
};
use crate::{
    barrier::{self, Waits},
    fork::{self, ForkMutex},
    record,
};

/// What a worker does with what it is given.
pub(crate) trait Job: Losses<Self::Item> + Sized + Send + Sync + 'static {
    type Item: Item;

    /// The work of the thread, until the hand-over says that it is the end.
    fn run(worker: &Arc<Worker<Self>>, hand: &Hand<Self::Item>);

    /// In a child of a fork, before the thread is there again: whether it is wanted.
    fn begins_anew(worker: &Worker<Self>) -> bool;

    /// In a child of a fork there was no thread to be had.
    fn failed(&self, worker: &Worker<Self>, error: std::io::Error);
}

/// Something that waits for a worker.
pub(crate) trait Item: Load + Send + Sized + 'static {
    /// A thread's places at the workers of such items.
    const SEATS: &'static LocalKey<RefCell<Vec<Seat<Self>>>>;
}

/// A thread's place at a worker.
pub(crate) struct Seat<T> {
    number: u64,
    hand: Arc<Hand<T>>,
    lane: Arc<Lane<T>>,
}

/// What a worker may hold, and what it does when it is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) capacity: usize,
    pub(crate) max_bytes: usize,
    pub(crate) overflow: Overflow,
}

pub(crate) struct Worker<J: Job> {
    pub(crate) job: J,
    thread_name: String,
    limits: Limits,
    /// How long a drop and a plain flush wait.
    pub(crate) drain: Duration,
    /// Another one after a fork.
    hand: ForkMutex<Arc<Hand<J::Item>>>,
    /// The number of the hand, by which threads find their lanes in it.
    number: AtomicU64,
    thread: ForkMutex<Option<ThreadId>>,
    /// Held by the thread that begins anew in a child.
    restarting: ForkMutex<()>,
    /// The process that the thread is one of: one more after each fork.
    generation: AtomicU64,
    /// Nothing comes in any more.
    is_shut: AtomicBool,
    /// How long a flush that ends the handler has waited, in milliseconds: its drop waits no longer than what is left.
    waited: AtomicU64,
}

/// A flush that was asked for.
pub(crate) struct Asked<T> {
    hand: Arc<Hand<T>>,
    ticket: u64,
}

/// What one that has nothing to do any more needs to say so.
const GRACE: Duration = Duration::from_millis(100);

thread_local! {
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

impl<J: Job> Worker<J> {
    /// Without its thread. A thread's name may hold no NUL; Linux shows the first 15 bytes of it.
    pub(crate) fn new(job: J, thread_name: &str, limits: Limits, drain: Duration) -> Arc<Self> {
        fork::watch();
        let worker = Arc::new(Self {
            job,
            thread_name: thread_name.replace('\0', ""),
            limits,
            drain,
            hand: ForkMutex::new(Self::new_hand(&limits)),
            number: AtomicU64::new(next_number()),
            thread: ForkMutex::default(),
            restarting: ForkMutex::default(),
            generation: AtomicU64::new(fork::generation()),
            is_shut: AtomicBool::new(false),
            waited: AtomicU64::new(0),
        });
        let waits: Weak<dyn Waits> = Arc::<Self>::downgrade(&worker) as _;
        barrier::register(waits);
        worker
    }

    fn new_hand(limits: &Limits) -> Arc<Hand<J::Item>> {
        let room = Room { records: limits.capacity, bytes: limits.max_bytes };
        Arc::new(Hand::new(room, limits.overflow))
    }

    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let this = Arc::clone(self);
        let work = move || {
            record::silence_this_thread();
            *this.thread() = Some(thread::current().id());
            let hand = this.hand();
            J::run(&this, &hand);
        };
        thread::Builder::new().name(self.thread_name.clone()).spawn(work).map(drop)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.limits.capacity
    }

    pub(crate) fn hand(&self) -> Arc<Hand<J::Item>> {
        fork::check();
        let fresh = || {
            let hand = Self::new_hand(&self.limits);
            self.number.store(next_number(), Ordering::Release);
            hand
        };
        Arc::clone(&self.hand.lock(|hand| *hand = fresh(), fresh))
    }

    // --- callers

    /// Takes an item, if there is or can be made room. Else it is given up.
    #[inline]
    pub(crate) fn put(self: &Arc<Self>, item: J::Item) -> Put {
        if self.is_of_the_parent() {
            self.restart();
        }
        let number = self.number.load(Ordering::Relaxed);
        let mut item = Some(item);
        let put = J::Item::SEATS.try_with(|seats| {
            let seats = seats.try_borrow().ok()?;
            let seat = seats.iter().find(|seat| seat.number == number)?;
            Some(seat.hand.put(&seat.lane, item.take()?, &self.job))
        });
        match (put, item) {
            (Ok(Some(put)), _) => put,
            (_, Some(item)) => self.put_without_seat(item, number),
            (_, None) => unreachable!("the item was put, so the result is here"),
        }
    }

    #[cold]
    fn put_without_seat(&self, item: J::Item, number: u64) -> Put {
        let hand = self.hand();
        let seated = J::Item::SEATS.try_with(|seats| {
            let mut seats = seats.try_borrow_mut().ok()?;
            // Those of workers that are no more.
            seats.retain(|seat| !seat.hand.has_ended());
            let lane = hand.lane(own_number());
            seats.push(Seat { number, hand: Arc::clone(&hand), lane: Arc::clone(&lane) });
            Some(lane)
        });
        // A thread that is ending has no seat any more.
        let lane = seated.ok().flatten().unwrap_or_else(|| hand.lane_of(own_number()));
        hand.put(&lane, item, &self.job)
    }

    /// Asks for a flush that the thread `caller` is going to wait for; none if that is the worker's own.
    pub(crate) fn ask(self: &Arc<Self>, wish: Wish, caller: ThreadId) -> Option<Asked<J::Item>> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        if self.is_own(caller) {
            return None;
        }
        let hand = self.hand();
        let ticket = hand.ask(wish);
        Some(Asked { hand, ticket })
    }

    /// Takes nothing any more, and waits until what waits is handled; what is left at the deadline is given up. None on the
    /// worker's own thread, which cannot wait for itself.
    pub(crate) fn shut_down(self: &Arc<Self>, deadline: Duration) -> Option<Waited> {
        self.begin_shut_down(deadline)?;
        Some(self.hand().shut_down(deadline, &self.job))
    }

    /// The same without waiting.
    pub(crate) fn begin_shut_down(self: &Arc<Self>, deadline: Duration) -> Option<()> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        self.is_shut.store(true, Ordering::Relaxed);
        self.hand().close(Some(deadline));
        (!self.is_own(thread::current().id())).then_some(())
    }

    /// A flush that ends the handler has waited so long.
    pub(crate) fn has_waited(&self, time: Duration) {
        self.waited.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What is left of the deadline in this end of the handler.
    pub(crate) fn left_to_end(&self) -> Duration {
        let waited = Duration::from_millis(self.waited.load(Ordering::Relaxed));
        self.drain.saturating_sub(waited).max(GRACE.min(self.drain))
    }

    pub(crate) fn is_own(&self, thread: ThreadId) -> bool {
        *self.thread() == Some(thread)
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed)
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock(|thread| *thread = None, || None)
    }

    // --- after a fork

    /// Begins anew in a child: what waits is the parent's, and is not handled here.
    #[cold]
    pub(crate) fn restart(self: &Arc<Self>) {
        let restarting = self.restarting.get();
        if !self.is_of_the_parent() {
            // Another thread was faster.
            return;
        }
        let hand = self.hand();
        let mut result = Ok(());
        if J::begins_anew(self) {
            self.is_shut.store(false, Ordering::Relaxed);
            result = self.start().inspect_err(|_| hand.end(None, &self.job));
        } else {
            hand.end(None, &self.job);
        }
        // From now on callers use what is new.
        self.generation.store(fork::generation(), Ordering::Release);
        // A trap may log.
        drop(restarting);
        if let Err(error) = result {
            self.job.failed(self, error);
        }
    }

    #[inline]
    pub(crate) fn is_of_the_parent(&self) -> bool {
        self.generation.load(Ordering::Acquire) != fork::generation()
    }
}

impl<T: Load> Asked<T> {
    pub(crate) fn wait(&self, deadline: Duration) -> Waited {
        self.hand.wait_for_flush(self.ticket, deadline)
    }
}

/// For those who give a command that comes after all items so far.
impl<J: Job> Waits for Worker<J> {
    fn ask(&self) -> Option<Box<dyn FnOnce()>> {
        if self.is_of_the_parent() || self.is_own(thread::current().id()) {
            return None;
        }
        let (hand, drain) = (self.hand(), self.drain);
        let ticket = hand.ask(Wish::Barrier);
        Some(Box::new(move || {
            hand.wait_for_flush(ticket, drain);
        }))
    }
}
