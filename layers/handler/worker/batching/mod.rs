//! A worker that sends items in batches, as to a collector: retries, time-outs, and one receipt for each item.

mod retry;
mod sender;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod worker;

use std::{
    cell::RefCell,
    thread::LocalKey,
    time::{Duration, SystemTime},
};

pub(crate) use self::{
    retry::retry_after,
    worker::{BatchWorker, PendingSend},
};
use super::{Item, ShardHandle, Weighed};
use crate::{Error, ledger::Receipt};

/// Where batches go.
pub(crate) trait Export: Send + Sync + 'static {
    type Item: Batched;
    type Request;
    /// Made and dropped on the worker's thread.
    type Client;

    fn connect(&self) -> Result<Self::Client, Error>;

    /// Makes a request from a batch and the number of items lost before it.
    fn encode(&self, batch: &[Self::Item], lost: u64) -> Self::Request;

    /// Sends it once. `left` is the time until the deadline of a shutdown.
    fn send(&self, client: &mut Self::Client, request: &Self::Request, left: Option<Duration>) -> Answer;
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Accepted, but for some items.
    Accepted { rejected: u64, message: String },
    /// Refused; the same request would be refused again.
    Refused(Error),
    /// Not accepted now, or not known: retry, after this time if the receiver asks for it.
    Retryable { after: Option<Duration>, error: Error },
}

/// How large a batch is, and how long it is retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchConfig {
    /// The names of the output and its items in errors.
    pub(crate) output: &'static str,
    pub(crate) what: &'static str,
    pub(crate) thread: &'static str,
    pub(crate) capacity: usize,
    pub(crate) max_bytes: usize,
    pub(crate) max_batch: usize,
    /// Estimated, before a request is encoded.
    pub(crate) batch_bytes: usize,
    /// How long an item waits for others.
    pub(crate) delay: Duration,
    pub(crate) retry_for: Duration,
}

/// What batches are made of. Each thread keeps its shards in `HANDLES`.
pub(crate) trait Batched: Send + Sized + 'static {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>>;
}

/// An item with its receipt.
pub(crate) struct BatchItem<T> {
    item: T,
    bytes: usize,
    receipt: Receipt,
}

impl<T: Batched> Item for BatchItem<T> {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<Self>>>> = T::HANDLES;
}

impl<T> Weighed for BatchItem<T> {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_protected(&self) -> bool {
        false
    }

    fn time(&self) -> SystemTime {
        // A request has no order between threads.
        SystemTime::UNIX_EPOCH
    }

    fn discard(self) {
        self.receipt.dropped();
    }
}
