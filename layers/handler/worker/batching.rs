//! Many items in one request: what a worker does for an output that takes them so, as a collector does.

use std::{
    cell::RefCell,
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, LocalKey},
    time::{Duration, Instant, SystemTime},
};

use super::{
    Asked, Hand, Item, Job, Limits, Load, Losses, Overflow, Room, Seat, Taker, Task, Waited, Wish, Worker,
    budget::Phase, retry::Backoff,
};
use crate::{
    Error,
    fork::ForkMutex,
    ledger::{End, Ledger, Receipt, Receipts},
    unwind::{catch, panicked},
};

/// Where batches go.
pub(crate) trait Export: Send + Sync + 'static {
    type Item: Seated;
    type Request;
    /// Made on the worker's thread, and dropped there.
    type Client;

    fn connect(&self) -> Result<Self::Client, Error>;

    /// Makes a request of a batch, and of how many were lost before it.
    fn encode(&self, batch: &[Self::Item], lost: u64) -> Self::Request;

    /// Sends it, once. `left` is there until the deadline of a shutdown.
    fn send(&self, client: &mut Self::Client, request: &Self::Request, left: Option<Duration>) -> Answer;
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Taken, but for some.
    Taken { rejected: u64, message: String },
    /// Refused; the same again would be refused again.
    Refused(Error),
    /// Not now, or not known: to be tried again, after this time if the receiver asks for it.
    Later { after: Option<Duration>, error: Error },
}

/// How much goes into a batch, and how long it is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What errors call the output, and its items.
    pub(crate) output: &'static str,
    pub(crate) what: &'static str,
    pub(crate) thread: &'static str,
    pub(crate) capacity: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_batch: usize,
    /// Estimated, before a request is made.
    pub(crate) batch_bytes: usize,
    /// How long an item waits for others.
    pub(crate) delay: Duration,
    pub(crate) retry_for: Duration,
}

/// Items of which threads know their places at workers.
pub(crate) trait Seated: Send + Sized + 'static {
    const SEATS: &'static LocalKey<RefCell<Vec<Seat<Packed<Self>>>>>;
}

/// An item with its receipt.
pub(crate) struct Packed<T> {
    item: T,
    bytes: usize,
    receipt: Receipt,
}

impl<T: Seated> Item for Packed<T> {
    const SEATS: &'static LocalKey<RefCell<Vec<Seat<Self>>>> = T::SEATS;
}

impl<T> Load for Packed<T> {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_protected(&self) -> bool {
        false
    }

    fn time(&self) -> SystemTime {
        // A request has no order between threads.
        SystemTime::UNIX_EPOCH
    }

    fn give_up(self) {
        self.receipt.dropped();
    }
}

/// The job of a worker that sends batches.
pub(crate) struct Batches<E> {
    export: E,
    plan: Plan,
    /// Who is told what fails.
    ledger: OnceLock<Arc<Ledger>>,
    /// Lost, and not told in-band yet.
    lost: AtomicU64,
    in_hand: AtomicUsize,
    /// Dropped because the deadline of a shutdown came.
    given_up: AtomicUsize,
    last_failure: ForkMutex<Option<String>>,
    /// Hears whether the thread can send.
    ready: ForkMutex<Option<SyncSender<Result<(), Error>>>>,
}

impl<E: Export> Losses<Packed<E::Item>> for Batches<E> {
    fn lose(&self, _: &Packed<E::Item>) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl<E: Export> Job for Batches<E> {
    type Item = Packed<E::Item>;

    fn run(worker: &Arc<Worker<Self>>, hand: &Hand<Self::Item>) {
        let job = &worker.job;
        let ready = job.ready.get().take();
        let answer = |result| match (ready, result) {
            (Some(ready), result) => ready.send(result).unwrap_or_default(),
            // That it can was seen before a fork.
            (None, Err(error)) => job.ledger().report_error(&error),
            (None, Ok(())) => {}
        };
        // Here, because a runtime of tokio must not be dropped on a thread of another one.
        match job.export.connect() {
            Ok(client) => {
                answer(Ok(()));
                let receipts = Receipts::default();
                let mut sender =
                    Sender { job, hand, client, taker: Taker::new(), batch: Vec::new(), receipts, bytes: 0 };
                if let Err(panic) = catch(|| sender.work()) {
                    job.ledger().report_error(&panicked("export", &panic));
                }
                sender.leave();
            }
            Err(error) => answer(Err(error)),
        }
        hand.end(None, job);
    }

    fn begins_anew(worker: &Worker<Self>) -> bool {
        worker.job.lost.store(0, Ordering::Relaxed);
        // What was shut down stays so.
        !worker.is_shut()
    }

    fn failed(&self, _: &Worker<Self>, error: std::io::Error) {
        self.ledger().report_error(&self.no_thread(error));
    }
}

impl<E> Batches<E> {
    fn ledger(&self) -> &Arc<Ledger> {
        // As long as nothing came.
        self.ledger.get_or_init(|| Ledger::apart(self.plan.what))
    }

