//! OTLP/gRPC, on a runtime of its own that only runs during a request.

use std::{error::Error as _, time::Duration};

use opentelemetry_proto::tonic::collector::{
    logs::v1::logs_service_client::LogsServiceClient, trace::v1::trace_service_client::TraceServiceClient,
};
use prost::Message;
use tokio::runtime::{self, Runtime};
use tonic::{
    Code, Status,
    codec::CompressionEncoding,
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{
    super::settings::{OtlpCompression, Settings, Tls},
    Answer, Attempt, Request, logs_answer, spans_answer, tls,
};
use crate::{Error, record};

pub(super) fn endpoint(settings: &Settings) -> Result<Endpoint, Error> {
    let failed = |error| Error::with_source(format_args!("otlp: endpoint {:?}", settings.endpoint), error);
    let endpoint = Endpoint::from_shared(settings.endpoint.clone())
        .map_err(failed)?
        .connect_timeout(settings.timeout)
        .user_agent(concat!("tracing-strata/", env!("CARGO_PKG_VERSION")))
        .map_err(failed)?;
    match settings.endpoint.starts_with("https:") {
        true => endpoint.tls_config(tls_config(&settings.tls)?).map_err(failed),
        false => Ok(endpoint),
    }
}

pub(super) fn headers(settings: &Settings) -> Result<MetadataMap, Error> {
    let mut headers = MetadataMap::new();
    for (name, value) in &settings.headers {
        let key = name.to_ascii_lowercase().parse::<MetadataKey<Ascii>>();
        let value = value.parse::<MetadataValue<Ascii>>();
        let (Ok(key), Ok(value)) = (key, value) else {
            return Err(Error::config(format_args!(
                "otlp: header {name:?}: expected a name and a value that gRPC allows"
            )));
        };
        headers.insert(key, value);
    }
    Ok(headers)
}

pub(crate) struct Grpc {
    runtime: Runtime,
    channel: Channel,
    endpoint: String,
    headers: MetadataMap,
    is_gzip: bool,
    timeout: Duration,
}

impl Grpc {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let (endpoint, headers) = (endpoint(settings)?, headers(settings)?);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            // The runtime resolves names on threads of its own.
            .on_thread_start(record::silence_this_thread)
            .thread_name("strata-otlp-dns")
            .max_blocking_threads(1)
            .build()
            .map_err(|error| Error::with_source("otlp: cannot start a runtime for gRPC", error))?;
        let channel = {
            let _entered = runtime.enter();
            endpoint.connect_lazy()
        };
        Ok(Self {
            runtime,
            channel,
            endpoint: settings.endpoint.clone(),
            headers,
            is_gzip: settings.compression == OtlpCompression::Gzip,
            timeout: settings.timeout,
        })
    }

    pub(super) fn send(&self, request: &Request, attempt: &Attempt) -> Answer {
        let timeout = attempt.timeout(self.timeout);
        let sent = self.runtime.block_on(async {
            tokio::time::timeout(timeout, async {
                match request {
                    Request::Logs(logs) => {
                        let mut client = LogsServiceClient::new(self.channel.clone());
                        if self.is_gzip {
                            client = client.send_compressed(CompressionEncoding::Gzip);
                        }
                        client
                            .export(self.with_headers(logs.clone()))
                            .await
                            .map(|answer| logs_answer(answer.into_inner()))
                    }
                    Request::Spans(spans) => {
                        let mut client = TraceServiceClient::new(self.channel.clone());
                        if self.is_gzip {
                            client = client.send_compressed(CompressionEncoding::Gzip);
                        }
                        client
                            .export(self.with_headers(spans.clone()))
                            .await
                            .map(|answer| spans_answer(answer.into_inner()))
                    }
                }
            })
            .await
        });
        match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) => self.failed(status),
            Err(_) => {
                let error = Error::new(format_args!("otlp: {} did not answer within {timeout:?}", self.endpoint));
                Answer::Retry { after: None, error }
            }
        }
    }

    fn with_headers<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }

    /// The retryable codes are those of the OTLP specification, "OTLP/gRPC Response".
    #[cold]
    fn failed(&self, status: Status) -> Answer {
        let after = retry_delay(status.details());
        let is_transport = status.source().is_some();
        let again = match status.code() {
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => true,
            Code::ResourceExhausted => after.is_some(),
            _ => is_transport,
        };
        let error = Error::with_source(format_args!("otlp: {} answered {:?}", self.endpoint, status.code()), status);
        if again { Answer::Retry { after, error } } else { Answer::Refused(error) }
    }
}

fn tls_config(tls: &Tls) -> Result<ClientTlsConfig, Error> {
    let mut config = ClientTlsConfig::new();
    config = match &tls.ca {
        Some(pem) => {
            tls::certificates(pem, "OTEL_EXPORTER_OTLP_CERTIFICATE")?;
            config.ca_certificate(Certificate::from_pem(pem))
        }
        None => {
            tls::native_roots()?;
            config.with_native_roots()
        }
    };
    if let Some((certificate, key)) = &tls.client {
        tls::certificates(certificate, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")?;
        config = config.identity(Identity::from_pem(certificate, key));
    }
    Ok(config)
}

// --- `google.rpc.RetryInfo` in a status's details

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&info.value[..]).ok()?.retry_delay?;
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_among_the_details() {
        let delay = ProtoDuration { seconds: 2, nanos: 500_000_000 };
        let info = RetryInfo { retry_delay: Some(delay) }.encode_to_vec();
        let other = AnyMessage { type_url: "type.googleapis.com/google.rpc.Help".into(), value: vec![1] };
        let info = AnyMessage { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value: info };
        let status = RpcStatus { details: vec![other.clone(), info] };
        assert_eq!(retry_delay(&status.encode_to_vec()), Some(Duration::from_millis(2_500)));
        assert_eq!(retry_delay(&RpcStatus { details: vec![other] }.encode_to_vec()), None);
        assert_eq!(retry_delay(b"\xff\xff"), None);
    }
}
