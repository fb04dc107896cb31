//! The records of one span tree in a flight recorder, and the bounds over all trees.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{
        Arc, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use super::{
    buffered::Buffered,
    recorder::{OutsideSpan, RecorderStats},
};
use crate::{
    Delivery, Error, Handler as _, NamedHandler, Outcome, OwnedDelivery, Severity,
    clock::{Clock, SystemClock},
    filter::Filter,
    fork::{self, ForkMutex},
    handler::worker::Evicted,
    record::{SpanData, TreeObserver},
};

pub(super) struct RecorderConfig {
    pub(super) buffer_below: Severity,
    pub(super) release_at: Severity,
    pub(super) release_after: Option<Duration>,
    pub(super) trigger: Option<Box<dyn Filter>>,
    pub(super) tree_records: usize,
    pub(super) tree_bytes: usize,
    pub(super) max_trees: usize,
    pub(super) max_bytes: usize,
    pub(super) outside: OutsideSpan,
    pub(super) clock: Box<dyn Clock>,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self {
            buffer_below: Severity::INFO,
            release_at: Severity::ERROR,
            release_after: None,
            trigger: None,
            tree_records: 256,
            tree_bytes: 256 << 10,
            max_trees: 4_096,
            max_bytes: 32 << 20,
            outside: OutsideSpan::default(),
            clock: Box::new(SystemClock),
        }
    }
}

/// What all trees of a recorder share.
pub(super) struct Core {
    pub(super) config: RecorderConfig,
    pub(super) target: NamedHandler,
    /// The fork generation of the buffered records.
    generation: AtomicU64,
    /// The size of all buffered records.
    weight: AtomicUsize,
    /// How many trees buffer records.
    trees: AtomicUsize,
    /// Those trees, in the order in which they began to, and some that have no records any more.
    order: ForkMutex<VecDeque<Weak<Tree>>>,
    /// Memory of trees that have ended.
    spares: ForkMutex<Vec<VecDeque<OwnedDelivery>>>,
    /// Locked by the thread that resets all trees in the child of a fork.
    resetting: ForkMutex<()>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    released: AtomicU64,
    forgotten: AtomicU64,
    evicted: AtomicU64,
    lost: AtomicU64,
}

/// How many trees' memory is kept for others.
const SPARES: usize = 64;

impl Core {
    pub(super) fn new(target: NamedHandler) -> Self {
        Self {
            config: RecorderConfig::default(),
            target,
            generation: AtomicU64::new(fork::generation()),
            weight: AtomicUsize::new(0),
            trees: AtomicUsize::new(0),
            order: ForkMutex::default(),
            spares: ForkMutex::default(),
            resetting: ForkMutex::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn age(&self, known: Option<&Tree>, root: &SpanData) -> Duration {
        let now = self.config.clock.monotonic();
        now.saturating_sub(known.map(|tree| tree.begun).or(root.begun()).unwrap_or(now))
    }

    pub(super) fn stats(&self) -> RecorderStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { released, forgotten, evicted, lost } = &self.counts;
        RecorderStats {
            trees: self.trees.load(Ordering::Relaxed) as u64,
            bytes: self.weight.load(Ordering::Relaxed) as u64,
            released: read(released),
            forgotten: read(forgotten),
            evicted: read(evicted),
            lost: read(lost),
        }
    }

    fn order(&self) -> MutexGuard<'_, VecDeque<Weak<Tree>>> {
        self.order.get()
    }

    /// A tree begins to buffer records.
    fn list(&self, tree: &Tree) {
        self.trees.fetch_add(1, Ordering::Relaxed);
        let mut order = self.order();
        if order.len() >= self.config.max_trees.saturating_mul(2).max(64) {
            order.retain(|tree| tree.upgrade().is_some_and(|tree| tree.is_listed.load(Ordering::Relaxed)));
        }
        order.push_back(tree.this.clone());
    }

    /// Evicts the oldest trees until the bounds are met. To be called without the lock of a tree.
    fn keep_bounds(&self) {
        let exceeds = || {
            self.weight.load(Ordering::Relaxed) > self.config.max_bytes
                || self.trees.load(Ordering::Relaxed) > self.config.max_trees
        };
        while exceeds() {
            let Some(oldest) = self.order().pop_front() else { return };
            if let Some(tree) = oldest.upgrade() {
                tree.evict(self);
            }
        }
    }

    /// Resets all trees after a fork: their records are the parent's.
    #[inline]
    pub(super) fn discard_inherited(&self) {
        if self.generation.load(Ordering::Acquire) != fork::generation() {
            self.reset();
        }
    }

