//! What stands before an output over a network: a queue, and a fallback behind it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Error, Handler, Queue,
    handler::queue::{Overflow, QueueBuilder, QueueGuard},
};

/// A queue's limits, and who takes the records while the peer is away.
#[derive(Clone)]
pub(super) struct Behind {
    pub(super) queue: QueueBuilder,
    pub(super) fallback: Option<Arc<dyn Handler>>,
}

/// How long a record behind a queue waits for a peer that is away, where nothing was said and nobody else takes it: as long
/// as it takes to restart one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Behind {
    pub(super) fn own(self, handler: impl Handler) -> Result<Queue, Error> {
        match self.fallback {
            Some(fallback) => self.queue.own(handler.or_else(fallback)),
            None => self.queue.own(handler),
        }
    }

    pub(super) fn spawn(self, handler: impl Handler) -> Result<(Queue, QueueGuard), Error> {
        match self.fallback {
            Some(fallback) => self.queue.spawn(handler.or_else(fallback)),
            None => self.queue.spawn(handler),
        }
    }

    pub(super) fn refuse_fallback(&self, what: &str) -> Result<(), Error> {
        match self.fallback {
            Some(_) => Err(Error::config(format_args!(
                "{what}: a fallback stands behind the queue that `build` makes; for a handler without one, \
                 expected `build_direct()?.or_else(fallback)`"
            ))),
            None => Ok(()),
        }
    }
}

/// Nobody waits for a peer that may go away.
impl Default for Behind {
    fn default() -> Self {
        Self { queue: Queue::builder().overflow(Overflow::DropNewest), fallback: None }
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behind").field("queue", &self.queue).field("fallback", &self.fallback.is_some()).finish()
    }
}
