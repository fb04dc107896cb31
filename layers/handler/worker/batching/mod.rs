//! A worker that sends items in batches, as to a collector: retries, time-outs, and one receipt for each item.

mod answer;
mod job;
mod outbox;
mod retry;
mod segment;
mod sender;
mod spool;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod worker;

use std::{
    borrow::Cow,
    cell::RefCell,
    thread::LocalKey,
    time::{Duration, SystemTime},
};

pub use self::answer::{Answer, Attempt, Verdict};
#[cfg(feature = "otlp")]
pub(crate) use self::worker::PendingSend;
pub(crate) use self::{segment::SpoolOptions, worker::BatchWorker};
use super::{Item, Overflow, ShardHandle, Weighed};
use crate::{Error, Record, Severity, ledger::Receipt, record::OwnedRecord};

/// Where batches go.
pub(crate) trait Export: Send + Sync + 'static {
    type Item: Batchable;
    /// Made and dropped on the worker's thread.
    type Client;

    fn connect(&self) -> Result<Self::Client, Error>;

    /// Sends a batch once.
    fn send(&self, client: &mut Self::Client, batch: &[Self::Item], attempt: &Attempt) -> Answer;
}

/// How large a batch is, and how long it is retried.
#[derive(Clone, Debug)]
pub(crate) struct BatchConfig {
    /// The names of the output and its items in errors.
    pub(crate) output: Cow<'static, str>,
    pub(crate) what: &'static str,
    pub(crate) thread: Cow<'static, str>,
    pub(crate) capacity: usize,
    pub(crate) max_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_batch: usize,
    /// Estimated, before a request is encoded.
    pub(crate) batch_bytes: usize,
    /// How long an item waits for others.
    pub(crate) delay: Duration,
    pub(crate) retry_for: Duration,
    pub(crate) spool: Option<SpoolOptions>,
}

impl BatchConfig {
    /// Without I/O.
    pub(crate) fn check_spool(&self) -> Result<(), Error> {
        let (output, Some(spool)) = (&self.output, &self.spool) else { return Ok(()) };
        if spool.directory.as_os_str().is_empty() {
            return Err(Error::config(format_args!("{output}: spool: expected a directory, got nothing")));
        }
        // A batch that never fits would wait in memory for ever.
        let least = (self.batch_bytes as u64).saturating_mul(2);
        if spool.max_bytes < least {
            let got = spool.max_bytes;
            return Err(Error::config(format_args!(
                "{output}: spool: expected at least {least} bytes, two batches, got {got}"
            )));
        }
        Ok(())
    }
}

/// What batches are made of. Each thread keeps its shards in `HANDLES`.
pub(crate) trait Batchable: Send + Sync + Sized + 'static {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>>;

    /// Which of several threads' items is sent first, and which one makes space for another.
    fn time(&self) -> SystemTime;

    fn is_protected(&self) -> bool;

    /// An item that says how many were lost, if one can.
    fn loss_notice(output: &str, lost: u64) -> Option<Self>;

    // --- for the spool

    fn identify(&mut self, id: u128);

    fn encode(&self, out: &mut Vec<u8>);

    fn decode(bytes: &[u8]) -> Option<Self>;
}

thread_local! {
    static RECORDS: RefCell<Vec<ShardHandle<BatchItem<OwnedRecord>>>> = const { RefCell::new(Vec::new()) };
}

impl Batchable for OwnedRecord {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &RECORDS;

    fn time(&self) -> SystemTime {
        Record::time(self)
    }

    fn is_protected(&self) -> bool {
        self.severity() >= Severity::ERROR
    }

    fn loss_notice(output: &str, lost: u64) -> Option<Self> {
        let records = if lost == 1 { "record" } else { "records" };
        let target = format!("tracing_strata::{output}");
        let mut record = Record::new(Severity::WARN, &target, &format!("{lost} {records} lost"));
        record.set("lost", lost);
        Some(Self::new(record))
    }

    fn identify(&mut self, id: u128) {
        self.make_mut().set_id(id);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        Record::encode(self, out);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        OwnedRecord::decode(bytes)
    }
}

/// An item with its receipt.
pub(crate) struct BatchItem<T> {
    item: T,
    bytes: usize,
    receipt: Receipt,
}

impl<T: Batchable> Item for BatchItem<T> {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<Self>>>> = T::HANDLES;
}

impl<T: Batchable> Weighed for BatchItem<T> {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn is_protected(&self) -> bool {
        self.item.is_protected()
    }

    fn time(&self) -> SystemTime {
        self.item.time()
    }

    fn discard(self) {
        self.receipt.dropped();
    }
}
