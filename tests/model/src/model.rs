//! Callers, a worker and a shutdown, in all interleavings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use loom::thread;

use super::{
    Overflow,
    state::Command,
    channel::{Channel, PutResult},
    control::WaitResult,
    shard::{Weighed, LossCounter, Capacity},
    receiver::{Receiver, Task},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    thread: u8,
    number: u8,
    is_protected: bool,
}

impl Weighed for Number {
    fn bytes(&self) -> usize {
        1
    }

    fn is_protected(&self) -> bool {
        self.is_protected
    }

    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.number.into())
    }

    fn discard(self) {}
}

/// Not part of the model: it only counts.
#[derive(Default)]
struct Losses {
    lost: AtomicUsize,
}

impl LossCounter<Number> for Losses {
    fn count_loss(&self, _: &Number) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }
}

struct Model {
    channel: Arc<Channel<Number>>,
    losses: Arc<Losses>,
}

impl Model {
    /// Without credit.
    fn new(capacity: usize, overflow: Overflow) -> Self {
        Self::with_credit(capacity, 1, overflow)
    }

    /// Shards get so much at once: records after the first ask for nothing.
    fn with_credit(capacity: usize, credit: usize, overflow: Overflow) -> Self {
        let room = |records| Capacity { records, bytes: records };
        let channel = Channel::with_credit(room(capacity), room(credit), overflow);
        Self { channel: Arc::new(channel), losses: Arc::default() }
    }

    fn flush(&self) -> WaitResult {
        self.channel.wait_for_flush(self.channel.request(Command::Flush), Duration::MAX)
    }

    fn shut_down(&self, timeout: Duration) -> WaitResult {
        self.channel.close(None);
        self.channel.wait_for_end(timeout, &*self.losses)
    }

    fn worker(&self) -> thread::JoinHandle<Vec<Number>> {
        self.worker_that_parks(0)
    }

    /// Returns what it has handled, in order. It looks by itself so often before it sleeps.
    fn worker_that_parks(&self, parks: u32) -> thread::JoinHandle<Vec<Number>> {
        let (channel, losses) = (Arc::clone(&self.channel), Arc::clone(&self.losses));
        thread::spawn(move || {
            let (mut receiver, mut handled) = (Receiver::with_parks(parks), Vec::new());
            'work: loop {
                let task = receiver.next(&channel, 1);
                assert!(channel.notifier().is_awake(), "callers would notify in vain");
                match task {
                    Task::Handle => {
                        while let Some(item) = receiver.pop() {
                            handled.push(item);
                            if !channel.release(Capacity::one(1), false) {
                                while let Some(item) = receiver.pop() {
                                    losses.count_loss(&item);
                                }
                                break 'work;
                            }
                        }
                    }
                    Task::Flush(request) => channel.flushed(request.ticket, None),
                    Task::Idle | Task::Timer => {}
                    Task::End => break,
                }
            }
            channel.end(None, &*losses);
            handled
        })
    }

    fn caller(&self, thread: u8, protected: &'static [bool]) -> thread::JoinHandle<usize> {
        let (channel, losses) = (Arc::clone(&self.channel), Arc::clone(&self.losses));
        thread::spawn(move || {
            let shard = channel.new_shard(thread.into());
            let put = |(number, is_protected): (usize, &bool)| {
                let item = Number { thread, number: number as u8, is_protected: *is_protected };
                channel.put(&shard, item, &*losses) == PutResult::Accepted
            };
            protected.iter().enumerate().map(put).filter(|came_in| *came_in).count()
        })
    }

    /// In = out + lost.
    fn balance(&self, put: usize, handled: &[Number]) {
        assert_eq!(put, handled.len() + self.losses.lost.load(Ordering::SeqCst), "every record is handled or lost");
        for thread in 0..2 {
            let numbers = handled.iter().filter(|item| item.thread == thread).map(|item| item.number);
            assert!(numbers.is_sorted_by(|a, b| a < b), "{handled:?}");
        }
    }
}

/// In the end, all capacity is free again.
fn all_is_free(channel: &Channel<Number>) {
    assert_eq!(channel.snapshot().held, Capacity::default());
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // All ways in which threads interrupt each other twice: more take hours, and find what two find.
    builder.preemption_bound = Some(2);
    builder.check(model);
}

#[test]
fn what_is_put_is_handled_and_a_shutdown_waits_for_it() {
    check(|| {
        let model = Model::new(2, Overflow::BLOCK);
        let worker = model.worker();
        let callers = [model.caller(0, &[false, true]), model.caller(1, &[false])];
        let came_in: usize = callers.map(|caller| caller.join().unwrap()).iter().sum();
        assert_eq!(came_in, 3);
        assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
        let handled = worker.join().unwrap();
        assert_eq!(handled.len(), 3);
        model.balance(3, &handled);
    });
}

#[test]
fn a_caller_that_waits_for_room_gets_it() {
    check(|| {
        let model = Model::new(1, Overflow::BLOCK);
        let worker = model.worker();
        assert_eq!(model.caller(0, &[false, false, true]).join().unwrap(), 3);
        model.channel.close(None);
        let handled = worker.join().unwrap();
        assert_eq!(handled.len(), 3);
        model.balance(3, &handled);
    });
}

