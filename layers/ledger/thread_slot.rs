//! A small number for each thread, so that each thread can have counters of its own.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering},
};

/// How many threads at a time have a slot of their own. All others share the slot with this number.
pub(super) const SLOTS: usize = 16;

const UNKNOWN: usize = usize::MAX;

static IN_USE: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(UNKNOWN) };
    static OWNER: Owner = const { Owner };
}

/// Returns the slot when the thread ends.
struct Owner;

impl Drop for Owner {
    fn drop(&mut self) {
        let slot = SLOT.replace(SLOTS);
        if slot < SLOTS {
            IN_USE.fetch_and(!(1 << slot), Ordering::AcqRel);
        }
    }
}

/// The slot of this thread. A thread that is ending uses the shared one.
#[inline]
pub(super) fn own() -> usize {
    match SLOT.get() {
        UNKNOWN => acquire(),
        slot => slot,
    }
}

#[cold]
fn acquire() -> usize {
    // Without an owner, nothing would return the slot.
    let is_owned = OWNER.try_with(|_| ()).is_ok();
    let with_lowest = |taken: u32| (is_owned && taken.trailing_ones() < SLOTS as u32).then_some(taken | (taken + 1));
    let before = IN_USE.fetch_update(Ordering::AcqRel, Ordering::Acquire, with_lowest);
    let slot = before.map_or(SLOTS, |taken| taken.trailing_ones() as usize);
    SLOT.set(slot);
    slot
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_two_threads_have_one_slot_and_it_is_given_back() {
        for _ in 0..4 {
            let barrier = std::sync::Barrier::new(SLOTS + 4);
            let slots: Vec<usize> = std::thread::scope(|scope| {
                let wait = || {
                    let slot = own();
                    barrier.wait();
                    assert_eq!(slot, own());
                    slot
                };
                let threads: Vec<_> = (0..SLOTS + 4).map(|_| scope.spawn(wait)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for (index, slot) in slots.iter().enumerate() {
                assert!(*slot == SLOTS || !slots[..index].contains(slot), "{slots:?}");
            }
        }
        assert!(own() <= SLOTS);
    }
}