    #[cold]
    fn reset(&self) {
        let _resetting = self.resetting.get();
        let generation = fork::generation();
        if self.generation.load(Ordering::Acquire) == generation {
            // Another thread has done it.
            return;
        }
        let all = std::mem::take(&mut *self.order());
        // Other trees reset with their next record.
        all.iter().filter_map(Weak::upgrade).for_each(|tree| drop(tree.state()));
        self.weight.store(0, Ordering::Relaxed);
        self.trees.store(0, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Release);
    }

    pub(super) fn discard_all(&self) {
        let all = std::mem::take(&mut *self.order());
        all.iter().filter_map(Weak::upgrade).for_each(|tree| tree.evict(self));
    }

    fn spares(&self) -> MutexGuard<'_, Vec<VecDeque<OwnedDelivery>>> {
        self.spares.get()
    }

    fn take_spare(&self) -> VecDeque<OwnedDelivery> {
        self.spares().pop().unwrap_or_default()
    }

    fn give_back(&self, spare: VecDeque<OwnedDelivery>) {
        let mut spares = self.spares();
        if spares.len() < SPARES && spare.capacity() > 0 {
            spares.push(spare);
        }
    }

    fn lose(&self, state: &mut State, count: usize) {
        state.lost += count as u64;
        self.counts.lost.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn discard(&self, buffered: Buffered) {
        self.give_back(buffered.discard());
    }
}

/// One span tree of one recorder; stored at its root span.
pub(super) struct Tree {
    /// Weak: the target of the recorder may keep records, and with them this.
    core: Weak<Core>,
    this: Weak<Tree>,
    begun: Duration,
    /// All records go straight through. Changed under the lock.
    is_released: AtomicBool,
    /// It has records and counts as a tree. Changed under the lock.
    is_listed: AtomicBool,
    state: ForkMutex<State>,
}

struct State {
    phase: Phase,
    buffered: Buffered,
    /// How many were lost since the last notice.
    lost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Recording,
    /// A thread passes the buffered records on; new ones are appended.
    Releasing {
        by: ThreadId,
    },
    Released,
    /// The root is closed.
    Closed,
}

impl Tree {
    pub(super) fn new(core: &Arc<Core>, root: &SpanData, this: Weak<Tree>) -> Self {
        let begun = root.begun().unwrap_or_else(|| core.config.clock.monotonic());
        let state = State { phase: Phase::Recording, buffered: Buffered::default(), lost: 0 };
        let (is_released, is_listed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { core: Arc::downgrade(core), this, begun, is_released, is_listed, state: ForkMutex::new(state) }
    }

    #[inline]
    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        std::ptr::eq(self.core.as_ptr(), Arc::as_ptr(core))
    }

    #[inline]
    pub(super) fn is_released(&self) -> bool {
        self.is_released.load(Ordering::Acquire)
    }

    /// For use without its span.
    pub(super) fn itself(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock(
            |state| *state = self.reset(state.phase),
            || self.reset(if self.is_released() { Phase::Released } else { Phase::Recording }),
        )
    }

    /// In the child of a fork, its records are the parent's, and count nowhere in the recorder. If it was being
    /// released, it is released.
    fn reset(&self, phase: Phase) -> State {
        self.is_listed.store(false, Ordering::Relaxed);
        let was_releasing = matches!(phase, Phase::Releasing { .. });
        if was_releasing {
            self.is_released.store(true, Ordering::Release);
        }
        State { phase: if was_releasing { Phase::Released } else { phase }, buffered: Buffered::default(), lost: 0 }
    }

    /// Takes a record of a tree that was not released yet.
    pub(super) fn take(
        &self,
        core: &Core,
        delivery: Delivery<'_>,
        is_below: bool,
        is_due: bool,
    ) -> Result<Outcome, Error> {
        let mut state = self.state();
        match state.phase {
            Phase::Recording if is_due => {
                self.buffer(core, &mut state, delivery);
                self.release(core, state);
                Ok(Outcome::Queued)
            }
            Phase::Recording if is_below => {
                self.buffer(core, &mut state, delivery);
                let evicted = self.trim(core, &mut state);
                drop(state);
                evicted.for_each(OwnedDelivery::dropped);
                core.keep_bounds();
                Ok(Outcome::Queued)
            }
            // Emitted by the target while it gets the released records.
            Phase::Releasing { by } if by == thread::current().id() => Ok(Outcome::Dropped),
            Phase::Releasing { .. } if self.has_space(core, &state) => {
                self.buffer(core, &mut state, delivery);
                Ok(Outcome::Queued)
            }
            Phase::Releasing { .. } | Phase::Closed if is_below => {
                state.lost += 1;
                core.counts.lost.fetch_add(1, Ordering::Relaxed);
                Ok(Outcome::Dropped)
            }
            // Neither lost nor blocked, but perhaps out of order.
            Phase::Recording | Phase::Releasing { .. } | Phase::Released | Phase::Closed => {
                drop(state);
                core.target.handle(delivery)
            }
        }
    }

