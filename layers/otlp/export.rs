//! What the workers of logs and spans send, and how.

use std::{cell::RefCell, sync::Arc, thread::LocalKey, time::Duration};

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{
    logs::{self, ContextFields},
    settings::{Settings, SpanLimits},
    spans,
    values::AttributeLimits,
    wire::{Request, Wire},
};
use crate::{
    Error,
    handler::worker::{
        ShardHandle,
        batching::{Answer, BatchConfig, BatchItem, Batched, Export},
    },
    record::{Ended, OwnedRecord},
};

/// A request is kept below what receivers take by default (gRPC: 4 MiB); estimated before it is encoded.
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
    type Client = Wire;

    fn connect(&self) -> Result<Wire, Error> {
        Wire::new(&self.settings)
    }

    fn encode(&self, batch: &[OwnedRecord], lost: u64) -> Request {
        Request::Logs(logs::request(&self.resource, &self.context, self.limits, batch, lost))
    }

    fn send(&self, wire: &mut Wire, request: &Request, left: Option<Duration>) -> Answer {
        wire.send(request, left)
    }
}

pub(super) struct SpansExport {
    pub(super) settings: Settings,
    pub(super) resource: Arc<Resource>,
    pub(super) limits: SpanLimits,
}

impl Export for SpansExport {
    type Item = Ended;
    type Request = Request;
    type Client = Wire;

    fn connect(&self) -> Result<Wire, Error> {
        Wire::new(&self.settings)
    }

    /// Spans that are missing are seen in the ledger: there is no span to tell of them.
    fn encode(&self, batch: &[Ended], _: u64) -> Request {
        Request::Spans(spans::request(&self.resource, &self.limits, batch))
    }

    fn send(&self, wire: &mut Wire, request: &Request, left: Option<Duration>) -> Answer {
        wire.send(request, left)
    }
}

thread_local! {
    static LOGS: RefCell<Vec<ShardHandle<BatchItem<OwnedRecord>>>> = const { RefCell::new(Vec::new()) };
    static SPANS: RefCell<Vec<ShardHandle<BatchItem<Ended>>>> = const { RefCell::new(Vec::new()) };
}

impl Batched for OwnedRecord {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &LOGS;
}

impl Batched for Ended {
    const HANDLES: &'static LocalKey<RefCell<Vec<ShardHandle<BatchItem<Self>>>>> = &SPANS;
}
