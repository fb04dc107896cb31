//! What a flight recorder keeps for one span tree, and what it keeps of all of them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use super::{
    account::{Held, Victims},
    recorder::{OutsideSpan, RecorderStats},
};
use crate::{
    Delivery, Error, Handler as _, NamedHandler, Outcome, OwnedDelivery, Severity,
    clock::{Clock, SystemClock},
    filter::Filter,
    fork::{self, ForkMutex},
    record::{SpanData, TreeObserver},
};

/// What the recorder was told to do.
pub(super) struct Plan {
    pub(super) hold_below: Severity,
    pub(super) release_at: Severity,
    pub(super) release_after: Option<Duration>,
    pub(super) pick: Option<Box<dyn Filter>>,
    pub(super) tree_records: usize,
    pub(super) tree_bytes: usize,
    pub(super) max_trees: usize,
    pub(super) max_bytes: usize,
    pub(super) outside: OutsideSpan,
    pub(super) clock: Box<dyn Clock>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            hold_below: Severity::INFO,
            release_at: Severity::ERROR,
            release_after: None,
            pick: None,
            tree_records: 256,
            tree_bytes: 256 << 10,
            max_trees: 4_096,
            max_bytes: 32 << 20,
            outside: OutsideSpan::default(),
            clock: Box::new(SystemClock),
        }
    }
}

