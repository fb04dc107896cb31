//! OTLP/HTTP, protobuf and JSON.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, trace::v1::ExportTraceServiceResponse,
};
use prost::Message;

use super::{
    super::settings::{OtlpCompression, Protocol, Settings},
    Answer, Attempt, Request, accepted_but, logs_answer, spans_answer, tls,
};
use crate::{
    Error,
    sink::{
        Compression,
        http::{self, Client, ClientOptions, Endpoint, Response},
        net::Tls,
    },
};

pub(crate) struct Http {
    client: Client,
    is_json: bool,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut options = ClientOptions::new("otlp", Endpoint::parse("otlp", &settings.endpoint, "")?);
        let is_json = settings.protocol == Protocol::HttpJson;
        options.content_type = if is_json { "application/json" } else { "application/x-protobuf" }.into();
        options.headers.clone_from(&settings.headers);
        options.connect_timeout = settings.timeout;
        options.compression = (settings.compression == OtlpCompression::Gzip).then(|| Compression::gzip().level(1));
        if settings.endpoint.starts_with("https:") {
            options.tls = Some(tls_of(settings)?);
        }
        Ok(Self { client: Client::new(options)?, is_json, timeout: settings.timeout })
    }

    pub(super) fn send(&self, request: &Request, attempt: &Attempt) -> Answer {
        let body = match self.body(request) {
            Ok(body) => body,
            Err(error) => return Answer::Refused(error),
        };
        let post = http::Request { body: &body, timeout: attempt.timeout(self.timeout), key: None };
        match self.client.send(&post) {
            Ok(response) => self.answer(request, response),
            Err(error) => Answer::retry(error),
        }
    }

    fn body(&self, request: &Request) -> Result<Vec<u8>, Error> {
        let failed = |error| Error::with_source("otlp: the batch could not be encoded", error);
        match (request, self.is_json) {
            (Request::Logs(logs), false) => Ok(logs.encode_to_vec()),
            (Request::Spans(spans), false) => Ok(spans.encode_to_vec()),
            (request, true) => super::json::encode(request).map_err(failed),
        }
    }

    fn answer(&self, request: &Request, response: Response) -> Answer {
        match response.status {
            // Without the details the request was accepted all the same.
            200..=299 => response.body.as_ref().map_or(Answer::Accepted, |body| self.accepted(request, body)),
            429 | 502 | 503 | 504 => Answer::Retry { after: response.after, error: self.client.refusal(&response) },
            _ => Answer::Refused(self.client.refusal(&response)),
        }
    }

    fn accepted(&self, request: &Request, body: &[u8]) -> Answer {
        // An unreadable answer rejects nothing.
        match (request, self.is_json) {
            (Request::Logs(_), false) => logs_answer(ExportLogsServiceResponse::decode(body).unwrap_or_default()),
            (Request::Spans(_), false) => spans_answer(ExportTraceServiceResponse::decode(body).unwrap_or_default()),
            (Request::Logs(_), true) => partial(body, "rejectedLogRecords"),
            (Request::Spans(_), true) => partial(body, "rejectedSpans"),
        }
    }
}

/// In protobuf's JSON a 64-bit number may be text or a number; the generated types read only one of them.
fn partial(body: &[u8], key: &str) -> Answer {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    let rejected = &partial[key];
    let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or_default();
    accepted_but(rejected, partial["errorMessage"].as_str().unwrap_or_default())
}

fn tls_of(settings: &Settings) -> Result<Tls, Error> {
    let mut tls = Tls::new();
    match &settings.tls.ca {
        Some(pem) => {
            tls::certificates(pem, "OTEL_EXPORTER_OTLP_CERTIFICATE")?;
            tls = tls.ca_pem(pem.clone());
        }
        None => drop(tls::native_roots()?),
    }
    if let Some((certificate, key)) = &settings.tls.client {
        tls::certificates(certificate, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")?;
        tls::private_key(key, "OTEL_EXPORTER_OTLP_CLIENT_KEY")?;
        tls = tls.identity_pem(certificate.clone(), key.clone());
    }
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_success_in_both_forms_of_json() {
        for number in ["3", "\"3\""] {
            let body = format!(r#"{{"partialSuccess":{{"rejectedSpans":{number},"errorMessage":"too old"}}}}"#);
            let Answer::Partial { refused, error } = partial(body.as_bytes(), "rejectedSpans") else { panic!() };
            assert_eq!((refused, error.to_string().as_str()), (3, "\"too old\""));
        }
        for nothing in ["", "{}", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":{"rejectedSpans":-1}}"#] {
            assert!(matches!(partial(nothing.as_bytes(), "rejectedSpans"), Answer::Accepted));
        }
    }
}
