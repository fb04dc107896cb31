//! One bounded channel to a worker thread, for a [`Queue`](crate::Queue) and for exports in batches.
//!
//! A [`Worker`] takes items from any thread, within its limits, and runs a [`Job`] on its own thread. It can wait until
//! all earlier items are handled, shuts down within a deadline, and restarts in the child of a fork.

pub(crate) mod batching;
mod channel;
mod control;
pub(crate) mod deferred;
mod notifier;
mod overflow;
mod receiver;
mod shard;
mod state;
mod sync;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod wait_queue;

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, LocalKey, ThreadId},
    time::{Duration, Instant},
};

pub use self::overflow::Overflow;
pub(crate) use self::{
    channel::{Channel, PutResult},
    control::WaitResult,
    receiver::{Receiver, Task},
    shard::{Capacity, LossCounter, Shard, Weighed},
    state::{Command, Evicted},
};
use crate::{
    barrier::{self, Buffers},
    fork::{self, ForkMutex},
    record,
};

/// What a worker does with its items.
pub(crate) trait Job: LossCounter<Self::Item> + Sized + Send + Sync + 'static {
    type Item: Item;

    /// The loop of the thread, until the channel ends.
    fn run(worker: &Arc<Worker<Self>>, channel: &Channel<Self::Item>);

    /// In the child of a fork: whether to start the thread again.
    fn restarts(worker: &Worker<Self>) -> bool;

    /// In the child of a fork, the thread did not start.
    fn restart_failed(&self, worker: &Worker<Self>, error: std::io::Error);
}

/// An item for a worker.
pub(crate) trait Item: Weighed + Send + Sized + 'static {
    /// The shards of this thread, at all workers with such items.
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<Self>>>>;
}

/// The shard of a thread at one worker.
pub(crate) struct ShardHandle<T> {
    number: u64,
    channel: Arc<Channel<T>>,
    shard: Arc<Shard<T>>,
}

/// How much a worker may hold, and what it does when it is full.
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
    /// How long a drop and a plain flush wait at most.
    pub(crate) flush_timeout: Duration,
    /// A new one after a fork.
    channel: ForkMutex<Arc<Channel<J::Item>>>,
    /// Identifies the channel: threads find their shard by it.
    number: AtomicU64,
    thread: ForkMutex<Option<ThreadId>>,
    /// Held by the thread that restarts the worker in the child of a fork.
    restarting: ForkMutex<()>,
    /// The fork generation in which the thread was started, or [`NOT_STARTED`].
    generation: AtomicU64,
    /// No item is accepted any more.
    is_shut: AtomicBool,
    /// How long the final flush of the handler has waited, in milliseconds. Its drop waits for the rest of the timeout
    /// only.
    waited: AtomicU64,
}

/// A flush or a shutdown that has begun.
pub(crate) struct Pending<J: Job> {
    worker: Arc<Worker<J>>,
    channel: Arc<Channel<J::Item>>,
    /// None for a shutdown.
    ticket: Option<u64>,
    began: Instant,
}

const NOT_STARTED: u64 = u64::MAX;

/// An idle worker needs no longer than this to end.
const GRACE: Duration = Duration::from_millis(100);

