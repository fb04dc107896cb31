//! Requests over HTTP or gRPC.

mod grpc;
mod http;
mod json;
mod tls;

use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
};

use super::settings::{Protocol, Settings};
use crate::Error;
pub(super) use crate::handler::worker::batching::{Answer, Attempt};

#[derive(Clone, Debug)]
pub(super) enum Request {
    Logs(ExportLogsServiceRequest),
    Spans(ExportTraceServiceRequest),
}

/// The client of one receiver.
pub(super) enum Client {
    Http(Box<http::Http>),
    Grpc(Box<grpc::Grpc>),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        match settings.protocol {
            Protocol::Grpc => grpc::Grpc::new(settings).map(|grpc| Self::Grpc(Box::new(grpc))),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                http::Http::new(settings).map(|http| Self::Http(Box::new(http)))
            }
        }
    }

    /// What [`new`](Self::new) would fail with, without a runtime.
    #[cfg(feature = "config")]
    pub(super) fn check(settings: &Settings) -> Result<(), Error> {
        match settings.protocol {
            Protocol::Grpc => grpc::endpoint(settings).and_then(|_| grpc::headers(settings)).map(drop),
            Protocol::HttpProtobuf | Protocol::HttpJson => http::Http::new(settings).map(drop),
        }
    }

    /// Within the settings' timeout and the time left.
    pub(super) fn send(&mut self, request: &Request, attempt: &Attempt) -> Answer {
        match self {
            Self::Http(http) => http.send(request, attempt),
            Self::Grpc(grpc) => grpc.send(request, attempt),
        }
    }
}

/// The specification's "Partial Success". A message without rejections is a warning.
fn accepted_but(rejected: u64, message: &str) -> Answer {
    if rejected == 0 && message.is_empty() {
        return Answer::Accepted;
    }
    let refused = usize::try_from(rejected).unwrap_or(usize::MAX);
    Answer::Partial { refused, error: Error::new(format_args!("{message:?}")) }
}

// Not `From`: `Answer` is public, and these types are not to be seen there.
fn logs_answer(response: ExportLogsServiceResponse) -> Answer {
    let partial = response.partial_success.unwrap_or_default();
    accepted_but(partial.rejected_log_records.max(0) as u64, &partial.error_message)
}

fn spans_answer(response: ExportTraceServiceResponse) -> Answer {
    let partial = response.partial_success.unwrap_or_default();
    accepted_but(partial.rejected_spans.max(0) as u64, &partial.error_message)
}
