//! What outputs over a network have in front of them.

use crate::{Error, Handler, Queue, handler::queue::Overflow};

/// A queue with limits that suit a peer that may go away: nobody waits for it.
pub(super) fn queued(handler: impl Handler) -> Result<Queue, Error> {
    Queue::builder().overflow(Overflow::DropNewest).own(handler)
}
