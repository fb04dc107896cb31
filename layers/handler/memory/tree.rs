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
    account::{Account, Held},
    recorder::{Outside, RecorderStats},
};
use crate::{
    Outcome, Record, Severity, Shared,
    clock::{Clock, SystemClock},
    filter::Filter,
    fork::{self, Heirloom},
    record::{Kept, SpanData, Tape},
    trap::Ledger,
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
    pub(super) outside: Outside,
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
            outside: Outside::default(),
            clock: Box::new(SystemClock),
        }
    }
}

/// What all trees of a recorder have in common.
pub(super) struct Core {
    pub(super) plan: Plan,
    pub(super) target: Shared,
    pub(super) account: Account,
    /// The recorder is gone: nothing is handed on any more.
    pub(super) is_gone: AtomicBool,
    /// The process in which the trees began to hold what they hold.
    generation: AtomicU64,
    /// What all trees hold.
    weight: AtomicUsize,
    /// How many hold something.
    trees: AtomicUsize,
    /// Those that hold something, in the order in which they began to; among them some that do no longer.
    order: Heirloom<VecDeque<Weak<Tree>>>,
    /// Memory of trees that ended.
    spares: Heirloom<Vec<VecDeque<Kept>>>,
    /// Held by the thread that leaves all to the parent, in a child.
    leaving: Heirloom<()>,
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
    pub(super) fn new(target: Shared) -> Self {
        Self {
            plan: Plan::default(),
            target,
            account: Account::default(),
            is_gone: AtomicBool::new(false),
            generation: AtomicU64::new(fork::generation()),
            weight: AtomicUsize::new(0),
            trees: AtomicUsize::new(0),
            order: Heirloom::default(),
            spares: Heirloom::default(),
            leaving: Heirloom::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn pass(&self, record: &Record) -> Outcome {
        self.target.deliver(record);
        Outcome::Written
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
                tree.evict();
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
        self.account.leave_to_the_parent();
        self.generation.store(generation, Ordering::Release);
    }

    pub(super) fn give_up_all(&self) {
        let all = std::mem::take(&mut *self.order());
        all.iter().filter_map(Weak::upgrade).for_each(|tree| tree.evict());
    }

    fn spares(&self) -> MutexGuard<'_, Vec<VecDeque<Kept>>> {
        self.spares.get()
    }

    fn take_spare(&self) -> VecDeque<Kept> {
        self.spares().pop().unwrap_or_default()
    }

    fn give_back(&self, spare: VecDeque<Kept>) {
        let mut spares = self.spares();
        if spares.len() < SPARES && spare.capacity() > 0 {
            spares.push(spare);
        }
    }

    /// Gives records up that were held.
    fn drop_held(&self, held: Held) {
        let count = held.len();
        self.give_back(held.give_up());
        self.account.settle(count, Ledger::settle_dropped);
    }
}

/// One span tree in the eyes of one recorder; hangs at its root.
pub(super) struct Tree {
    core: Arc<Core>,
    this: Weak<Tree>,
    begun: Duration,
    /// Whether all goes straight through; changed under the lock.
    is_through: AtomicBool,
    /// Whether it holds something and counts as a tree; changed under the lock.
    is_listed: AtomicBool,
    state: Heirloom<State>,
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
    pub(super) fn new(core: Arc<Core>, root: &SpanData, this: Weak<Tree>) -> Self {
        let begun = root.begun().unwrap_or_else(|| core.plan.clock.monotonic());
        let state = State { phase: Phase::Recording, held: Held::default(), lost: 0 };
        let (is_through, is_listed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { core, this, begun, is_through, is_listed, state: Heirloom::new(state) }
    }

    #[inline]
    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        Arc::ptr_eq(&self.core, core)
    }