/// What all trees of a recorder have in common.
pub(super) struct Core {
    pub(super) plan: Plan,
    pub(super) target: NamedHandler,
    /// The process in which the trees began to hold what they hold.
    generation: AtomicU64,
    /// What all trees hold.
    weight: AtomicUsize,
    /// How many hold something.
    trees: AtomicUsize,
    /// Those that hold something, in the order in which they began to; among them some that do no longer.
    order: ForkMutex<VecDeque<Weak<Tree>>>,
    /// Memory of trees that ended.
    spares: ForkMutex<Vec<VecDeque<OwnedDelivery>>>,
    /// Held by the thread that leaves all to the parent, in a child.
    leaving: ForkMutex<()>,
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
            plan: Plan::default(),
            target,
            generation: AtomicU64::new(fork::generation()),
            weight: AtomicUsize::new(0),
            trees: AtomicUsize::new(0),
            order: ForkMutex::default(),
            spares: ForkMutex::default(),
            leaving: ForkMutex::default(),
            counts: Counts::default(),
        }
    }

    /// How long a tree has lasted.
    pub(super) fn age(&self, known: Option<&Tree>, root: &SpanData) -> Duration {
        let now = self.plan.clock.monotonic();
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

    /// A tree began to hold something.
    fn list(&self, tree: &Tree) {
        self.trees.fetch_add(1, Ordering::Relaxed);
        let mut order = self.order();
        if order.len() >= self.plan.max_trees.saturating_mul(2).max(64) {
            order.retain(|tree| tree.upgrade().is_some_and(|tree| tree.is_listed.load(Ordering::Relaxed)));
        }
        order.push_back(tree.this.clone());
    }

    /// The longest listed trees forget what they have, until the bounds are kept. No lock of a tree is held here.
    fn keep_bounds(&self) {
        let exceeds = || {
            self.weight.load(Ordering::Relaxed) > self.plan.max_bytes
                || self.trees.load(Ordering::Relaxed) > self.plan.max_trees
        };
        while exceeds() {
            let Some(oldest) = self.order().pop_front() else { return };
            if let Some(tree) = oldest.upgrade() {
                tree.evict(self);
            }
        }
    }

    /// After a fork, what the trees hold is the parent's to hand on.
    #[inline]
    pub(super) fn leave_to_the_parent(&self) {
        if self.generation.load(Ordering::Acquire) != fork::generation() {
            self.start_over();
        }
    }

    #[cold]
    fn start_over(&self) {
        let _leaving = self.leaving.get();
        let generation = fork::generation();
        if self.generation.load(Ordering::Acquire) == generation {
            // Another thread was faster.
            return;
        }
        let all = std::mem::take(&mut *self.order());
        // A tree that is not found here starts over when it is wanted.
        all.iter().filter_map(Weak::upgrade).for_each(|tree| drop(tree.state()));
        self.weight.store(0, Ordering::Relaxed);
        self.trees.store(0, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Release);
    }

    pub(super) fn give_up_all(&self) {
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

    /// Gives records up that were held.
    fn drop_held(&self, held: Held) {
        self.give_back(held.give_up());
    }
}

/// One span tree in the eyes of one recorder; hangs at its root.
pub(super) struct Tree {
    /// Not the recorder itself: what stands behind that may keep records, and with them this.
    core: Weak<Core>,
    this: Weak<Tree>,
    begun: Duration,
    /// Whether all goes straight through; changed under the lock.
    is_through: AtomicBool,
    /// Whether it holds something and counts as a tree; changed under the lock.
    is_listed: AtomicBool,
    state: ForkMutex<State>,
}

struct State {
    phase: Phase,
    held: Held,
    /// What had no room, since it was told last.
    lost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Recording,
    /// A thread hands on what is held; what comes meanwhile is appended.
    Releasing {
        by: ThreadId,
    },
    Through,
    /// The root is closed.
    Closed,
}

impl Tree {
    pub(super) fn new(core: &Arc<Core>, root: &SpanData, this: Weak<Tree>) -> Self {
        let begun = root.begun().unwrap_or_else(|| core.plan.clock.monotonic());
        let state = State { phase: Phase::Recording, held: Held::default(), lost: 0 };
        let (is_through, is_listed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { core: Arc::downgrade(core), this, begun, is_through, is_listed, state: ForkMutex::new(state) }
    }

    #[inline]
    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        std::ptr::eq(self.core.as_ptr(), Arc::as_ptr(core))
    }

    #[inline]
    pub(super) fn is_through(&self) -> bool {
        self.is_through.load(Ordering::Acquire)
    }

    /// For one who goes on without the span it hangs on.
    pub(super) fn itself(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock(
            |state| *state = self.start_over(state.phase),
            || self.start_over(if self.is_through() { Phase::Through } else { Phase::Recording }),
        )
    }

    /// What it holds in a child is the parent's to hand on, and on no account of the recorder any more. What was being
    /// released goes through here as well.
    fn start_over(&self, phase: Phase) -> State {
        self.is_listed.store(false, Ordering::Relaxed);
        let is_released = matches!(phase, Phase::Releasing { .. });
        if is_released {
            self.is_through.store(true, Ordering::Release);
        }
        State { phase: if is_released { Phase::Through } else { phase }, held: Held::default(), lost: 0 }
    }

    /// Takes a record of a tree that was not through yet.
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
                self.hold(core, &mut state, delivery);
                self.release(core, state);
                Ok(Outcome::Queued)
            }
            Phase::Recording if is_below => {
                self.hold(core, &mut state, delivery);
                let victims = self.trim(core, &mut state);
                drop(state);
                victims.give_up();
                core.keep_bounds();
                Ok(Outcome::Queued)
            }
            // Born in the target while that takes what is released.
            Phase::Releasing { by } if by == thread::current().id() => Ok(Outcome::Dropped),
            Phase::Releasing { .. } if self.has_room(core, &state) => {
                self.hold(core, &mut state, delivery);
                Ok(Outcome::Queued)
            }
            Phase::Releasing { .. } | Phase::Closed if is_below => {
                state.lost += 1;
                core.counts.lost.fetch_add(1, Ordering::Relaxed);
                Ok(Outcome::Dropped)
            }
            // Never lost, and never waits: rather out of order.
            Phase::Recording | Phase::Releasing { .. } | Phase::Through | Phase::Closed => {
                drop(state);
                core.target.handle(delivery)
            }
        }
    }

    fn hold(&self, core: &Core, state: &mut State, delivery: Delivery<'_>) {
        if !self.is_listed.swap(true, Ordering::Relaxed) {
            state.held = Held::reuse(core.take_spare());
            core.list(self);
        }
        let before = state.held.weight();
        state.held.push(delivery.take());
        core.weight.fetch_add(state.held.weight() - before, Ordering::Relaxed);
    }

    fn has_room(&self, core: &Core, state: &State) -> bool {
        let plan = &core.plan;
        state.held.len() < plan.tree_records && state.held.weight() < plan.tree_bytes
    }

    /// Takes out the oldest until the tree's bounds are kept.
    fn trim(&self, core: &Core, state: &mut State) -> Victims {
        let plan = &core.plan;
        let before = state.held.weight();
        let mut victims = Victims::default();
        while (state.held.len() > plan.tree_records || state.held.weight() > plan.tree_bytes)
            && let Some(oldest) = state.held.shift()
        {
            victims.push(oldest);
        }
        if victims.len() > 0 {
            core.lose(state, victims.len());
            core.weight.fetch_sub(before - state.held.weight(), Ordering::Relaxed);
        }
        victims
    }

    /// Hands on what is held and what comes meanwhile; the lock is free while the target is at work.
    fn release<'a>(&'a self, core: &Core, mut state: MutexGuard<'a, State>) {
        core.counts.released.fetch_add(1, Ordering::Relaxed);
        state.phase = Phase::Releasing { by: thread::current().id() };
        while !state.held.is_empty() {
            let lost = std::mem::take(&mut state.lost);
            let held = self.take_held(core, &mut state);
            drop(state);
            let spare = held.hand_on(lost, |record| record.pass_on(&core.target));
            core.give_back(spare);
            state = self.state();
        }
        if state.phase != Phase::Closed {
            state.phase = Phase::Through;
            self.is_through.store(true, Ordering::Release);
        }
    }

    /// Takes out all that is held; the tree counts no more until it holds something again.
    fn take_held(&self, core: &Core, state: &mut State) -> Held {
        let held = std::mem::take(&mut state.held);
        core.weight.fetch_sub(held.weight(), Ordering::Relaxed);
        if self.is_listed.swap(false, Ordering::Relaxed) {
            core.trees.fetch_sub(1, Ordering::Relaxed);
        }
        held
    }

    /// There is no room for what it holds.
    fn evict(&self, core: &Core) {
        let mut state = self.state();
        if state.phase != Phase::Recording {
            return;
        }
        let held = self.take_held(core, &mut state);
        core.lose(&mut state, held.len());
        drop(state);
        if !held.is_empty() {
            core.counts.evicted.fetch_add(1, Ordering::Relaxed);
        }
        core.drop_held(held);
    }

    /// Forgets what it has, for good.
    fn forget(&self, core: &Core, mut state: MutexGuard<'_, State>) {
        state.phase = Phase::Closed;
        let held = self.take_held(core, &mut state);
        drop(state);
        if !held.is_empty() {
            core.counts.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        core.drop_held(held);
    }
}

impl TreeObserver for Tree {
    fn close(&self) {
        let Some(core) = self.core.upgrade() else { return };
        let lasted = |limit| core.plan.clock.monotonic().saturating_sub(self.begun) >= limit;
        let is_due = core.plan.release_after.is_some_and(lasted);
        if is_due {
            fork::check();
        }
        core.leave_to_the_parent();
        let state = self.state();
        match state.phase {
            Phase::Recording if is_due && !state.held.is_empty() => self.release(&core, state),
            Phase::Recording => self.forget(&core, state),
            // The thread that hands on ends it; nothing more comes.
            Phase::Releasing { .. } | Phase::Through | Phase::Closed => {}
        }
    }

    fn trigger(&self) {
        let Some(core) = self.core.upgrade() else { return };
        fork::check();
        core.leave_to_the_parent();
        let state = self.state();
        if state.phase == Phase::Recording {
            self.release(&core, state);
        }
    }

    fn abandon(&self) {
        let Some(core) = self.core.upgrade() else { return };
        core.leave_to_the_parent();
        let state = self.state();
        if state.phase == Phase::Recording {
            self.forget(&core, state);
        }
    }
}
