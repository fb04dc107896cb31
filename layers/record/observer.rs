//! What handlers hang on the root of a span tree, to be told when the tree ends.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// What one handler keeps for one span tree.
pub(crate) trait TreeObserver: Any + Send + Sync {
    /// The root closes. Handlers may be called.
    fn close(&self);

    /// Somebody wants to see the tree. Handlers may be called.
    fn trigger(&self);

    /// The root is gone without a word. No handler may be called here.
    fn abandon(&self);
}

/// The tapes of a root: a list that only grows, so that looking takes no lock.
#[derive(Default)]
pub(crate) struct TreeObservers(OnceLock<Box<Node>>);

struct Node {
    observer: Arc<dyn TreeObserver>,
    next: TreeObservers,
}

static ANY_OBSERVER: AtomicBool = AtomicBool::new(false);
static TIME_ROOTS: AtomicBool = AtomicBool::new(false);

/// From now on spans may have tapes: their end is looked at.
pub(crate) fn expect_observers() {
    ANY_OBSERVER.store(true, Ordering::Relaxed);
}

/// Whether any span may have a tape.
#[inline]
pub(crate) fn are_observers_expected() -> bool {
    ANY_OBSERVER.load(Ordering::Relaxed)
}

/// From now on roots know when they began.
pub(crate) fn time_roots() {
    TIME_ROOTS.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn are_roots_timed() -> bool {
    TIME_ROOTS.load(Ordering::Relaxed)
}

impl TreeObservers {
    /// The tape of a handler, if there is one.
    #[inline]
    pub(crate) fn find<T: TreeObserver>(&self, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.iter().filter_map(|observer| (&**observer as &dyn Any).downcast_ref()).find(|observer| is_it(observer))
    }

    /// The tape of a handler; `make` is called if there is none. Should another thread be faster, what was made is dropped.
    pub(crate) fn find_or_insert<T: TreeObserver>(&self, is_it: impl Fn(&T) -> bool, make: impl Fn() -> Arc<T>) -> &T {
        let mut made: Option<Box<Node>> = None;
        let mut at = self;
        loop {
            let Some(node) = at.0.get() else {
                let new = made.take().unwrap_or_else(|| Box::new(Node { observer: make(), next: Self::default() }));
                made = at.0.set(new).err();
                continue;
            };
            match (&*node.observer as &dyn Any).downcast_ref().filter(|observer| is_it(observer)) {
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
