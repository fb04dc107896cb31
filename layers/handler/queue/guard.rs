//! The end of a queue.

use std::{fmt, sync::Arc, time::Duration};

use super::{Health, core::Core, ending};
use crate::Error;

/// Shuts a queue down when it is dropped: what waits is handled, within the queue's
/// [`drain`](super::QueueBuilder::drain) deadline. Made by [`QueueBuilder::spawn`](super::QueueBuilder::spawn).
///
/// Keep it until the end of `main`, under a name: `let (queue, _) = …` drops it at once, and every record that comes later
/// is lost (the trap is told with the first). [`own`](super::QueueBuilder::own) needs no guard. A global subscriber is never dropped. It may be dropped on any thread, also one of an
/// async runtime, which it blocks for no longer than the deadline.
#[must_use = "dropping the guard shuts the queue down, and what is logged later is lost: keep it until the end of `main`, \
              as `_guard` and not as `_`"]
pub struct QueueGuard(pub(super) Arc<Core>);

impl QueueGuard {
    /// Waits until everything logged before is handled and the handler was flushed.
    ///
    /// # Errors
    /// The deadline has passed: the message says how many records were not written. They stay queued. Or the handler's
    /// own flush failed, which its trap was told. Or this is the queue's own thread, which cannot wait for itself. Or that has
    /// ended by a panic, which the trap was told.
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.0.flush(false, deadline, deadline)
    }

    /// Takes no more records, handles what waits, flushes the handler, ends the listener and drops the handler: its file or
    /// connection is closed, unless others have the handler, too. Records that come later count as dropped. A second call
    /// is fine.
    ///
    /// # Errors
    /// The deadline has passed: the message says how many records were not written. They count as dropped, and the trap
    /// is told. A record that the handler is working on stays queued until it is done. Or this is the queue's own thread:
    /// then the queue takes no more records, but is not waited for. Or that has ended by a panic.
    pub fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.0.shut_down(deadline, deadline)
    }

    /// How the queue is doing.
    pub fn health(&self) -> Health {
        self.0.health()
    }
}

impl Drop for QueueGuard {
    fn drop(&mut self) {
        // The trap was told.
        ending::wait_for(&self.0, |left| self.0.shut_down(left, self.0.drain)).unwrap_or_default();
    }
}

impl fmt::Debug for QueueGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueGuard").field(&self.0.name()).finish()
    }
}
