//! Tests of who is woken when.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    Overflow,
    hand::{Hand, Put},
    lane::{Load, Losses, Room},
};

struct Number {
    is_protected: bool,
}

const PLAIN: Number = Number { is_protected: false };
const SEVERE: Number = Number { is_protected: true };

impl Load for Number {
    fn bytes(&self) -> usize {
        1
    }

    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn give_up(self) {}
}

struct NoBooks;

impl Losses<Number> for NoBooks {
    fn lose(&self, _: &Number) {}
}

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

const PLACES: usize = 1_024;

fn hand() -> Hand<Number> {
    Hand::new(Room { records: PLACES, bytes: PLACES }, Overflow::BLOCK)
}

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        thread::yield_now();
    }
}

/// So that a test that fails does not wait for callers that wait for room.
struct Closes<'a, T: Load>(&'a Hand<T>);

impl<T: Load> Drop for Closes<'_, T> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

/// Two callers wait for room in a full queue.
fn two_wait(work: impl FnOnce(&Hand<Number>, &dyn Fn() -> usize)) {
    let hand = hand();
    let lane = hand.lane(0);
    (0..PLACES).for_each(|_| assert_eq!(hand.put(&lane, PLAIN, &NoBooks), Put::In));
    thread::scope(|scope| {
        let callers = [(); 2].map(|()| {
            let hand = &hand;
            scope.spawn(move || hand.put(&hand.lane(0), PLAIN, &NoBooks))
        });
        let closes = Closes(&hand);
        eventually("two wait", || hand.look().waits == 2);
        work(&hand, &|| callers.iter().filter(|caller| caller.is_finished()).count());
        drop(closes);
        assert!(callers.into_iter().all(|caller| caller.join().unwrap() == Put::In), "both came in");
    });
}

#[test]
fn callers_are_woken_together_when_a_quarter_is_free() {
    two_wait(|hand, finished| {
        (1..PLACES / 4).for_each(|_| assert!(hand.release(Room::one(1), false)));
        // Not one of them: each wake costs more than many records.
        assert_eq!(hand.unserved(), 2);
        hand.release(Room::one(1), false);
        assert_eq!(hand.unserved(), 0);
        eventually("both go on", || finished() == 2);
    });
}

#[test]
fn callers_are_woken_one_by_one_where_the_handler_is_slow() {
    two_wait(|hand, finished| {
        hand.release(Room::one(1), true);
        assert_eq!(hand.unserved(), 1);
        eventually("the first goes on", || finished() == 1);
        hand.release(Room::one(1), true);
        assert_eq!(hand.unserved(), 0);
        eventually("the other goes on", || finished() == 2);
    });
}

enum Either {
    Small,
    /// Takes all there is.
    Large,
}

impl Load for Either {
    fn bytes(&self) -> usize {
        if matches!(self, Self::Large) { PLACES } else { 1 }
    }

    fn is_protected(&self) -> bool {
        false
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn give_up(self) {}
}

impl Losses<Either> for NoBooks {
    fn lose(&self, _: &Either) {}
}

/// What was set aside for other lanes is not what it waits for in vain.
#[test]
fn who_wants_all_room_gets_what_others_have_leased() {
    let hand = Hand::new(Room { records: PLACES, bytes: PLACES }, Overflow::BLOCK);
    let lanes = [hand.lane(0), hand.lane(0), hand.lane(0)];
    lanes.iter().for_each(|lane| assert_eq!(hand.put(lane, Either::Small, &NoBooks), Put::In));
    thread::scope(|scope| {
        let large = scope.spawn(|| hand.put(&hand.lane(0), Either::Large, &NoBooks));
        let closes = Closes(&hand);
        eventually("it waits", || hand.look().waits == 1);
        // (Three were put, and nothing was taken out of their lanes.)
        (0..3).for_each(|_| assert!(hand.release(Room::one(1), false)));
        assert_eq!(hand.unserved(), 0);
        eventually("it goes on", || large.is_finished());
        drop(closes);
        assert_eq!(large.join().unwrap(), Put::In);
    });
}

/// Nor what one that waited before it would set aside for itself.
#[test]
fn nothing_is_leased_while_somebody_waits() {
    let hand = Hand::new(Room { records: PLACES, bytes: PLACES }, Overflow::BLOCK);
    let lane = hand.lane(0);
    (0..PLACES).for_each(|_| assert_eq!(hand.put(&lane, Either::Small, &NoBooks), Put::In));
    thread::scope(|scope| {
        let closes = Closes(&hand);
        let small = scope.spawn(|| hand.put(&hand.lane(1), Either::Small, &NoBooks));
        eventually("the small one waits", || hand.look().waits == 1);
        let large = scope.spawn(|| hand.put(&hand.lane(2), Either::Large, &NoBooks));
        eventually("the large one waits", || hand.look().waits == 2);
        (0..PLACES / 2).for_each(|_| assert!(hand.release(Room::one(1), false)));
        eventually("the small one goes on", || small.is_finished());
        (0..=PLACES / 2).for_each(|_| assert!(hand.release(Room::one(1), false)));
        eventually("the large one goes on", || large.is_finished());
        drop(closes);
        assert_eq!((small.join().unwrap(), large.join().unwrap()), (Put::In, Put::In));
    });
}

/// A doze so long that only a ring ends it.
fn dozes_until(put: impl FnOnce(&Hand<Number>)) {
    let hand = Arc::new(hand());
    let listener = thread::spawn({
        let hand = Arc::clone(&hand);
        move || {
            let began = Instant::now();
            hand.bell().doze(LONG);
            began.elapsed()
        }
    });
    eventually("it dozes", || !hand.bell().is_awake());
    put(&hand);
    assert!(listener.join().unwrap() < LONG, "nobody rang");
}

#[test]
fn a_severe_record_wakes_a_listener_that_dozes() {
    dozes_until(|hand| {
        assert_eq!(hand.put(&hand.lane(0), SEVERE, &NoBooks), Put::In);
    });
    dozes_until(|hand| {
        let lane = hand.lane(0);
        assert_eq!(hand.put(&lane, PLAIN, &NoBooks), Put::In);
        assert!(!hand.bell().is_awake(), "it looks by itself in a moment");
        // By the lease.
        assert_eq!(hand.put(&lane, SEVERE, &NoBooks), Put::In);
    });
}

#[test]
fn a_queue_that_is_half_full_wakes_a_listener_that_dozes() {
    dozes_until(|hand| {
        let lane = hand.lane(0);
        // What is leased counts as if it was there.
        let quiet = PLACES / 2 - PLACES / 8;
        (0..quiet).for_each(|_| assert_eq!(hand.put(&lane, PLAIN, &NoBooks), Put::In));
        assert!(!hand.bell().is_awake(), "it looks by itself in a moment");
        (quiet..=PLACES / 2).for_each(|_| assert_eq!(hand.put(&lane, PLAIN, &NoBooks), Put::In));
        assert!(hand.bell().is_awake());
    });
}
