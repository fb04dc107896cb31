//! What handlers hang on the root of a span tree, to be told when the tree ends.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// What one handler keeps for one span tree.
pub(crate) trait Tape: Any + Send + Sync {
    /// The root closes. Handlers may be called.
    fn close(&self);

    /// Somebody wants to see the tree. Handlers may be called.
    fn pick(&self);

    /// The root is gone without a word. No handler may be called here.
    fn abandon(&self);
}

/// The tapes of a root: a list that only grows, so that looking takes no lock.
#[derive(Default)]
pub(crate) struct Tapes(OnceLock<Box<Hung>>);

struct Hung {
    tape: Arc<dyn Tape>,
    next: Tapes,
}

static ANY: AtomicBool = AtomicBool::new(false);
static TIMED: AtomicBool = AtomicBool::new(false);

/// From now on spans may have tapes: their end is looked at.
pub(crate) fn expect_tapes() {
    ANY.store(true, Ordering::Relaxed);
}

/// Whether any span may have a tape.
#[inline]
pub(crate) fn are_tapes_expected() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// From now on roots know when they began.
pub(crate) fn time_roots() {
    TIMED.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn are_roots_timed() -> bool {
    TIMED.load(Ordering::Relaxed)
}

impl Tapes {
    /// The tape of a handler, if there is one.
    #[inline]
    pub(crate) fn find<T: Tape>(&self, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        self.iter().filter_map(|tape| (&**tape as &dyn Any).downcast_ref()).find(|tape| is_it(tape))
    }

    /// The tape of a handler; `make` is called if there is none. Should another thread be faster, what was made is dropped.
    pub(crate) fn find_or_hang<T: Tape>(&self, is_it: impl Fn(&T) -> bool, make: impl Fn() -> Arc<T>) -> &T {
        let mut made: Option<Box<Hung>> = None;
        let mut at = self;
        loop {
            let Some(hung) = at.0.get() else {
                let new = made.take().unwrap_or_else(|| Box::new(Hung { tape: make(), next: Self::default() }));
                made = at.0.set(new).err();
                continue;
            };
            match (&*hung.tape as &dyn Any).downcast_ref().filter(|tape| is_it(tape)) {
                Some(tape) => return tape,
                None => at = &hung.next,
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tape>> {
        std::iter::successors(self.0.get(), |hung| hung.next.0.get()).map(|hung| &hung.tape)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}
