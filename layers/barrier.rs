//! A barrier: commands through a handle come after all earlier records, also where those are in a queue.

use std::sync::Weak;

use crate::weak_list::WeakList;

/// Something that buffers records for another thread.
pub(crate) trait Buffers: Send + Sync {
    /// Asks for all earlier records to be handled first. The returned function waits for that, within a timeout of its own.
    fn begin_barrier(&self) -> Option<Box<dyn FnOnce()>>;
}

static ALL: WeakList<dyn Buffers> = WeakList::new();

pub(crate) fn register(buffers: Weak<dyn Buffers>) {
    ALL.add(buffers);
}

/// Waits until all earlier records of all handlers have left their queues, as far as the timeout of each queue allows. On
/// the thread of a queue, that one is not waited for.
pub(crate) fn wait() {
    // All begin before the first wait.
    let pending: Vec<_> = ALL.all().iter().filter_map(|buffers| buffers.begin_barrier()).collect();
    pending.into_iter().for_each(|wait| wait());
}