    #[inline]
    pub(super) fn is_through(&self) -> bool {
        self.is_through.load(Ordering::Acquire)
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
    pub(super) fn take(&self, record: &Record, is_below: bool, is_due: bool) -> Outcome {
        let core = &*self.core;
        let mut state = self.state();
        match state.phase {
            Phase::Recording if is_due => {
                let outcome = self.hold(&mut state, record);
                self.release(state);
                outcome
            }
            Phase::Recording if is_below => {
                let outcome = self.hold(&mut state, record);
                let dropped = self.trim(&mut state);
                drop(state);
                core.account.settle(dropped, Ledger::settle_dropped);
                core.keep_bounds();
                outcome
            }
            // Born in the target while that takes what is released.
            Phase::Releasing { by } if by == thread::current().id() => Outcome::Dropped,
            Phase::Releasing { .. } if self.has_room(&state) => self.hold(&mut state, record),
            Phase::Releasing { .. } | Phase::Closed if is_below => {
                state.lost += 1;
                core.counts.lost.fetch_add(1, Ordering::Relaxed);
                Outcome::Dropped
            }
            // Never lost, and never waits: rather out of order.
            Phase::Recording | Phase::Releasing { .. } | Phase::Through | Phase::Closed => {
                drop(state);
                core.pass(record)
            }
        }
    }

    fn hold(&self, state: &mut State, record: &Record) -> Outcome {
        let core = &*self.core;
        if !self.is_listed.swap(true, Ordering::Relaxed) {
            state.held = Held::reuse(core.take_spare());
            core.list(self);
        }
        let before = state.held.weight();
        state.held.push(record.keep());
        core.weight.fetch_add(state.held.weight() - before, Ordering::Relaxed);
        core.account.queue()
    }

    fn has_room(&self, state: &State) -> bool {
        let plan = &self.core.plan;
        state.held.len() < plan.tree_records && state.held.weight() < plan.tree_bytes
    }

    /// Forgets the oldest until the tree's bounds are kept; how many.
    fn trim(&self, state: &mut State) -> usize {
        let plan = &self.core.plan;
        let before = (state.held.len(), state.held.weight());
        while state.held.len() > plan.tree_records || state.held.weight() > plan.tree_bytes {
            state.held.shift();
        }
        let (lost, lighter) = (before.0 - state.held.len(), before.1 - state.held.weight());
        if lost > 0 {
            self.lose(state, lost);
            self.core.weight.fetch_sub(lighter, Ordering::Relaxed);
        }
        lost
    }

    fn lose(&self, state: &mut State, count: usize) {
        state.lost += count as u64;
        self.core.counts.lost.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Hands on what is held and what comes meanwhile; the lock is free while the target is at work.
    fn release<'a>(&'a self, mut state: MutexGuard<'a, State>) {
        let core = &*self.core;
        core.counts.released.fetch_add(1, Ordering::Relaxed);
        state.phase = Phase::Releasing { by: thread::current().id() };
        while !state.held.is_empty() {
            let lost = std::mem::take(&mut state.lost);
            let held = self.take_held(&mut state);
            drop(state);
            let count = held.len();
            let spare = held.hand_on(lost, |record| core.target.deliver(record));
            core.account.settle(count, Ledger::settle_written);
            core.give_back(spare);
            state = self.state();
        }
        if state.phase != Phase::Closed {
            state.phase = Phase::Through;
            self.is_through.store(true, Ordering::Release);
        }
    }

    /// Takes out all that is held; the tree counts no more until it holds something again.
    fn take_held(&self, state: &mut State) -> Held {
        let held = std::mem::take(&mut state.held);
        self.core.weight.fetch_sub(held.weight(), Ordering::Relaxed);
        if self.is_listed.swap(false, Ordering::Relaxed) {
            self.core.trees.fetch_sub(1, Ordering::Relaxed);
        }
        held
    }

    /// There is no room for what it holds.
    fn evict(&self) {
        let mut state = self.state();
        if state.phase != Phase::Recording {
            return;
        }
        let held = self.take_held(&mut state);
        self.lose(&mut state, held.len());
        drop(state);
        if !held.is_empty() {
            self.core.counts.evicted.fetch_add(1, Ordering::Relaxed);
        }
        self.core.drop_held(held);
    }

    /// Forgets what it has, for good.
    fn forget(&self, mut state: MutexGuard<'_, State>) {
        state.phase = Phase::Closed;
        let held = self.take_held(&mut state);
        drop(state);
        if !held.is_empty() {
            self.core.counts.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        self.core.drop_held(held);
    }
}

impl Tape for Tree {
    fn close(&self) {
        let plan = &self.core.plan;
        let lasted = |limit| plan.clock.monotonic().saturating_sub(self.begun) >= limit;
        let is_due = plan.release_after.is_some_and(lasted) && !self.core.is_gone.load(Ordering::Relaxed);
        if is_due {
            fork::check();
        }
        self.core.leave_to_the_parent();
        let state = self.state();
        match state.phase {
            Phase::Recording if is_due && !state.held.is_empty() => self.release(state),
            Phase::Recording => self.forget(state),
            // The thread that hands on ends it; nothing more comes.
            Phase::Releasing { .. } | Phase::Through | Phase::Closed => {}
        }
    }

    fn pick(&self) {
        fork::check();
        self.core.leave_to_the_parent();
        let state = self.state();
        if state.phase == Phase::Recording && !self.core.is_gone.load(Ordering::Relaxed) {
            self.release(state);
        }
    }

    fn abandon(&self) {
        self.core.leave_to_the_parent();
        let state = self.state();
        if state.phase == Phase::Recording {
            self.forget(state);
        }
    }
}
