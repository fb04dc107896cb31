//! The exports of logs and spans: how batches become requests.

use std::{cell::RefCell, sync::Arc, thread::LocalKey, time::Duration};

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
        ShardHandle,
        batching::{Answer, BatchConfig, BatchItem, Batched, Export},
    },
    record::{ClosedSpan, OwnedRecord},
};

/// Below the default limit of receivers (gRPC: 4 MiB), as it is an estimate before encoding.
const BATCH_BYTES: usize = 3 << 20;

impl Settings {
    pub(super) fn batch_config(&self, what: &'static str) -> BatchConfig {
        let limits = &self.limits;
        BatchConfig {
            output: "otlp",
            what,
            thread: self.signal.thread_name(),
            capacity: limits.capacity,
            max_bytes: limits.max_bytes,
            max_batch: limits.max_batch,
            batch_bytes: BATCH_BYTES,
            delay: limits.delay,
            retry_for: limits.retry_for,
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
    type Request = Request;
    type Client = wire::Client;

    fn connect(&self) -> Result<wire::Client, Error> {
        wire::Client::new(&self.settings)
    }

    fn encode(&self, batch: &[OwnedRecord], lost: u64) -> Request {
        Request::Logs(logs::request(&self.resource, &self.context, self.limits, batch, lost))
    }

    fn send(&self, client: &mut wire::Client, request: &Request, left: Option<Duration>) -> Answer {
        client.send(request, left)
    }
}

pub(super) struct SpansExport {
    pub(super) settings: Settings,
    pub(super) resource: Arc<Resource>,
    pub(super) limits: SpanLimits,
}

impl Export for SpansExport {
    type Item = ClosedSpan;
    type Request = Request;
    type Client = wire::Client;

    fn connect(&self) -> Result<wire::Client, Error> {
        wire::Client::new(&self.settings)
    }

    /// Lost spans are only in the ledger: no span could report them.
    fn encode(&self, batch: &[ClosedSpan], _: u64) -> Request {
        Request::Spans(spans::request(&self.resource, &self.limits, batch))
    }

    fn send(&self, client: &mut wire::Client, request: &Request, left: Option<Duration>) -> Answer {
        client.send(request, left)
    }
}

thread_local! {
    static LOGS: RefCell<Vec<ShardHandle<BatchItem<OwnedRecord>>>> = const { RefCell::new(Vec::new()) };
    static SPANS: RefCell<Vec<ShardHandle<BatchItem<ClosedSpan>>>> = const { RefCell::new(Vec::new()) };
}

impl Batched for OwnedRecord {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &LOGS;
}

impl Batched for ClosedSpan {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &SPANS;
}
