//! What a thread remembers about the targets it logs with.
//!
//! Nobody waits for anybody here, and nothing is allocated once a thread has seen its targets. A slot holds a route
//! weakly: a handler that is taken off its logger goes when its last user lets go, not when some idle thread logs again.

use std::{
    cell::RefCell,
    ptr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Inner, name,
    tree::{Route, Threshold},
};

/// Targets a thread remembers. A power of two.
const SLOTS: usize = 128;

struct Slot {
    /// The generation of loggers this was found in; generations are never the same for two `Loggers`.
    generation: u64,
    target: String,
    threshold: Threshold,
    /// Dangling until somebody asks for the route.
    route: Weak<Route>,
}

impl Slot {
    fn empty() -> Self {
        let threshold = Threshold { floor: 0, exact: false };
        Self { generation: 0, target: String::new(), threshold, route: Weak::new() }
    }
}

struct Slots {
    slots: Vec<Slot>,
    /// Which of the tree's stripes of routes this thread uses.
    stripe: usize,
}

thread_local! {
    static REMEMBERED: RefCell<Slots> = const { RefCell::new(Slots { slots: Vec::new(), stripe: 0 }) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The threshold of a target.
#[inline]
pub(super) fn threshold(inner: &Inner, target: &str) -> Threshold {
    let remembered = with_slot(inner, target, |slot, is_current, _| {
        if !is_current {
            let tree = inner.read();
            slot.threshold = tree.threshold(target);
            slot.generation = inner.generation();
            slot.route = Weak::new();
        }
        slot.threshold
    });
    remembered.unwrap_or_else(|| inner.read().threshold(target))
}

/// The threshold of a target, and where its records go.
#[inline]
pub(super) fn route(inner: &Inner, target: &str) -> (Threshold, Arc<Route>) {
    let remembered = with_slot(inner, target, |slot, is_current, stripe| {
        if is_current && let Some(route) = slot.route.upgrade() {
            return (slot.threshold, route);
        }
        let tree = inner.read();
        let route = tree.route(target, stripe);
        slot.threshold = tree.threshold(target);
        slot.generation = inner.generation();
        slot.route = Arc::downgrade(&route);
        (slot.threshold, route)
    });
    remembered.unwrap_or_else(|| {
        let tree = inner.read();
        (tree.threshold(target), tree.route(target, 0))
    })
}

/// Uses the slot of a target, with whether it is about this target and up to date. `None` where there is no slot: the
/// target is too long to be kept, or the thread is ending.
#[inline]
fn with_slot<R>(inner: &Inner, target: &str, take: impl FnOnce(&mut Slot, bool, usize) -> R) -> Option<R> {
    if target.len() > name::MAX_BYTES {
        return None;
    }
    let in_slots = |remembered: &RefCell<Slots>| {
        let mut remembered = remembered.try_borrow_mut().ok()?;
        let Slots { slots, stripe } = &mut *remembered;
        if slots.is_empty() {
            *stripe = THREADS.fetch_add(1, Ordering::Relaxed);
            slots.resize_with(SLOTS, Slot::empty);
        }
        let slot = slots.get_mut(index(inner, target))?;
        let is_current = slot.generation == inner.generation() && slot.target == target;
        if !is_current {
            slot.generation = 0;
            slot.target.clear();
            slot.target.push_str(target);
        }
        Some(take(slot, is_current, *stripe))
    };
    REMEMBERED.try_with(in_slots).ok().flatten()
}

/// Two `Loggers` that are asked about one target in turn have different slots.
#[inline]
fn index(inner: &Inner, target: &str) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = ptr::from_ref(inner).addr() as u64;
    let mut add = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    let (words, rest) = target.as_bytes().as_chunks::<8>();
    words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    (hash >> (u64::BITS - SLOTS.ilog2())) as usize
}