    fn no_thread(&self, error: std::io::Error) -> Error {
        Error::with_source(format_args!("{}: cannot start the thread that sends", self.plan.output), error)
    }

    fn note_failure(&self, error: Option<&Error>) {
        *self.last_failure.get() = error.map(Error::to_string);
    }
}

/// What the worker's thread has.
struct Sender<'a, E: Export> {
    job: &'a Batches<E>,
    hand: &'a Hand<Packed<E::Item>>,
    client: E::Client,
    taker: Taker<Packed<E::Item>>,
    batch: Vec<E::Item>,
    receipts: Receipts,
    bytes: usize,
}

impl<E: Export> Sender<'_, E> {
    fn work(&mut self) {
        let plan = &self.job.plan;
        while !self.is_given_up() {
            match self.taker.next(self.hand, plan.max_batch - self.batch.len()) {
                Task::Handle => {
                    while !self.is_given_up()
                        && let Some(packed) = self.taker.pop()
                    {
                        self.add(packed);
                    }
                }
                Task::Rest => {}
                Task::Timer => self.send(),
                Task::Flush(wanted) => {
                    self.send();
                    self.hand.flushed(wanted.ticket, None);
                }
                Task::End => return self.send(),
            }
        }
    }

    fn add(&mut self, packed: Packed<E::Item>) {
        let plan = &self.job.plan;
        let Packed { item, bytes, receipt } = packed;
        if self.bytes + bytes > plan.batch_bytes {
            self.send();
        }
        if self.batch.is_empty() {
            self.taker.timer = Instant::now().checked_add(plan.delay);
        }
        self.bytes += bytes;
        self.batch.push(item);
        self.receipts.push(receipt);
        if self.batch.len() >= plan.max_batch {
            self.send();
        }
    }

    /// Sends what there is, again and again if it must be, and ends its receipts.
    fn send(&mut self) {
        self.taker.timer = None;
        if self.batch.is_empty() {
            return;
        }
        let (job, count) = (self.job, self.batch.len());
        job.in_hand.store(count, Ordering::Relaxed);
        let batch = mem::take(&mut self.batch);
        if let Err(panic) = catch(|| self.send_batch(batch)) {
            self.receipts.fail(count, panicked("export", &panic));
        }
        job.in_hand.store(0, Ordering::Relaxed);
        self.hand.release(Room { records: count, bytes: mem::take(&mut self.bytes) }, false);
    }

    fn send_batch(&mut self, batch: Vec<E::Item>) {
        let (job, count) = (self.job, batch.len());
        let Plan { output, what, retry_for, .. } = job.plan;
        let request = job.export.encode(&batch, job.lost.swap(0, Ordering::Relaxed));
        drop(batch);
        let began = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            let left = self.hand.give_up_at().map(|at| at.saturating_duration_since(Instant::now()));
            let error = match job.export.send(&mut self.client, &request, left) {
                Answer::Taken { rejected, message } => return self.taken(rejected, &message),
                Answer::Refused(error) => return self.lost(count, error),
                Answer::Later { after, error } => {
                    let wait = after.unwrap_or_else(|| backoff.next());
                    if began.elapsed().saturating_add(wait) <= retry_for {
                        job.note_failure(Some(&error));
                        if !backoff.is_told() {
                            job.ledger().report_error(&error);
                        }
                        if self.pause(wait) {
                            continue;
                        }
                        // Given up on purpose, by the deadline of a shutdown.
                        job.given_up.fetch_add(count, Ordering::Relaxed);
                        return self.receipts.end(count, End::Dropped);
                    }
                    error
                }
            };
            let spent = began.elapsed();
            let error = Error::with_source(format_args!("{output}: {count} {what} given up after {spent:.1?}"), error);
            return self.lost(count, error);
        }
    }

    fn taken(&mut self, rejected: u64, message: &str) {
        let count = self.receipts.len();
        let rejected = usize::try_from(rejected).unwrap_or(count).min(count);
        // Which ones is not told.
        self.receipts.end(count - rejected, End::Written);
        self.job.note_failure(None);
        if rejected > 0 || !message.is_empty() {
            let Plan { output, what, .. } = self.job.plan;
            let error =
                Error::new(format_args!("{output}: the collector rejected {rejected} of {count} {what}: {message:?}"));
            if rejected > 0 {
                return self.lost(rejected, error);
            }
            self.job.note_failure(Some(&error));
            self.job.ledger().report_error(&error);
        }
    }

    fn lost(&mut self, count: usize, error: Error) {
        self.job.note_failure(Some(&error));
        self.receipts.fail(count, error);
    }

    /// False if the deadline of a shutdown comes first.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            if self.is_given_up() {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let at = self.hand.give_up_at().map_or(until, |at| at.min(until));
            self.hand.bell().doze(at.saturating_duration_since(now));
        }
    }

    fn is_given_up(&self) -> bool {
        self.hand.wishes().0 == Phase::Abandoned || self.hand.give_up_at().is_some_and(|at| at <= Instant::now())
    }

    /// Gives up what it has, before what waits is given up.
    fn leave(&mut self) {
        self.job.given_up.fetch_add(self.hand.look().held.records, Ordering::Relaxed);
        self.batch.clear();
        self.receipts.end(self.receipts.len(), End::Dropped);
        std::iter::from_fn(|| self.taker.pop()).for_each(Load::give_up);
    }
}

