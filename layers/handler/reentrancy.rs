//! No handler is called again while it works on the same thread.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// So many handlers inside each other are told apart. What is logged by one further in comes in through one of these.
const DEPTH: usize = 16;

/// The ids of the handlers that run on a thread, the outermost first: a tee, the handlers in it, or a handler that emitted a
/// record. Plain cells: nothing to destroy at the end of a thread.
struct Running {
    ids: [Cell<u64>; DEPTH],
    depth: Cell<usize>,
}

thread_local! {
    static RUNNING: Running = const { Running { ids: [const { Cell::new(0) }; DEPTH], depth: Cell::new(0) } };
}

/// The handler runs until this is dropped.
pub(super) struct ReentrancyGuard(());

impl ReentrancyGuard {
    /// `None` if this handler runs on this thread already.
    #[inline]
    pub(super) fn enter(id: u64) -> Option<Self> {
        RUNNING.with(|running| {
            let depth = running.depth.get();
            if running.ids.iter().take(depth).any(|known| known.get() == id) {
                return None;
            }
            if let Some(slot) = running.ids.get(depth) {
                slot.set(id);
            }
            running.depth.set(depth + 1);
            Some(Self(()))
        })
    }
}

impl Drop for ReentrancyGuard {
    #[inline]
    fn drop(&mut self) {
        RUNNING.with(|running| running.depth.set(running.depth.get() - 1));
    }
}

/// Whether a handler runs on this thread.
pub(crate) fn is_handling() -> bool {
    RUNNING.with(|running| running.depth.get() != 0)
}

/// The id of a new handler.
pub(super) fn next_handler_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
