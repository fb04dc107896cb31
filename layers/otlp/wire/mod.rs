//! Requests over HTTP or gRPC.

mod grpc;
mod http;
mod json;
mod tls;

use std::time::Duration;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
};

use super::settings::{Protocol, Settings};
use crate::Error;
pub(super) use crate::handler::worker::batching::Answer;

#[derive(Clone, Debug)]
pub(super) enum Request {
    Logs(ExportLogsServiceRequest),
    Spans(ExportTraceServiceRequest),
}

/// The client of one receiver.
pub(super) enum Client {
    Http(http::Http),
    Grpc(grpc::Grpc),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        match settings.protocol {
            Protocol::Grpc => grpc::Grpc::new(settings).map(Self::Grpc),
            Protocol::HttpProtobuf | Protocol::HttpJson => http::Http::new(settings).map(Self::Http),
        }
    }

    /// One attempt, within the settings' timeout and the time left.
    pub(super) fn send(&mut self, request: &Request, left: Option<Duration>) -> Answer {
        match self {
            Self::Http(http) => http.send(request, left),
            Self::Grpc(grpc) => grpc.send(request, left),
        }
    }
}

impl From<ExportLogsServiceResponse> for Answer {
    fn from(response: ExportLogsServiceResponse) -> Self {
        let partial = response.partial_success.unwrap_or_default();
        Self::Accepted { rejected: partial.rejected_log_records.max(0) as u64, message: partial.error_message }
    }
}

impl From<ExportTraceServiceResponse> for Answer {
    fn from(response: ExportTraceServiceResponse) -> Self {
        let partial = response.partial_success.unwrap_or_default();
        Self::Accepted { rejected: partial.rejected_spans.max(0) as u64, message: partial.error_message }
    }
}