/// The way to an export in batches. Clones are the same way.
pub(crate) struct Pipe<E: Export>(Arc<Worker<Batches<E>>>);

impl<E: Export> Clone for Pipe<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Export> Pipe<E> {
    /// Starts the thread, and waits until it can send.
    pub(crate) fn spawn(export: E, plan: Plan, drain: Duration) -> Result<Self, Error> {
        let (ready, is_ready) = mpsc::sync_channel(1);
        let job = Batches {
            export,
            plan,
            ledger: OnceLock::new(),
            lost: AtomicU64::new(0),
            in_hand: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            last_failure: ForkMutex::default(),
            ready: ForkMutex::new(Some(ready)),
        };
        let Plan { capacity, max_bytes, .. } = plan;
        let worker =
            Worker::new(job, plan.thread, Limits { capacity, max_bytes, overflow: Overflow::DropNewest }, drain);
        worker.start().map_err(|error| worker.job.no_thread(error))?;
        let gone = |_| Error::new(format_args!("{}: the thread that sends ended at once", plan.output));
        is_ready.recv().map_err(gone)??;
        Ok(Self(worker))
    }

    /// The first place that something comes from is told what fails.
    #[inline]
    pub(crate) fn belong_to(&self, ledger: impl FnOnce() -> Option<Arc<Ledger>>) {
        if self.0.job.ledger.get().is_none()
            && let Some(ledger) = ledger()
        {
            self.0.job.ledger.get_or_init(|| ledger);
        }
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.0.job.ledger()
    }

    /// Where there is no room, or nothing is taken any more, it is dropped.
    #[inline]
    pub(crate) fn put(&self, item: E::Item, bytes: usize, receipt: Receipt) {
        self.0.put(Packed { item, bytes, receipt });
    }

    /// Has all that was put before sent without delay, and waits for it: [`drain`](Worker::flush_timeout) at most.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.begin_flush().wait(self.0.drain)
    }

    pub(crate) fn begin_flush(&self) -> Due<'_, E> {
        Due { pipe: self, asked: self.0.ask(Wish::Flush, thread::current().id()), began: Instant::now(), ends: false }
    }

    /// Takes nothing any more, and has what waits sent; what is left at the deadline is dropped.
    pub(crate) fn begin_shut_down(&self, deadline: Duration) -> Due<'_, E> {
        let began = Instant::now();
        // On its own thread nothing can be waited for.
        let is_other = self.0.begin_shut_down(deadline).is_some();
        Due { pipe: self, asked: None, began, ends: is_other }
    }

    /// The same, with nobody to return an error to.
    pub(crate) fn end(&self) {
        if let Err(error) = self.begin_shut_down(self.0.drain).wait(self.0.drain) {
            self.ledger().report_error(&error);
        }
    }
}

