//! One write for many records: outputs of lines hold what a worker gives them until it rests.

use std::{cell::RefCell, rc::Rc, sync::Arc};

/// What was held on a worker's thread, to be written.
pub(crate) trait Pending {
    /// Writes it; what goes wrong is on the ledger and told to the trap.
    fn write_out(&self);
}

/// Those who hold something for one worker.
#[derive(Default)]
pub(crate) struct Batch(RefCell<Vec<Arc<dyn Pending>>>);

impl Batch {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Something is held.
    pub(crate) fn join(&self, pending: Arc<dyn Pending>) {
        let mut list = self.0.borrow_mut();
        if !list.iter().any(|other| Arc::ptr_eq(other, &pending)) {
            list.push(pending);
        }
    }

    /// Writes all that is held.
    pub(crate) fn write_out(&self) {
        // Taken out first: what is written may not find the list in use.
        let mut pending = self.0.take();
        pending.iter().for_each(|pending| pending.write_out());
        pending.clear();
        let mut list = self.0.borrow_mut();
        if list.is_empty() {
            *list = pending;
        }
    }
}
