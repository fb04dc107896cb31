//! The exports of logs and spans: how batches become requests.

use std::{cell::RefCell, sync::Arc, thread::LocalKey, time::SystemTime};

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{
    logs::{self, ContextFields},
    settings::{Settings, SpanLimits},
    spans,
    values::AttributeLimits,
    wire::{self, Request},
};
use crate::{
    Error,
    handler::worker::{
        Overflow, ShardHandle,
        batching::{Answer, Attempt, BatchConfig, BatchItem, Batchable, Export},
    },
    record::{ClosedSpan, OwnedRecord},
};

/// Below the default limit of receivers (gRPC: 4 MiB), as it is an estimate before encoding.
const BATCH_BYTES: usize = 3 << 20;

impl Settings {
    pub(super) fn batch_config(&self, what: &'static str) -> BatchConfig {
        let limits = &self.limits;
        BatchConfig {
            output: "otlp".into(),
            what,
            thread: self.signal.thread_name().into(),
            capacity: limits.capacity,
            max_bytes: limits.max_bytes,
            overflow: Overflow::DropNewest,
            max_batch: limits.max_batch,
            batch_bytes: BATCH_BYTES,
            delay: limits.delay,
            retry_for: limits.retry_for,
            spool: self.spool.clone(),
        }
    }
}

pub(super) struct LogsExport {
    pub(super) settings: Settings,
    pub(super) resource: Arc<Resource>,
    pub(super) context: ContextFields,
    pub(super) limits: AttributeLimits,
}

impl Export for LogsExport {
    type Item = OwnedRecord;
    type Client = wire::Client;

    fn connect(&self) -> Result<wire::Client, Error> {
        wire::Client::new(&self.settings)
    }

    fn send(&self, client: &mut wire::Client, batch: &[OwnedRecord], attempt: &Attempt) -> Answer {
        client.send(&Request::Logs(logs::request(&self.resource, &self.context, self.limits, batch)), attempt)
    }
}

pub(super) struct SpansExport {
    pub(super) settings: Settings,
    pub(super) resource: Arc<Resource>,
    pub(super) limits: SpanLimits,
}

impl Export for SpansExport {
    type Item = ClosedSpan;
    type Client = wire::Client;

    fn connect(&self) -> Result<wire::Client, Error> {
        wire::Client::new(&self.settings)
    }

    fn send(&self, client: &mut wire::Client, batch: &[ClosedSpan], attempt: &Attempt) -> Answer {
        client.send(&Request::Spans(spans::request(&self.resource, &self.limits, batch)), attempt)
    }
}

thread_local! {
    static SPANS: RefCell<Vec<ShardHandle<BatchItem<ClosedSpan>>>> = const { RefCell::new(Vec::new()) };
}

impl Batchable for ClosedSpan {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &SPANS;

    /// A request has no order between threads.
    fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn is_protected(&self) -> bool {
        false
    }

    /// Lost spans are only in the ledger: no span could report them.
    fn loss_notice(_: &str, _: u64) -> Option<Self> {
        None
    }

    /// It has one.
    fn identify(&mut self, _: u128) {}

    fn encode(&self, out: &mut Vec<u8>) {
        ClosedSpan::encode(self, out);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        ClosedSpan::decode(bytes)
    }
}
