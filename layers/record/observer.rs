//! Handlers observe a span tree through its root, to learn when the tree ends.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// One handler's observer of one span tree.
pub(crate) trait TreeObserver: Any + Send + Sync {
    /// Itself. (Rust does this by itself from 1.86 on.)
    fn as_any(&self) -> &dyn Any;

    /// The root closes. Handlers may be called.
    fn close(&self);

    /// Somebody wants all records of the tree. Handlers may be called.
    fn trigger(&self);

    /// The root was dropped without being closed. No handler may be called here.
    fn abandon(&self);
}

/// The observers of a root: a list that only grows, so that reading takes no lock.
#[derive(Default)]
pub(crate) struct TreeObservers(OnceLock<Box<Node>>);

struct Node {
    observer: Arc<dyn TreeObserver>,
    next: TreeObservers,
}

static ANY_OBSERVER: AtomicBool = AtomicBool::new(false);
static TIME_ROOTS: AtomicBool = AtomicBool::new(false);

/// From now on spans may have observers: layers look for them when a span closes.
pub(crate) fn expect_observers() {
    ANY_OBSERVER.store(true, Ordering::Relaxed);
}

/// Whether any span may have an observer.
#[inline]
pub(crate) fn are_observers_expected() -> bool {
    ANY_OBSERVER.load(Ordering::Relaxed)
}

/// From now on roots store when they began.
pub(crate) fn time_roots() {
    TIME_ROOTS.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn are_roots_timed() -> bool {
    TIME_ROOTS.load(Ordering::Relaxed)
}

impl TreeObservers {
    /// The observer of a handler, if there is one.
    #[inline]
    pub(crate) fn find<T: TreeObserver>(&self, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.iter().filter_map(|observer| observer.as_any().downcast_ref()).find(|observer| is_it(observer))
    }

    /// The observer of a handler, made by `make` if there is none. If another thread is faster, the new one is dropped.
    pub(crate) fn find_or_insert<T: TreeObserver>(&self, is_it: impl Fn(&T) -> bool, make: impl Fn() -> Arc<T>) -> &T {
        let mut made: Option<Box<Node>> = None;
        let mut at = self;
        loop {
            let Some(node) = at.0.get() else {
                let new = made.take().unwrap_or_else(|| Box::new(Node { observer: make(), next: Self::default() }));
                made = at.0.set(new).err();
                continue;
            };
            match node.observer.as_any().downcast_ref().filter(|observer| is_it(observer)) {
                Some(observer) => return observer,
                None => at = &node.next,
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn TreeObserver>> {
        std::iter::successors(self.0.get(), |node| node.next.0.get()).map(|node| &node.observer)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}
