//! No handler is called again while it works on the same thread.

use std::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicU64, Ordering},
};

thread_local! {
    /// The id of the handler that runs on this thread; 0 if none does.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
    /// The handlers that called it: a tee, or a handler that emitted a record.
    static OUTER: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The handler runs until this is dropped.
pub(super) struct ReentrancyGuard {
    before: u64,
}

impl ReentrancyGuard {
    /// `None` if this handler runs on this thread already.
    #[inline]
    pub(super) fn enter(id: u64) -> Option<Self> {
        let before = CURRENT.get();
        if before != 0 && !Self::enter_nested(before, id) {
            return None;
        }
        CURRENT.set(id);
        Some(Self { before })
    }

    /// Adds the running handler to the outer ones; false if `id` is one of them.
    fn enter_nested(before: u64, id: u64) -> bool {
        let is_new = |outer: &RefCell<Vec<u64>>| {
            let mut outer = outer.borrow_mut();
            let is_new = before != id && !outer.contains(&id);
            if is_new {
                outer.push(before);
            }
            is_new
        };
        // At the end of a thread the list is gone: nested calls are refused then.
        OUTER.try_with(is_new).unwrap_or(false)
    }
}

impl Drop for ReentrancyGuard {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
        if self.before != 0 {
            // The last entry is ours: nested calls have returned. If the list is gone, so is the entry.
            OUTER.try_with(|outer| outer.borrow_mut().pop()).unwrap_or_default();
        }
    }
}

/// Whether a handler runs on this thread.
pub(crate) fn is_handling() -> bool {
    CURRENT.get() != 0
}

/// The id of a new handler.
pub(super) fn next_handler_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
