//! The subscriber that a capture stands in front of.

use std::{cell::Cell, sync::OnceLock, thread};

use tracing_core::{Dispatch, dispatcher, subscriber::NoSubscriber};

/// What the thread would log to without the capture.
pub(super) struct Outer {
    first: Dispatch,
    /// There was none: the application may still set one for the process.
    is_open: bool,
}

thread_local! {
    /// Since it looked last, a subscriber may have been set for the process by this thread.
    static LOOK: Cell<bool> = const { Cell::new(false) };
}

/// That of the process, where it came after a capture.
static LATE: OnceLock<Dispatch> = OnceLock::new();

impl Outer {
    pub(super) fn here() -> Self {
        let first = dispatcher::get_default(Dispatch::clone);
        Self { is_open: first.is::<NoSubscriber>(), first }
    }

    pub(super) fn get(&self) -> &Dispatch {
        if !self.is_open {
            return &self.first;
        }
        if LATE.get().is_none() && LOOK.replace(false) {
            look();
        }
        LATE.get().unwrap_or(&self.first)
    }
}

/// Called for what precedes each new subscriber, on the thread that makes it: `tracing` asks all others about the call
/// sites again.
pub(super) fn look_again() {
    LOOK.try_with(|look| look.set(true)).unwrap_or_default();
}

/// `tracing` tells only a thread without a default of its own.
fn look() {
    let asked = thread::Builder::new().spawn(|| dispatcher::get_default(Dispatch::clone));
    let found = asked.ok().and_then(|thread| thread.join().ok());
    if let Some(found) = found.filter(|found| !found.is::<NoSubscriber>()) {
        LATE.set(found).unwrap_or_default();
    }
}
