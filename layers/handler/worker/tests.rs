//! Who is woken when.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Overflow,
    channel::{Channel, PutResult},
    shard::{Capacity, LossCounter, Weighed},
};

struct Number {
    is_protected: bool,
}

const PLAIN: Number = Number { is_protected: false };
const SEVERE: Number = Number { is_protected: true };

impl Weighed for Number {
    fn bytes(&self) -> usize {
        1
    }

    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn discard(self) {}
}

struct NoLosses;

impl LossCounter<Number> for NoLosses {
    fn count_loss(&self, _: &Number) {}
}

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const RECORDS: usize = 1_024;

fn channel() -> Channel<Number> {
    Channel::new(Capacity { records: RECORDS, bytes: RECORDS }, Overflow::BLOCK)
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        thread::yield_now();
    }
}

/// So that a failed test does not wait for blocked senders.
struct Closes<'a, T: Weighed>(&'a Channel<T>);

impl<T: Weighed> Drop for Closes<'_, T> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

/// Two callers wait in a full queue.
fn two_wait(work: impl FnOnce(&Channel<Number>, &dyn Fn() -> usize)) {
    let channel = channel();
    let shard = channel.new_shard(0);
    (0..RECORDS).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoLosses), PutResult::Accepted));
    thread::scope(|scope| {
        let callers = [(); 2].map(|()| {
            let channel = &channel;
            scope.spawn(move || channel.put(&channel.new_shard(0), PLAIN, &NoLosses))
        });
        let closes = Closes(&channel);
        eventually("two wait", || channel.snapshot().blocked_sends == 2);
        work(&channel, &|| callers.iter().filter(|caller| caller.is_finished()).count());
        drop(closes);
        assert!(callers.into_iter().all(|caller| caller.join().unwrap() == PutResult::Accepted), "both came in");
    });
}

#[test]
fn callers_are_woken_together_when_a_quarter_is_free() {
    two_wait(|channel, finished| {
        (1..RECORDS / 4).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        // Not one of them: each wake costs more than many records.
        assert_eq!(channel.ungranted(), 2);
        channel.release(Capacity::one(1), false);
        assert_eq!(channel.ungranted(), 0);
        eventually("both go on", || finished() == 2);
    });
}

#[test]
fn callers_are_woken_one_by_one_where_the_handler_is_slow() {
    two_wait(|channel, finished| {
        channel.release(Capacity::one(1), true);
        assert_eq!(channel.ungranted(), 1);
        eventually("the first goes on", || finished() == 1);
        channel.release(Capacity::one(1), true);
        assert_eq!(channel.ungranted(), 0);
        eventually("the other goes on", || finished() == 2);
    });
}

enum Either {
    Small,
    /// Takes all there is.
    Large,
}

impl Weighed for Either {
    fn bytes(&self) -> usize {
        if matches!(self, Self::Large) { RECORDS } else { 1 }
    }

    fn is_protected(&self) -> bool {
        false
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn discard(self) {}
}

impl LossCounter<Either> for NoLosses {
    fn count_loss(&self, _: &Either) {}
}

/// Credit of other shards is no reason to wait.
#[test]
fn a_sender_that_needs_all_capacity_gets_the_credit_of_others() {
    let channel = Channel::new(Capacity { records: RECORDS, bytes: RECORDS }, Overflow::BLOCK);
    let shards = [channel.new_shard(0), channel.new_shard(0), channel.new_shard(0)];
    shards.iter().for_each(|shard| assert_eq!(channel.put(shard, Either::Small, &NoLosses), PutResult::Accepted));
    thread::scope(|scope| {
        let large = scope.spawn(|| channel.put(&channel.new_shard(0), Either::Large, &NoLosses));
        let closes = Closes(&channel);
        eventually("it waits", || channel.snapshot().blocked_sends == 1);
        // (Three were put in, and nothing was taken out of their shards.)
        (0..3).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        assert_eq!(channel.ungranted(), 0);
        eventually("it goes on", || large.is_finished());
        drop(closes);
        assert_eq!(large.join().unwrap(), PutResult::Accepted);
    });
}

/// Nor is credit of one that waited before it.
#[test]
fn no_credit_is_given_while_somebody_waits() {
    let channel = Channel::new(Capacity { records: RECORDS, bytes: RECORDS }, Overflow::BLOCK);
    let shard = channel.new_shard(0);
    (0..RECORDS).for_each(|_| assert_eq!(channel.put(&shard, Either::Small, &NoLosses), PutResult::Accepted));
    thread::scope(|scope| {
        let closes = Closes(&channel);
        let small = scope.spawn(|| channel.put(&channel.new_shard(1), Either::Small, &NoLosses));
        eventually("the small one waits", || channel.snapshot().blocked_sends == 1);
        let large = scope.spawn(|| channel.put(&channel.new_shard(2), Either::Large, &NoLosses));
        eventually("the large one waits", || channel.snapshot().blocked_sends == 2);
        (0..RECORDS / 2).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        eventually("the small one goes on", || small.is_finished());
        (0..=RECORDS / 2).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        eventually("the large one goes on", || large.is_finished());
        drop(closes);
        assert_eq!((small.join().unwrap(), large.join().unwrap()), (PutResult::Accepted, PutResult::Accepted));
    });
}

/// Parked for so long that only a notification ends it.
fn parked_until(put: impl FnOnce(&Channel<Number>)) {
    let channel = Arc::new(channel());
    let worker = thread::spawn({
        let channel = Arc::clone(&channel);
        move || {
            let began = Instant::now();
            channel.notifier().park(LONG);
            began.elapsed()
        }
    });
    eventually("it is parked", || !channel.notifier().is_awake());
    put(&channel);
    assert!(worker.join().unwrap() < LONG, "nobody notified it");
}

#[test]
fn a_severe_record_wakes_a_parked_worker() {
    parked_until(|channel| {
        assert_eq!(channel.put(&channel.new_shard(0), SEVERE, &NoLosses), PutResult::Accepted);
    });
    parked_until(|channel| {
        let shard = channel.new_shard(0);
        assert_eq!(channel.put(&shard, PLAIN, &NoLosses), PutResult::Accepted);
        assert!(!channel.notifier().is_awake(), "it looks by itself in a moment");
        // Within the credit.
        assert_eq!(channel.put(&shard, SEVERE, &NoLosses), PutResult::Accepted);
    });
}

#[test]
fn a_half_full_queue_wakes_a_parked_worker() {
    parked_until(|channel| {
        let shard = channel.new_shard(0);
        // Credit counts as if it was used.
        let quiet = RECORDS / 2 - RECORDS / 8;
        (0..quiet).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoLosses), PutResult::Accepted));
        assert!(!channel.notifier().is_awake(), "it looks by itself in a moment");
        (quiet..=RECORDS / 2).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoLosses), PutResult::Accepted));
        assert!(channel.notifier().is_awake());
    });
}
