//! The channel, as seen by those who flush it, shut it down, or look at it.

use std::time::{Duration, Instant, SystemTime};

use super::{
    channel::Channel,
    shard::{Capacity, Eviction, LossCounter, Weighed},
    state::{Command, Phase, State},
    sync::{MutexGuard, Until},
};

/// The result of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WaitResult {
    Done,
    /// The handler's own flush failed, and why.
    Failed(String),
    /// How many items were left at the deadline.
    Left(usize),
}

/// A reading of the channel.
pub(crate) struct Snapshot {
    pub(crate) held: Capacity,
    pub(crate) high_water: Capacity,
    pub(crate) oldest: Option<SystemTime>,
    pub(crate) blocked_sends: u64,
}

impl<T: Weighed> Channel<T> {
    /// Asks for a command after all earlier items. Returns its ticket.
    pub(crate) fn request(&self, command: Command) -> u64 {
        let mut state = self.state();
        state.flush_requested += 1;
        state.command = state.command.max(command);
        let ticket = state.flush_requested;
        self.notifier.notify();
        ticket
    }

    /// Waits until the command is done.
    pub(crate) fn wait_for_flush(&self, ticket: u64, timeout: Duration) -> WaitResult {
        let mut until = Until::after(timeout);
        let mut state = self.state();
        while state.flush_done < ticket {
            match state.phase {
                Phase::Ended => return WaitResult::Done,
                Phase::Abandoned => return WaitResult::Left(self.held(&state).records),
                Phase::Open | Phase::Closing => {}
            }
            match self.wait_done(&mut until, state) {
                Ok(again) => state = again,
                Err(state) => return WaitResult::Left(self.held(&state).records),
            }
        }
        state.flush_error.clone().map_or(WaitResult::Done, WaitResult::Failed)
    }

    /// Accepts no more items. At the deadline the worker discards by itself what it has.
    pub(crate) fn close(&self, timeout: Option<Duration>) {
        let mut state = self.state();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        state.deadline = [state.deadline, deadline].into_iter().flatten().min();
        if state.phase == Phase::Open {
            state.close(Phase::Closing);
        }
        drop(state);
        self.notifier.notify();
        self.capacity.notify_all();
    }

    /// Waits for the end of a channel that is closed. Items left after the timeout are discarded.
    pub(crate) fn wait_for_end(&self, timeout: Duration, losses: &impl LossCounter<T>) -> WaitResult {
        let mut until = Until::after(timeout);
        let mut state = self.state();
        while state.phase != Phase::Ended {
            match self.wait_done(&mut until, state) {
                Ok(again) => state = again,
                Err(state) => return self.abandon(state, losses),
            }
        }
        WaitResult::Done
    }

    fn abandon(&self, mut state: MutexGuard<'_, State<T>>, losses: &impl LossCounter<T>) -> WaitResult {
        if state.phase == Phase::Ended {
            return WaitResult::Done;
        }
        state.phase = Phase::Abandoned;
        self.notifier.notify();
        let left = self.held(&state).records;
        self.discard_all(state, losses);
        WaitResult::Left(left)
    }

    /// The worker ends, so nobody may wait for it. `error` is that of the handler's last flush.
    pub(crate) fn end(&self, error: Option<String>, losses: &impl LossCounter<T>) {
        let mut state = self.state();
        state.close(Phase::Ended);
        state.final_error = error;
        self.discard_all(state, losses);
        self.notify_done();
        self.capacity.notify_all();
    }

    fn discard_all(&self, mut state: MutexGuard<'_, State<T>>, losses: &impl LossCounter<T>) {
        let mut all = Vec::new();
        for shard in &state.shards {
            let mut queue = shard.lock();
            for is_protected in [false, true] {
                let first = Eviction { is_newest: false, is_protected };
                all.extend(std::iter::from_fn(|| queue.evict(first, losses)));
            }
        }
        all.iter().for_each(|item| state.free.add(Capacity::one(item.bytes())));
        drop(state);
        all.into_iter().for_each(T::discard);
    }

    /// What waits or is being handled.
    fn held(&self, state: &State<T>) -> Capacity {
        let mut held = self.limits;
        held.remove(state.free);
        held.remove(state.waiters.reserved());
        state.shards.iter().for_each(|shard| held.remove(shard.lock().credit));
        held
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let oldest = state.shards.iter().filter_map(|shard| shard.lock().oldest()).min();
        let State { high_water, blocked_sends, .. } = *state;
        Snapshot { held: self.held(&state), high_water, oldest, blocked_sends }
    }

    /// How many senders wait without a grant.
    #[cfg(test)]
    pub(crate) fn ungranted(&self) -> usize {
        self.state().waiters.ungranted()
    }

    /// Whether the worker has ended, and why the handler's last flush failed.
    pub(crate) fn ending(&self) -> (bool, Option<String>) {
        let state = self.state();
        (state.phase == Phase::Ended, state.final_error.clone())
    }
}