/// Something that was asked for, and can be waited for.
pub(crate) struct Due<'a, E: Export> {
    pipe: &'a Pipe<E>,
    asked: Option<Asked<Packed<E::Item>>>,
    began: Instant,
    ends: bool,
}

impl<E: Export> Due<'_, E> {
    /// Until it is done, or the deadline, counted from when it was asked for.
    pub(crate) fn wait(&self, deadline: Duration) -> Result<(), Error> {
        let worker = &self.pipe.0;
        let left = deadline.saturating_sub(self.began.elapsed());
        let waited = match &self.asked {
            Some(asked) => asked.wait(left),
            None if self.ends => worker.hand().shut_down(left, &worker.job),
            None => return Ok(()),
        };
        let mut unsent = if let Waited::Left(left) = waited { left } else { 0 };
        let job = &worker.job;
        if self.ends {
            unsent = unsent.max(job.given_up.load(Ordering::Relaxed));
        }
        if unsent == 0 {
            return Ok(());
        }
        let Plan { output, what, .. } = job.plan;
        let (doing, in_hand) = (if self.ends { "shutdown" } else { "flush" }, job.in_hand.load(Ordering::Relaxed));
        let why = job.last_failure.get().as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        Err(Error::new(format_args!(
            "{output}: {doing}: {unsent} {what} not sent within {deadline:?}, {in_hand} of them on their way{why}"
        )))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{panic::resume_unwind, sync::Mutex};

    use super::*;
    use crate::{Delivery, Flush, Handler, HandlerExt as _, Outcome, Record, Severity, record::OwnedRecord};

    /// Takes, refuses, is away for good or for a moment, and panics, as the dice say.
    struct Moody {
        dice: Mutex<fastrand::Rng>,
        taken: Arc<Mutex<Vec<u64>>>,
    }

    impl Export for Moody {
        type Item = OwnedRecord;
        type Request = Vec<u64>;
        type Client = ();

        fn connect(&self) -> Result<(), Error> {
            Ok(())
        }

        fn encode(&self, batch: &[OwnedRecord], _: u64) -> Vec<u64> {
            batch.iter().map(|record| id(record)).collect()
        }

        fn send(&self, (): &mut (), request: &Vec<u64>, _: Option<Duration>) -> Answer {
            let error = Error::new("scripted");
            let rejected = match self.dice.lock().unwrap().u32(0..6) {
                0 => return Answer::Refused(error),
                1 => return Answer::Later { after: Some(Duration::MAX), error },
                2 => return Answer::Later { after: Some(Duration::ZERO), error },
                3 => resume_unwind(Box::new("scripted")),
                4 => 1,
                _ => 0,
            };
            self.taken.lock().unwrap().extend(&request[..request.len() - rejected]);
            Answer::Taken { rejected: rejected as u64, message: String::new() }
        }
    }

    struct Batched(Pipe<Moody>);

    impl Handler for Batched {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.belong_to(|| delivery.ledger());
            let (record, receipt) = delivery.take().split();
            self.0.put(record, 1, receipt);
            Ok(Outcome::Queued)
        }

        fn flush(&self, _: &Flush) -> Result<(), Error> {
            self.0.flush()
        }
    }

    #[derive(Clone, Default)]
    struct Collect(Arc<Mutex<Vec<u64>>>);

    impl Handler for Collect {
        fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
            self.0.lock().unwrap().push(id(&delivery));
            Ok(Outcome::Written)
        }
    }

    const SENDERS: u64 = 2;
    const EACH: u64 = 30;

    fn record(id: u64) -> Record {
        Record::new(Severity::INFO, "t", &id.to_string())
    }

    fn id(record: &Record) -> u64 {
        record.message().parse().unwrap()
    }

    fn in_order(ids: &[u64]) -> bool {
        let of = |sender: u64| ids.iter().filter(move |id| **id / EACH == sender);
        (0..SENDERS).all(|sender| of(sender).is_sorted())
    }

    /// Whatever the other side says: each record is taken there or by the fallback, once and in order.
    #[test]
    fn a_fallback_gets_what_a_batch_did_not_bring_there() {
        for seed in 0..300 {
            let mut dice = fastrand::Rng::with_seed(seed);
            let plan = Plan {
                output: "moody",
                what: "records",
                thread: "strata-moody",
                capacity: 1_000,
                max_bytes: 1_000,
                max_batch: dice.usize(1..20),
                batch_bytes: dice.usize(1..20),
                delay: Duration::from_micros(dice.u64(0..500)),
                retry_for: Duration::from_secs(60),
            };
            let (taken, rest) = (Arc::<Mutex<Vec<u64>>>::default(), Collect::default());
            let export = Moody { dice: Mutex::new(dice), taken: Arc::clone(&taken) };
            let pipe = Pipe::spawn(export, plan, Duration::from_secs(60)).unwrap();
            let top = Batched(pipe.clone()).fallback(rest.clone()).notices(false).named("top");
            top.set_error_handler(crate::ledger::ErrorHandler::silent());
            thread::scope(|scope| {
                for sender in 0..SENDERS {
                    let top = &top;
                    scope.spawn(move || (0..EACH).for_each(|n| top.emit(&record(sender * EACH + n))));
                }
            });
            top.flush().unwrap();
            let (taken, rest) = (taken.lock().unwrap().clone(), rest.0.lock().unwrap().clone());
            let mut all = [&*taken, &*rest].concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..SENDERS * EACH), "seed {seed}: {taken:?} and {rest:?}");
            assert!(in_order(&taken) && in_order(&rest), "seed {seed}: {taken:?} and {rest:?}");
            let stats = top.stats();
            let expected = (SENDERS * EACH, rest.len() as u64, 0, 0);
            assert_eq!(
                (stats.written, stats.fallback_written, stats.failed, stats.queued),
                expected,
                "seed {seed}: {stats}"
            );

            pipe.begin_shut_down(Duration::from_secs(60)).wait(Duration::from_secs(60)).unwrap();
            top.emit(&record(0));
            assert_eq!(top.stats().fallback_written, expected.1 + 1, "seed {seed}: it came too late");
        }
    }

    /// What has no room and no fallback is dropped; what the deadline of a shutdown overtakes, too.
    #[test]
    fn what_finds_no_room_and_what_is_left_is_dropped() {
        struct Away;

        impl Export for Away {
            type Item = OwnedRecord;
            type Request = ();
            type Client = ();

            fn connect(&self) -> Result<(), Error> {
                Ok(())
            }

            fn encode(&self, _: &[OwnedRecord], _: u64) {}

            fn send(&self, (): &mut (), (): &(), _: Option<Duration>) -> Answer {
                Answer::Later { after: Some(Duration::from_secs(30)), error: Error::new("away") }
            }
        }

        let plan = Plan {
            output: "away",
            what: "records",
            thread: "strata-away",
            capacity: 5,
            max_bytes: 1_000,
            max_batch: 2,
            batch_bytes: 1_000,
            delay: Duration::ZERO,
            retry_for: Duration::from_secs(60),
        };
        let ledger = Ledger::apart("away");
        let pipe = Pipe::spawn(Away, plan, Duration::from_secs(60)).unwrap();
        pipe.belong_to(|| Some(Arc::clone(&ledger)));
        (0..8).for_each(|n| pipe.put(record(n).keep(), 1, Receipt::on(Some(ledger.account()))));
        assert_eq!((ledger.stats().queued, ledger.stats().dropped), (5, 3));
        let error = pipe.begin_shut_down(Duration::from_millis(10)).wait(Duration::from_millis(10)).unwrap_err();
        assert!(error.to_string().starts_with("away: shutdown: 5 records not sent within 10ms"), "{error}");
        // The thread gives up what it has in hand.
        while ledger.stats().queued > 0 {
            thread::yield_now();
        }
        assert_eq!((ledger.stats().dropped, ledger.stats().failed), (8, 0));
    }
}