thread_local! {
    /// The thread's number. It needs no drop, so it is there for the whole life of the thread.
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
    /// A worker whose thread does not run before [`start`](Self::start), or the first item. A thread name may not contain NUL; Linux shows its first 15 bytes.
    pub(crate) fn new(job: J, thread_name: &str, limits: Limits, flush_timeout: Duration) -> Arc<Self> {
        fork::watch();
        let worker = Arc::new(Self {
            job,
            thread_name: thread_name.replace('\0', ""),
            limits,
            flush_timeout,
            channel: ForkMutex::new(Self::new_channel(&limits)),
            number: AtomicU64::new(next_number()),
            thread: ForkMutex::default(),
            restarting: ForkMutex::default(),
            generation: AtomicU64::new(NOT_STARTED),
            is_shut: AtomicBool::new(false),
            waited: AtomicU64::new(0),
        });
        let buffers: Weak<dyn Buffers> = Arc::<Self>::downgrade(&worker) as _;
        barrier::register(buffers);
        worker
    }

    fn new_channel(limits: &Limits) -> Arc<Channel<J::Item>> {
        let room = Capacity { records: limits.capacity, bytes: limits.max_bytes };
        Arc::new(Channel::new(room, limits.overflow))
    }

    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let this = Arc::clone(self);
        let work = move || {
            record::silence_this_thread();
            *this.thread() = Some(thread::current().id());
            let channel = this.channel();
            J::run(&this, &channel);
        };
        thread::Builder::new().name(self.thread_name.clone()).spawn(work)?;
        self.generation.store(fork::generation(), Ordering::Release);
        Ok(())
    }

    fn is_started(&self) -> bool {
        self.generation.load(Ordering::Acquire) != NOT_STARTED
    }

    pub(crate) fn capacity(&self) -> usize {
        self.limits.capacity
    }

    pub(crate) fn channel(&self) -> Arc<Channel<J::Item>> {
        fork::check();
        let fresh = || {
            let channel = Self::new_channel(&self.limits);
            self.number.store(next_number(), Ordering::Release);
            channel
        };
        Arc::clone(&self.channel.lock(|channel| *channel = fresh(), fresh))
    }

    // --- callers

    /// Puts an item in. Where it does not fit, it is discarded.
    #[inline]
    pub(crate) fn put(self: &Arc<Self>, item: J::Item) -> PutResult {
        if self.is_of_the_parent() {
            self.restart();
        }
        let number = self.number.load(Ordering::Relaxed);
        let mut item = Some(item);
        let put = J::Item::HANDLES.try_with(|handles| {
            let handles = handles.try_borrow().ok()?;
            let handle = handles.iter().find(|handle| handle.number == number)?;
            Some(handle.channel.put(&handle.shard, item.take()?, &self.job))
        });
        match (put, item) {
            (Ok(Some(put)), _) => put,
            (_, Some(item)) => self.put_without_handle(item, number),
            (_, None) => unreachable!("the item was put, so the result is here"),
        }
    }

    #[cold]
    fn put_without_handle(&self, item: J::Item, number: u64) -> PutResult {
        let channel = self.channel();
        let seated = J::Item::HANDLES.try_with(|handles| {
            let mut handles = handles.try_borrow_mut().ok()?;
            // Drop those of workers that have ended.
            handles.retain(|handle| !handle.channel.has_ended());
            let shard = channel.new_shard(own_number());
            handles.push(ShardHandle { number, channel: Arc::clone(&channel), shard: Arc::clone(&shard) });
            Some(shard)
        });
        // A thread that is ending can keep no handle.
        let shard = seated.ok().flatten().unwrap_or_else(|| channel.shard_of(own_number()));
        channel.put(&shard, item, &self.job)
    }

    /// Begins a flush for the thread `caller` to wait for. None if that is the worker's own thread.
    pub(crate) fn begin_flush(self: &Arc<Self>, command: Command, caller: ThreadId) -> Option<Pending<J>> {
        if !self.is_started() {
            // There are no items: it is done.
            return Some(Pending {
                worker: Arc::clone(self),
                channel: self.channel(),
                ticket: Some(0),
                began: Instant::now(),
            });
        }
        let (channel, began) = (self.own_channel(), Instant::now());
        (!self.is_own(caller)).then(|| {
            let ticket = Some(channel.request(command));
            Pending { worker: Arc::clone(self), channel, ticket, began }
        })
    }

    /// Accepts no more items. The rest is handled until the deadline, and discarded then. None on the worker's own
    /// thread, which cannot wait for itself.
    pub(crate) fn begin_shut_down(self: &Arc<Self>, deadline: Duration) -> Option<Pending<J>> {
        if !self.is_started() {
            // There is nothing to do, and nobody to do it.
            self.generation.store(fork::generation(), Ordering::Release);
            self.channel().end(None, &self.job);
        }
        let (channel, began) = (self.own_channel(), Instant::now());
        self.is_shut.store(true, Ordering::Relaxed);
        channel.close(Some(deadline));
        let is_other = !self.is_own(thread::current().id());
        is_other.then(|| Pending { worker: Arc::clone(self), channel, ticket: None, began })
    }

    /// The channel of this process: in the child of a fork, this restarts the worker.
    fn own_channel(self: &Arc<Self>) -> Arc<Channel<J::Item>> {
        fork::check();
        if self.is_of_the_parent() {
            self.restart();
        }
        self.channel()
    }

    /// Notes how long the final flush of the handler has waited.
    pub(crate) fn has_waited(&self, time: Duration) {
        self.waited.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What the final flush has left of the timeout.
    pub(crate) fn left_to_end(&self) -> Duration {
        let waited = Duration::from_millis(self.waited.load(Ordering::Relaxed));
        self.flush_timeout.saturating_sub(waited).max(GRACE.min(self.flush_timeout))
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

    /// Restarts in the child of a fork. Buffered items are the parent's and are not handled here.
    #[cold]
    pub(crate) fn restart(self: &Arc<Self>) {
        let restarting = self.restarting.get();
        if !self.is_of_the_parent() {
            // Another thread has done it.
            return;
        }
        let channel = self.channel();
        let mut result = Ok(());
        if J::restarts(self) {
            self.is_shut.store(false, Ordering::Relaxed);
            result = self.start().inspect_err(|_| channel.end(None, &self.job));
        } else {
            channel.end(None, &self.job);
        }
        self.generation.store(fork::generation(), Ordering::Release);
        // The error handler may log.
        drop(restarting);
        if let Err(error) = result {
            self.job.restart_failed(self, error);
        }
    }

    #[inline]
    pub(crate) fn is_of_the_parent(&self) -> bool {
        self.generation.load(Ordering::Acquire) != fork::generation()
    }
}

impl<J: Job> Pending<J> {
    /// Waits until the deadline, counted from the beginning.
    pub(crate) fn wait(&self, deadline: Duration) -> WaitResult {
        let left = deadline.saturating_sub(self.began.elapsed());
        match self.ticket {
            Some(ticket) => self.channel.wait_for_flush(ticket, left),
            None => self.channel.wait_for_end(left, &self.worker.job),
        }
    }

    pub(crate) fn is_shutdown(&self) -> bool {
        self.ticket.is_none()
    }
}

impl<J: Job> Buffers for Worker<J> {
    fn begin_barrier(&self) -> Option<Box<dyn FnOnce()>> {
        if self.is_of_the_parent() || self.is_own(thread::current().id()) {
            return None;
        }
        let (channel, flush_timeout) = (self.channel(), self.flush_timeout);
        let ticket = channel.request(Command::Barrier);
        Some(Box::new(move || {
            channel.wait_for_flush(ticket, flush_timeout);
        }))
    }
}
