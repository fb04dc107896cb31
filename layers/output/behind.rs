//! What stands before an output over a network: a queue, and a fallback behind it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Error, Handler, HandlerExt as _, Queue,
    handler::queue::{Overflow, QueueBuilder, WorkerGuard},
};

/// A queue's limits, and who takes the records while the peer is away.
#[derive(Clone)]
pub(super) struct QueuedOutput {
    pub(super) queue: QueueBuilder,
    pub(super) fallback: Option<Arc<dyn Handler>>,
}

/// How long a record behind a queue waits for a peer that is away, where nothing was said and nobody else takes it: as long
/// as it takes to restart one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl QueuedOutput {
    pub(super) fn build(self, handler: impl Handler) -> Result<Queue, Error> {
        match self.fallback {
            Some(fallback) => self.queue.build(handler.fallback(fallback)),
            None => self.queue.build(handler),
        }
    }

    pub(super) fn build_with_guard(self, handler: impl Handler) -> Result<(Queue, WorkerGuard), Error> {
        match self.fallback {
            Some(fallback) => self.queue.build_with_guard(handler.fallback(fallback)),
            None => self.queue.build_with_guard(handler),
        }
    }

    /// Without the queue.
    pub(super) fn direct(self, handler: impl Handler) -> Box<dyn Handler> {
        match self.fallback {
            Some(fallback) => handler.fallback(fallback).boxed(),
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
        /// [`build_sync`](Self::build_sync).
        pub fn queue(mut self, queue: $crate::handler::queue::QueueBuilder) -> Self {
            self.behind.queue = queue;
            self
        }

        /// Who takes the records while the peer is away, on the queue's thread: see
        /// [`Fallback`](crate::handler::Fallback).
        #[doc = $while_away]
        pub fn fallback(mut self, fallback: impl $crate::Handler) -> Self {
            self.behind.fallback = Some(std::sync::Arc::new(fallback));
            self
        }

        /// The handler behind a queue of its own, so that nobody waits for the peer: a thread formats and sends. Dropping
        /// it sends what waits.
        ///
        /// # Errors
        /// As for [`build_sync`](Self::build_sync); the queue cannot start its thread.
        pub fn build(self) -> Result<$crate::Queue, $crate::Error> {
            let this = self.queued();
            let behind = this.behind.clone();
            behind.build(this.connect()?)
        }

        /// The same with a guard, which sends what waits when it is dropped, at the end of `main`.
        ///
        /// # Errors
        /// As for [`build`](Self::build).
        pub fn build_with_guard(self) -> Result<($crate::Queue, $crate::handler::queue::WorkerGuard), $crate::Error> {
            let this = self.queued();
            let behind = this.behind.clone();
            behind.build_with_guard(this.connect()?)
        }

        /// The handler without a queue, which sends on the thread that logs; or to be put behind a queue with others.
        ///
        /// # Errors
        /// What was set cannot be: the message says which and why. There is an [`fallback`](Self::fallback), which belongs
        /// to a queue.
        pub fn build_sync(self) -> Result<$handler, $crate::Error> {
            self.behind.refuse_fallback($name)?;
            self.connect()
        }
    };
}
pub(super) use behind_a_queue;

/// Nobody waits for a peer that may go away.
impl Default for QueuedOutput {
    fn default() -> Self {
        Self { queue: Queue::builder().overflow(Overflow::DropNewest), fallback: None }
    }
}

impl fmt::Debug for QueuedOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedOutput").field("queue", &self.queue).field("fallback", &self.fallback.is_some()).finish()
    }
}
