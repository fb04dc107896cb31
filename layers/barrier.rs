//! Commands by handle come after the records that were given before them, also where those wait for another thread.

use std::sync::{Arc, Weak};

use crate::fork::ForkRwLock;

/// Something that records wait in.
pub(crate) trait Waits: Send + Sync {
    /// Asks for what was given before to be handled first. What it gives waits for that, within a deadline of its own.
    fn ask(&self) -> Option<Box<dyn FnOnce()>>;
}

static ALL: ForkRwLock<Vec<Weak<dyn Waits>>> = ForkRwLock::first(Vec::new());

pub(crate) fn register(waits: Weak<dyn Waits>) {
    let mut all = ALL.write();
    all.retain(|other| other.strong_count() > 0);
    all.push(waits);
}

/// Waits until all records that were given to any handler before have left the queues they wait in, as far as each queue's
/// own deadline goes. On the thread of a queue, that one is not waited for.
pub(crate) fn wait() {
    let all: Vec<Arc<dyn Waits>> = ALL.read().iter().filter_map(Weak::upgrade).collect();
    // All are asked before any is waited for.
    let asked: Vec<_> = all.iter().filter_map(|waits| waits.ask()).collect();
    asked.into_iter().for_each(|wait| wait());
}
