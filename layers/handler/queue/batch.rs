//! One write for many records: outputs of lines hold what a listener gives them until it rests.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

/// What was held on this thread, to be written.
pub(crate) trait Pending {
    /// Writes it; what goes wrong is on the ledger and told to the trap.
    fn write_out(&self);
}

thread_local! {
    static LISTENS: Cell<bool> = const { Cell::new(false) };
    static IS_DIRECT: Cell<bool> = const { Cell::new(false) };
    static PENDING: RefCell<Vec<Arc<dyn Pending>>> = const { RefCell::new(Vec::new()) };
}

/// From here on, this thread is a queue's listener.
pub(super) fn listen() {
    LISTENS.set(true);
}

/// Writes all that is held on this thread.
pub(super) fn write_out() {
    // Taken out first: what is written may not find the list in use.
    let pending = PENDING.take();
    pending.iter().for_each(|pending| pending.write_out());
}

/// Whether this thread is a queue's listener, which writes out what is held before it rests.
#[inline]
pub(crate) fn is_listening() -> bool {
    LISTENS.try_with(Cell::get).unwrap_or_default()
}

/// What is written meanwhile is not held for others: whoever asks wants to know what becomes of it.
pub(crate) fn directly<R>(work: impl FnOnce() -> R) -> R {
    struct Back(bool);

    impl Drop for Back {
        fn drop(&mut self) {
            IS_DIRECT.try_with(|cell| cell.set(self.0)).unwrap_or_default();
        }
    }

    let _back = Back(IS_DIRECT.try_with(|cell| cell.replace(true)).unwrap_or_default());
    work()
}

/// Whether that is so now.
pub(crate) fn is_direct() -> bool {
    IS_DIRECT.try_with(Cell::get).unwrap_or_default()
}

/// Something is held on this thread.
pub(crate) fn join(pending: Arc<dyn Pending>) {
    PENDING.with_borrow_mut(|list| {
        if !list.iter().any(|other| Arc::ptr_eq(other, &pending)) {
            list.push(pending);
        }
    });
}
