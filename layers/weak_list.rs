//! A process-wide list of things that are dropped elsewhere.

use std::sync::{Arc, Weak};

use crate::fork::ForkRwLock;

pub(crate) struct WeakList<T: ?Sized + 'static>(ForkRwLock<Vec<Weak<T>>>);

impl<T: ?Sized> WeakList<T> {
    pub(crate) const fn new() -> Self {
        Self(ForkRwLock::for_static(Vec::new()))
    }

    /// Adds it, once.
    pub(crate) fn add(&self, item: Weak<T>) {
        let mut list = self.0.write();
        list.retain(|other| other.strong_count() > 0);
        if !list.iter().any(|other| Weak::ptr_eq(other, &item)) {
            list.push(item);
        }
    }

    /// Those that are still there, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.0.read().iter().filter_map(Weak::upgrade).collect()
    }
}