#[test]
fn a_shutdown_while_callers_wait_for_room_leaves_nobody_behind() {
    check(|| {
        let model = Model::new(1, Overflow::BLOCK);
        let worker = model.worker();
        let caller = model.caller(0, &[false, false]);
        assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
        caller.join().unwrap();
        model.balance(2, &worker.join().unwrap());
    });
}

#[test]
fn what_makes_room_is_counted() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        check(move || {
            // The worker may have one, which cannot be evicted.
            let model = Model::new(2, overflow);
            let worker = model.worker();
            let caller = model.caller(0, &[false, true, false]);
            caller.join().unwrap();
            model.channel.close(None);
            let handled = worker.join().unwrap();
            model.balance(3, &handled);
            assert!(handled.iter().any(|item| item.is_protected), "{handled:?}");
        });
    }
}

#[test]
fn what_is_left_when_time_is_up_is_given_up_once() {
    check(|| {
        let model = Model::new(4, Overflow::BLOCK);
        let worker = model.worker();
        let caller = model.caller(0, &[false, false]);
        model.shut_down(Duration::ZERO);
        caller.join().unwrap();
        model.balance(2, &worker.join().unwrap());
    });
}

/// Most records come in on credit; a shutdown closes the shard between two of them.
#[test]
fn a_closed_shard_takes_nothing_on_credit() {
    check(|| {
        let model = Model::with_credit(4, 3, Overflow::BLOCK);
        let worker = model.worker();
        let caller = model.caller(0, &[false, false, false]);
        assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
        let came_in = caller.join().unwrap();
        let handled = worker.join().unwrap();
        assert_eq!(handled.len(), came_in);
        model.balance(3, &handled);
        all_is_free(&model.channel);
    });
}

/// One shard has credit for all there is; another one gets it.
#[test]
fn credit_of_a_shard_is_revoked_where_another_needs_it() {
    for overflow in [Overflow::BLOCK, Overflow::DropNewest] {
        check(move || {
            let model = Model::with_credit(3, 3, overflow);
            let worker = model.worker();
            let callers = [model.caller(0, &[false, false]), model.caller(1, &[false])];
            let came_in: usize = callers.map(|caller| caller.join().unwrap()).iter().sum();
            assert_eq!(came_in, 3);
            assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
            let handled = worker.join().unwrap();
            model.balance(3, &handled);
            all_is_free(&model.channel);
        });
    }
}

#[test]
fn credit_of_a_thread_that_has_ended_comes_back() {
    check(|| {
        let model = Model::with_credit(2, 2, Overflow::BLOCK);
        let worker = model.worker();
        assert_eq!(model.caller(0, &[false]).join().unwrap(), 1);
        // The worker removes the shard, now or later, or its credit is revoked.
        assert_eq!(model.caller(1, &[false, true]).join().unwrap(), 2);
        model.channel.close(None);
        let handled = worker.join().unwrap();
        model.balance(3, &handled);
        all_is_free(&model.channel);
    });
}

#[test]
fn a_worker_that_parks_misses_nothing() {
    check(|| {
        let model = Model::with_credit(4, 2, Overflow::BLOCK);
        let worker = model.worker_that_parks(1);
        assert_eq!(model.caller(0, &[false, true]).join().unwrap(), 2);
        assert_eq!(model.flush(), WaitResult::Done);
        model.channel.close(None);
        let handled = worker.join().unwrap();
        assert_eq!(handled.len(), 2);
        model.balance(2, &handled);
    });
}

/// Time is up at any moment: before room comes, while it comes, and where others wait behind.
#[test]
fn a_caller_whose_time_is_up_leaves_room_and_turns_to_others() {
    for deadline in [Duration::ZERO, Duration::from_millis(1)] {
        check(move || {
            let model = Model::with_credit(1, 1, Overflow::block_for(deadline));
            let worker = model.worker();
            let callers = [model.caller(0, &[false, false]), model.caller(1, &[true])];
            callers.into_iter().for_each(|caller| drop(caller.join().unwrap()));
            assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
            let handled = worker.join().unwrap();
            model.balance(3, &handled);
            all_is_free(&model.channel);
        });
    }
}

/// Those who wait are served in their order, and none is forgotten when the queue is shut down meanwhile.
#[test]
fn a_shutdown_while_two_wait_for_their_turns_leaves_nobody_behind() {
    check(|| {
        let model = Model::new(1, Overflow::BLOCK);
        let worker = model.worker();
        let callers = [model.caller(0, &[false, false]), model.caller(1, &[false])];
        assert_eq!(model.shut_down(Duration::MAX), WaitResult::Done);
        callers.into_iter().for_each(|caller| drop(caller.join().unwrap()));
        model.balance(3, &worker.join().unwrap());
        all_is_free(&model.channel);
    });
}

#[test]
fn a_flush_waits_for_what_was_put_before_it() {
    check(|| {
        let model = Model::new(4, Overflow::BLOCK);
        let worker = model.worker();
        assert_eq!(model.caller(0, &[false]).join().unwrap(), 1);
        assert_eq!(model.flush(), WaitResult::Done);
        assert_eq!(model.channel.snapshot().held, Capacity::default());
        model.channel.close(None);
        assert_eq!(worker.join().unwrap().len(), 1);
    });
}
