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

/// The client of one receiver, or of several of which one is asked.
pub(super) struct Client {
    receivers: Vec<Receiver>,
    /// The one that answered last.
    last: usize,
}

enum Receiver {
    Http(Box<http::Http>),
    Grpc(Box<grpc::Grpc>),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let receivers = all(settings).map(Receiver::new).collect::<Result<_, _>>()?;
        Ok(Self { receivers, last: 0 })
    }

    /// What [`new`](Self::new) would fail with, without a runtime.
    #[cfg(feature = "config")]
    pub(super) fn check(settings: &Settings) -> Result<(), Error> {
        all(settings).try_for_each(Receiver::check)
    }

    /// To each at most once, within the settings' timeout and the time left.
    pub(super) fn send(&mut self, request: &Request, attempt: &Attempt) -> Answer {
        let (count, first) = (self.receivers.len(), self.last);
        let mut away = Answer::retry(Error::new("nobody was asked"));
        for index in (0..count).map(|number| (first + number) % count) {
            match self.receivers[index].send(request, attempt) {
                again @ Answer::Retry { after: None, .. } => away = again,
                answer => {
                    self.last = index;
                    return answer;
                }
            }
        }
        away
    }
}

fn all(settings: &Settings) -> impl Iterator<Item = &Settings> {
    std::iter::once(settings).chain(&settings.failover)
}

impl Receiver {
    fn new(settings: &Settings) -> Result<Self, Error> {
        match settings.protocol {
            Protocol::Grpc => grpc::Grpc::new(settings).map(|grpc| Self::Grpc(Box::new(grpc))),
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                http::Http::new(settings).map(|http| Self::Http(Box::new(http)))
            }
        }
    }

    #[cfg(feature = "config")]
    fn check(settings: &Settings) -> Result<(), Error> {
        match settings.protocol {
            Protocol::Grpc => grpc::endpoint(settings).and_then(|_| grpc::headers(settings)).map(drop),
            Protocol::HttpProtobuf | Protocol::HttpJson => http::Http::new(settings).map(drop),
        }
    }

    fn send(&mut self, request: &Request, attempt: &Attempt) -> Answer {
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
