//! One write for many records: outputs on a worker's thread defer their writes until the worker is idle.

use std::{cell::RefCell, rc::Rc, sync::Arc};

/// An output with lines that are not written yet.
pub(crate) trait DeferredWrite {
    /// Writes them. Errors go to the ledger and its error handler. False if some are left.
    fn write_deferred(&self) -> bool;
}

/// How often it is tried where another thread is writing, for a second each time.
const ATTEMPTS: u32 = 60;

/// The outputs that deferred a write on one worker's thread.
#[derive(Default)]
pub(crate) struct DeferredWrites(RefCell<Vec<Arc<dyn DeferredWrite>>>);

impl DeferredWrites {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    pub(crate) fn add(&self, output: Arc<dyn DeferredWrite>) {
        let mut list = self.0.borrow_mut();
        if !list.iter().any(|other| Arc::ptr_eq(other, &output)) {
            list.push(output);
        }
    }

    pub(crate) fn write_all(&self) {
        for _ in 0..ATTEMPTS {
            // Taken out first: a write may add to the list. Its memory is used again.
            let mut outputs = self.0.take();
            outputs.retain(|output| !output.write_deferred());
            let added = self.0.replace(outputs);
            added.into_iter().for_each(|output| self.add(output));
            if self.0.borrow().is_empty() {
                return;
            }
        }
    }
}
