//! Tests of who is woken when.

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

struct NoBooks;

impl LossCounter<Number> for NoBooks {
    fn count_loss(&self, _: &Number) {}
}

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const PLACES: usize = 1_024;

fn channel() -> Channel<Number> {
    Channel::new(Capacity { records: PLACES, bytes: PLACES }, Overflow::BLOCK)
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        thread::yield_now();
    }
}

/// So that a test that fails does not wait for callers that wait for room.
struct Closes<'a, T: Weighed>(&'a Channel<T>);

impl<T: Weighed> Drop for Closes<'_, T> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

/// Two callers wait for room in a full queue.
fn two_wait(work: impl FnOnce(&Channel<Number>, &dyn Fn() -> usize)) {
    let channel = channel();
    let shard = channel.new_shard(0);
    (0..PLACES).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoBooks), PutResult::Accepted));
    thread::scope(|scope| {
        let callers = [(); 2].map(|()| {
            let channel = &channel;
            scope.spawn(move || channel.put(&channel.new_shard(0), PLAIN, &NoBooks))
        });
        let closes = Closes(&channel);
        eventually("two wait", || channel.snapshot().waits == 2);
        work(&channel, &|| callers.iter().filter(|caller| caller.is_finished()).count());
        drop(closes);
        assert!(callers.into_iter().all(|caller| caller.join().unwrap() == PutResult::Accepted), "both came in");
    });
}

#[test]
fn callers_are_woken_together_when_a_quarter_is_free() {
    two_wait(|channel, finished| {
        (1..PLACES / 4).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
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
        if matches!(self, Self::Large) { PLACES } else { 1 }
    }

    fn is_protected(&self) -> bool {
        false
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn discard(self) {}
}

impl LossCounter<Either> for NoBooks {
    fn count_loss(&self, _: &Either) {}
}

/// What was set aside for other lanes is not what it waits for in vain.
#[test]
fn who_wants_all_room_gets_what_others_have_leased() {
    let channel = Channel::new(Capacity { records: PLACES, bytes: PLACES }, Overflow::BLOCK);
    let shards = [channel.new_shard(0), channel.new_shard(0), channel.new_shard(0)];
    shards.iter().for_each(|shard| assert_eq!(channel.put(shard, Either::Small, &NoBooks), PutResult::Accepted));
    thread::scope(|scope| {
        let large = scope.spawn(|| channel.put(&channel.new_shard(0), Either::Large, &NoBooks));
        let closes = Closes(&channel);
        eventually("it waits", || channel.snapshot().waits == 1);
        // (Three were put, and nothing was taken out of their lanes.)
        (0..3).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        assert_eq!(channel.ungranted(), 0);
        eventually("it goes on", || large.is_finished());
        drop(closes);
        assert_eq!(large.join().unwrap(), PutResult::Accepted);
    });
}

/// Nor what one that waited before it would set aside for itself.
#[test]
fn nothing_is_leased_while_somebody_waits() {
    let channel = Channel::new(Capacity { records: PLACES, bytes: PLACES }, Overflow::BLOCK);
    let shard = channel.new_shard(0);
    (0..PLACES).for_each(|_| assert_eq!(channel.put(&shard, Either::Small, &NoBooks), PutResult::Accepted));
    thread::scope(|scope| {
        let closes = Closes(&channel);
        let small = scope.spawn(|| channel.put(&channel.new_shard(1), Either::Small, &NoBooks));
        eventually("the small one waits", || channel.snapshot().waits == 1);
        let large = scope.spawn(|| channel.put(&channel.new_shard(2), Either::Large, &NoBooks));
        eventually("the large one waits", || channel.snapshot().waits == 2);
        (0..PLACES / 2).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        eventually("the small one goes on", || small.is_finished());
        (0..=PLACES / 2).for_each(|_| assert!(channel.release(Capacity::one(1), false)));
        eventually("the large one goes on", || large.is_finished());
        drop(closes);
        assert_eq!((small.join().unwrap(), large.join().unwrap()), (PutResult::Accepted, PutResult::Accepted));
    });
}

/// A doze so long that only a ring ends it.
fn dozes_until(put: impl FnOnce(&Channel<Number>)) {
    let channel = Arc::new(channel());
    let listener = thread::spawn({
        let channel = Arc::clone(&channel);
        move || {
            let began = Instant::now();
            channel.notifier().park(LONG);
            began.elapsed()
        }
    });
    eventually("it dozes", || !channel.notifier().is_awake());
    put(&channel);
    assert!(listener.join().unwrap() < LONG, "nobody rang");
}

#[test]
fn a_severe_record_wakes_a_listener_that_dozes() {
    dozes_until(|channel| {
        assert_eq!(channel.put(&channel.new_shard(0), SEVERE, &NoBooks), PutResult::Accepted);
    });
    dozes_until(|channel| {
        let shard = channel.new_shard(0);
        assert_eq!(channel.put(&shard, PLAIN, &NoBooks), PutResult::Accepted);
        assert!(!channel.notifier().is_awake(), "it looks by itself in a moment");
        // By the lease.
        assert_eq!(channel.put(&shard, SEVERE, &NoBooks), PutResult::Accepted);
    });
}

#[test]
fn a_queue_that_is_half_full_wakes_a_listener_that_dozes() {
    dozes_until(|channel| {
        let shard = channel.new_shard(0);
        // What is leased counts as if it was there.
        let quiet = PLACES / 2 - PLACES / 8;
        (0..quiet).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoBooks), PutResult::Accepted));
        assert!(!channel.notifier().is_awake(), "it looks by itself in a moment");
        (quiet..=PLACES / 2).for_each(|_| assert_eq!(channel.put(&shard, PLAIN, &NoBooks), PutResult::Accepted));
        assert!(channel.notifier().is_awake());
    });
}
