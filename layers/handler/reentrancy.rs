//! No handler is called again while it works on the same thread.

use std::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicU64, Ordering},
};

thread_local! {
    /// The handler that is at work on this thread, by number; 0 if none is.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
    /// Those that wait for it: a tee for its handlers, a handler for the record it gave birth to.
    static OUTER: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// At work until it is dropped.
pub(super) struct ReentrancyGuard {
    before: u64,
}

impl ReentrancyGuard {
    /// `None` if this handler is at work on this thread already.
    #[inline]
    pub(super) fn enter(number: u64) -> Option<Self> {
        let before = CURRENT.get();
        if before != 0 && !Self::wait(before, number) {
            return None;
        }
        CURRENT.set(number);
        Some(Self { before })
    }

    /// Puts the one at work among those that wait; false if the number is one of them.
    fn wait(before: u64, number: u64) -> bool {
        let is_new = |waiting: &RefCell<Vec<u64>>| {
            let mut waiting = waiting.borrow_mut();
            let is_new = before != number && !waiting.contains(&number);
            if is_new {
                waiting.push(before);
            }
            is_new
        };
        // Where the thread is ending there is no list: not to recurse is safer.
        OUTER.try_with(is_new).unwrap_or(false)
    }
}

impl Drop for ReentrancyGuard {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
        if self.before != 0 {
            // Those that began later have ended. Where the list is gone, so is the entry.
            OUTER.try_with(|waiting| waiting.borrow_mut().pop()).unwrap_or_default();
        }
    }
}

/// Whether a handler is at work on this thread.
pub(crate) fn is_handling() -> bool {
    CURRENT.get() != 0
}

/// A number for a new handler.
pub(super) fn next_handler_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