    fn buffer(&self, core: &Core, state: &mut State, delivery: Delivery<'_>) {
        if !self.is_listed.swap(true, Ordering::Relaxed) {
            state.buffered = Buffered::reuse(core.take_spare());
            core.list(self);
        }
        let before = state.buffered.weight();
        state.buffered.push(delivery.take());
        core.weight.fetch_add(state.buffered.weight() - before, Ordering::Relaxed);
    }

    fn has_space(&self, core: &Core, state: &State) -> bool {
        let config = &core.config;
        state.buffered.len() < config.tree_records && state.buffered.weight() < config.tree_bytes
    }

    /// Removes the oldest records until the tree's bounds are met.
    fn trim(&self, core: &Core, state: &mut State) -> Evicted<OwnedDelivery> {
        let config = &core.config;
        let before = state.buffered.weight();
        let (evicted, count) = state
            .buffered
            .evict_while(|buffered| buffered.len() > config.tree_records || buffered.weight() > config.tree_bytes);
        core.lose(state, count);
        core.weight.fetch_sub(before - state.buffered.weight(), Ordering::Relaxed);
        evicted
    }

    /// Passes on all buffered records and those that come meanwhile. No lock is held while the target runs.
    fn release<'a>(&'a self, core: &Core, mut state: MutexGuard<'a, State>) {
        core.counts.released.fetch_add(1, Ordering::Relaxed);
        state.phase = Phase::Releasing { by: thread::current().id() };
        while !state.buffered.is_empty() {
            let lost = std::mem::take(&mut state.lost);
            let buffered = self.take_buffered(core, &mut state);
            drop(state);
            let spare = buffered.pass_on(lost, |record| record.pass_on(&core.target));
            core.give_back(spare);
            state = self.state();
        }
        if state.phase != Phase::Closed {
            state.phase = Phase::Released;
            self.is_released.store(true, Ordering::Release);
        }
    }

    /// Takes out all records; the tree does not count until it has some again.
    fn take_buffered(&self, core: &Core, state: &mut State) -> Buffered {
        let buffered = std::mem::take(&mut state.buffered);
        core.weight.fetch_sub(buffered.weight(), Ordering::Relaxed);
        if self.is_listed.swap(false, Ordering::Relaxed) {
            core.trees.fetch_sub(1, Ordering::Relaxed);
        }
        buffered
    }

    /// Discards its records, to make space for other trees.
    fn evict(&self, core: &Core) {
        let mut state = self.state();
        if state.phase != Phase::Recording {
            return;
        }
        let buffered = self.take_buffered(core, &mut state);
        core.lose(&mut state, buffered.len());
        drop(state);
        if !buffered.is_empty() {
            core.counts.evicted.fetch_add(1, Ordering::Relaxed);
        }
        core.discard(buffered);
    }

    /// Closes it, and discards its records.
    fn forget(&self, core: &Core, mut state: MutexGuard<'_, State>) {
        state.phase = Phase::Closed;
        let buffered = self.take_buffered(core, &mut state);
        drop(state);
        if !buffered.is_empty() {
            core.counts.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        core.discard(buffered);
    }
}

impl TreeObserver for Tree {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn close(&self) {
        let Some(core) = self.core.upgrade() else { return };
        let lasted = |limit| core.config.clock.monotonic().saturating_sub(self.begun) >= limit;
        let is_due = core.config.release_after.is_some_and(lasted);
        if is_due {
            fork::check();
        }
        core.discard_inherited();
        let state = self.state();
        match state.phase {
            Phase::Recording if is_due && !state.buffered.is_empty() => self.release(&core, state),
            Phase::Recording => self.forget(&core, state),
            // The releasing thread ends it.
            Phase::Releasing { .. } | Phase::Released | Phase::Closed => {}
        }
    }

    fn trigger(&self) {
        let Some(core) = self.core.upgrade() else { return };
        fork::check();
        core.discard_inherited();
        let state = self.state();
        if state.phase == Phase::Recording {
            self.release(&core, state);
        }
    }

    fn abandon(&self) {
        let Some(core) = self.core.upgrade() else { return };
        core.discard_inherited();
        let state = self.state();
        if state.phase == Phase::Recording {
            self.forget(&core, state);
        }
    }
}
