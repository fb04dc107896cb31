//! What outputs over a network share: a queue before the output, and a fallback.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Error, Handler, HandlerExt as _, Queue,
    handler::queue::{Overflow, QueueBuilder, WorkerGuard},
};

#[derive(Clone)]
pub(super) struct QueuedOutput {
    pub(super) queue: QueueBuilder,
    pub(super) fallback: Option<Arc<dyn Handler>>,
}

/// How long a queued record waits for a peer that is away, by default and without a fallback: about as long as a restart
/// takes.
pub(crate) const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(super) fn build_sync(self, handler: impl Handler) -> Box<dyn Handler> {
        match self.fallback {
            Some(fallback) => handler.fallback(fallback).boxed(),
            None => handler.boxed(),
        }
    }

    pub(super) fn reject_fallback(&self, output: &str) -> Result<(), Error> {
        match self.fallback {
            Some(_) => Err(Error::config(format_args!(
                "{output}: a fallback needs the queue that `build` makes; for a handler without one, expected \
                 `build_sync()?.fallback(fallback)`"
            ))),
            None => Ok(()),
        }
    }
}

/// Methods that these outputs' builders share. A builder has a field `queued`, a method `connect`, which makes the
/// handler, and `queue_defaults`, which sets the defaults for an output with a queue.
macro_rules! queued_output_builder {
    ($handler:ty, $name:literal, $while_away:literal) => {
        /// The queue's limits, and what happens when it is full (default: [`Queue::builder`](crate::Queue::builder)'s
        /// limits, and [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest)). No effect on
        /// [`build_sync`](Self::build_sync).
        pub fn queue(mut self, queue: $crate::handler::queue::QueueBuilder) -> Self {
            self.queued.queue = queue;
            self
        }

        /// Takes the records while the peer is away, on the queue's thread: see
        /// [`Fallback`](crate::handler::Fallback).
        #[doc = $while_away]
        pub fn fallback(mut self, fallback: impl $crate::Handler) -> Self {
            self.queued.fallback = Some(std::sync::Arc::new(fallback));
            self
        }

        /// The handler behind a queue of its own, so that no caller waits for the peer: a thread formats and sends.
        /// Dropping it sends what is queued.
        ///
        /// # Errors
        /// As for [`build_sync`](Self::build_sync); the queue cannot start its thread.
        pub fn build(self) -> Result<$crate::Queue, $crate::Error> {
            let this = self.queue_defaults();
            let queued = this.queued.clone();
            queued.build(this.connect()?)
        }

        /// The same with a guard, which sends what is queued when it is dropped, at the end of `main`.
        ///
        /// # Errors
        /// As for [`build`](Self::build).
        pub fn build_with_guard(self) -> Result<($crate::Queue, $crate::handler::queue::WorkerGuard), $crate::Error> {
            let this = self.queue_defaults();
            let queued = this.queued.clone();
            queued.build_with_guard(this.connect()?)
        }

        /// The handler without a queue, which sends on the thread that logs; or to put behind a queue with others.
        ///
        /// # Errors
        /// An option is wrong; the message names it. There is a [`fallback`](Self::fallback), which needs the queue.
        pub fn build_sync(self) -> Result<$handler, $crate::Error> {
            self.queued.reject_fallback($name)?;
            self.connect()
        }
    };
}
pub(super) use queued_output_builder;

/// Callers never wait for a peer that is away.
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
