//! A cache per thread: the thresholds and routes of the targets it logs with.
//!
//! A hit takes no lock and does not allocate. A slot holds its route weakly: a handler removed from its logger is dropped
//! at once, not when some idle thread logs again.

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

/// Targets per thread. A power of two.
const SLOTS: usize = 128;

struct Slot {
    /// The state of the loggers that this was read from. No two `Loggers` share a number.
    generation: u64,
    target: String,
    threshold: Threshold,
    /// Dangling until it is first used.
    route: Weak<Route>,
}

impl Slot {
    fn empty() -> Self {
        let threshold = Threshold { minimum: 0, exact: false };
        Self { generation: 0, target: String::new(), threshold, route: Weak::new() }
    }
}

struct Slots {
    slots: Vec<Slot>,
    /// Which of the tree's route maps this thread uses.
    stripe: usize,
}

thread_local! {
    static CACHE: RefCell<Slots> = const { RefCell::new(Slots { slots: Vec::new(), stripe: 0 }) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The threshold of a target.
#[inline]
pub(super) fn threshold(inner: &Inner, target: &str) -> Threshold {
    let cached = with_slot(inner, target, |slot, is_current, _| {
        if !is_current {
            let tree = inner.read();
            slot.threshold = tree.threshold(target);
            slot.generation = inner.generation();
            slot.route = Weak::new();
        }
        slot.threshold
    });
    cached.unwrap_or_else(|| inner.read().threshold(target))
}

/// The threshold of a target, and its route.
#[inline]
pub(super) fn route(inner: &Inner, target: &str) -> (Threshold, Arc<Route>) {
    let cached = with_slot(inner, target, |slot, is_current, stripe| {
        if is_current {
            if let Some(route) = slot.route.upgrade() {
                return (slot.threshold, route);
            }
        }
        let tree = inner.read();
        let route = tree.route(target, stripe);
        slot.threshold = tree.threshold(target);
        slot.generation = inner.generation();
        slot.route = Arc::downgrade(&route);
        (slot.threshold, route)
    });
    cached.unwrap_or_else(|| {
        let tree = inner.read();
        (tree.threshold(target), tree.route(target, 0))
    })
}

/// Calls `take` with the slot of a target, whether it is current, and the thread's stripe. `None` if there is no slot: the
/// target is too long, or the thread is ending.
#[inline]
fn with_slot<R>(inner: &Inner, target: &str, take: impl FnOnce(&mut Slot, bool, usize) -> R) -> Option<R> {
    if target.len() > name::MAX_BYTES {
        return None;
    }
    let in_slots = |cached: &RefCell<Slots>| {
        let mut cached = cached.try_borrow_mut().ok()?;
        let Slots { slots, stripe } = &mut *cached;
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
    CACHE.try_with(in_slots).ok().flatten()
}

/// Hashes the address of the loggers as well: two `Loggers` that see the same targets in turn must not share slots.
#[inline]
fn index(inner: &Inner, target: &str) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = ptr::from_ref(inner).addr() as u64;
    let mut add = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    let words = target.as_bytes().chunks_exact(8);
    let rest = words.remainder();
    words.filter_map(<[u8]>::first_chunk).for_each(|word| add(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(u64::from_le_bytes(last));
    (hash >> (u64::BITS - SLOTS.ilog2())) as usize
}
