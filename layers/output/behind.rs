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

    /// Without the queue.
    pub(super) fn direct(self, handler: impl Handler) -> Box<dyn Handler> {
        match self.fallback {
            Some(fallback) => handler.or_else(fallback).boxed(),
            None => handler.boxed(),
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

/// What the builders of these outputs have in common. Each has a field `behind`, `connect`, which makes the handler, and
/// `queued`, which sets what is otherwise behind a queue.
macro_rules! behind_a_queue {
    ($handler:ty, $name:literal, $while_away:literal) => {
        /// How much may wait for the thread that sends, and what happens to more (default:
        /// [`Queue::builder`](crate::Queue::builder)'s limits, and
        /// [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest)). Without a meaning for
        /// [`build_direct`](Self::build_direct).
        pub fn queue(mut self, queue: $crate::handler::queue::QueueBuilder) -> Self {
            self.behind.queue = queue;
            self
        }

        /// Who takes the records while the peer is away, on the queue's thread: see
        /// [`OrElse`](crate::handler::OrElse).
        #[doc = $while_away]
        pub fn or_else(mut self, fallback: impl $crate::Handler) -> Self {
            self.behind.fallback = Some(std::sync::Arc::new(fallback));
            self
        }

        /// The handler behind a queue of its own, so that nobody waits for the peer: a thread formats and sends. Dropping
        /// it sends what waits.
        ///
        /// # Errors
        /// As for [`build_direct`](Self::build_direct); the queue cannot start its thread.
        pub fn build(self) -> Result<$crate::Queue, $crate::Error> {
            let this = self.queued();
            let behind = this.behind.clone();
            behind.own(this.connect()?)
        }

        /// The same with a guard, which sends what waits when it is dropped, at the end of `main`.
        ///
        /// # Errors
        /// As for [`build`](Self::build).
        pub fn spawn(self) -> Result<($crate::Queue, $crate::handler::queue::QueueGuard), $crate::Error> {
            let this = self.queued();
            let behind = this.behind.clone();
            behind.spawn(this.connect()?)
        }

        /// The handler without a queue, which sends on the thread that logs; or to be put behind a queue with others.
        ///
        /// # Errors
        /// What was set cannot be: the message says which and why. There is an [`or_else`](Self::or_else), which belongs
        /// to a queue.
        pub fn build_direct(self) -> Result<$handler, $crate::Error> {
            self.behind.refuse_fallback($name)?;
            self.connect()
        }
    };
}
pub(super) use behind_a_queue;

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
