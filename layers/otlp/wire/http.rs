//! OTLP/HTTP, protobuf and JSON.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue, Response};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, trace::v1::ExportTraceServiceResponse,
};
use prost::Message;
use ureq::{
    Agent, Body,
    tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

use super::{
    super::settings::{OtlpCompression, Protocol, Settings, Tls},
    Answer, Attempt, Request, accepted_but, tls,
};
use crate::{Error, handler::worker::batching::retry_after};

pub(crate) struct Http {
    agent: Agent,
    endpoint: String,
    is_json: bool,
    is_gzip: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("tracing-strata/", env!("CARGO_PKG_VERSION")));
        if settings.endpoint.starts_with("https:") {
            config = config.tls_config(tls_config(&settings.tls)?);
        }
        let header = |(name, value): &(String, String)| {
            let name_ = name.parse::<HeaderName>();
            let value = value.parse::<HeaderValue>();
            name_.ok().zip(value.ok()).ok_or_else(|| {
                Error::config(format_args!("otlp: header {name:?}: expected a name and a value that HTTP allows"))
            })
        };
        Ok(Self {
            agent: config.build().new_agent(),
            endpoint: settings.endpoint.clone(),
            is_json: settings.protocol == Protocol::HttpJson,
            is_gzip: settings.compression == OtlpCompression::Gzip,
            headers: settings.headers.iter().map(header).collect::<Result<_, _>>()?,
            timeout: settings.timeout,
        })
    }

    pub(super) fn send(&self, request: &Request, attempt: &Attempt) -> Answer {
        let body = match self.body(request) {
            Ok(body) => body,
            Err(error) => return Answer::Refused(error),
        };
        let timeout = attempt.timeout(self.timeout);
        let mut post = self.agent.post(&self.endpoint).config().timeout_global(Some(timeout)).build();
        post = post.header("content-type", if self.is_json { "application/json" } else { "application/x-protobuf" });
        if self.is_gzip {
            post = post.header("content-encoding", "gzip");
        }
        for (name, value) in &self.headers {
            post = post.header(name, value);
        }
        match post.send(&body[..]) {
            Ok(response) => self.answer(request, response),
            Err(error) => {
                let error = Error::with_source(format_args!("otlp: {} did not answer", self.endpoint), error);
                Answer::Retry { after: None, error }
            }
        }
    }

    fn body(&self, request: &Request) -> Result<Vec<u8>, Error> {
        let failed = |error| Error::with_source("otlp: the batch could not be encoded", error);
        let plain = match (request, self.is_json) {
            (Request::Logs(logs), false) => logs.encode_to_vec(),
            (Request::Spans(spans), false) => spans.encode_to_vec(),
            (request, true) => super::json::encode(request).map_err(failed)?,
        };
        if !self.is_gzip {
            return Ok(plain);
        }
        let mut encoder =
            flate2::write::GzEncoder::new(Vec::with_capacity(plain.len() / 4), flate2::Compression::fast());
        encoder.write_all(&plain)?;
        Ok(encoder.finish()?)
    }

    fn answer(&self, request: &Request, mut response: Response<Body>) -> Answer {
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| retry_after(text, SystemTime::now()));
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        match status.as_u16() {
            200..=299 => match body {
                Ok(body) => self.accepted(request, &body),
                // The request was accepted; only the details are missing.
                Err(_) => Answer::Accepted,
            },
            code @ (429 | 502 | 503 | 504) => {
                Answer::Retry { after, error: self.refusal(code, &body.unwrap_or_default()) }
            }
            code => Answer::Refused(self.refusal(code, &body.unwrap_or_default())),
        }
    }

    fn accepted(&self, request: &Request, body: &[u8]) -> Answer {
        // An unreadable answer rejects nothing.
        match (request, self.is_json) {
            (Request::Logs(_), false) => ExportLogsServiceResponse::decode(body).unwrap_or_default().into(),
            (Request::Spans(_), false) => ExportTraceServiceResponse::decode(body).unwrap_or_default().into(),
            (Request::Logs(_), true) => partial(body, "rejectedLogRecords"),
            (Request::Spans(_), true) => partial(body, "rejectedSpans"),
        }
    }

    #[cold]
    fn refusal(&self, code: u16, body: &[u8]) -> Error {
        let why = String::from_utf8_lossy(&body[..body.len().min(200)]);
        Error::new(format_args!("otlp: {} answered {code}: {why:?}", self.endpoint))
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

fn tls_config(tls: &Tls) -> Result<TlsConfig, Error> {
    let roots = match &tls.ca {
        Some(pem) => tls::certificates(pem, "OTEL_EXPORTER_OTLP_CERTIFICATE")?,
        None => tls::native_roots()?,
    };
    let roots: Vec<_> = roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let mut config = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots));
    if let Some((certificate, key)) = &tls.client {
        let chain = tls::certificates(certificate, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")?;
        let chain: Vec<_> = chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let key = PrivateKey::from_pem(key)
            .map_err(|_| Error::config("OTEL_EXPORTER_OTLP_CLIENT_KEY: expected a private key as PEM"))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
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
