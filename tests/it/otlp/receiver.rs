//! A collector for tests: OTLP over HTTP, on loopback, that does as it is told and remembers what it got.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
        trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse},
    },
    common::v1::{KeyValue, any_value::Value as Any},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use prost::Message;
use tracing_strata::otlp::{Otlp, OtlpGuard};
use tracing_subscriber::layer::SubscriberExt as _;

/// What the next request is answered with; afterwards all is well again.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, with `Backoff-After`.
    Status(u16, Option<&'static str>),
    /// Taken, but for so many.
    Partial(i64),
    /// No answer, until the receiver is dropped.
    Silence,
    /// The connection is closed after the request was read.
    Close,
}

#[derive(Default)]
struct Got {
    requests: Vec<HashMap<String, String>>,
    logs: Vec<(String, LogRecord)>,
    spans: Vec<(String, Span)>,
    resources: Vec<Vec<KeyValue>>,
    replies: VecDeque<Reply>,
}

#[derive(Clone, Default)]
struct NamedHandler(Arc<(Mutex<Got>, Condvar, AtomicBool)>);

pub(crate) struct Receiver {
    address: SocketAddr,
    shared: NamedHandler,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::at("127.0.0.1:0").unwrap()
    }

    pub(crate) fn at(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr().unwrap();
        let shared = NamedHandler::default();
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.0.2.load(Ordering::Relaxed) {
                    return;
                }
                let shared = of_thread.clone();
                thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An export to it that loses no time.
    pub(crate) fn otlp(&self) -> Otlp {
        Otlp::builder()
            .endpoint(self.url())
            .service("test")
            .timeout(Duration::from_secs(20))
            .schedule_delay(Duration::from_millis(5))
    }

    pub(crate) fn reply(&self, reply: Reply) {
        self.shared.0.0.lock().unwrap().replies.push_back(reply);
    }

    pub(crate) fn take_logs(&self) -> Vec<(String, LogRecord)> {
        std::mem::take(&mut self.shared.0.0.lock().unwrap().logs)
    }

    pub(crate) fn take_spans(&self) -> Vec<(String, Span)> {
        std::mem::take(&mut self.shared.0.0.lock().unwrap().spans)
    }

    pub(crate) fn span(&self, name: &str) -> Span {
        let spans = &self.shared.0.0.lock().unwrap().spans;
        let mut found = spans.iter().filter(|(_, span)| span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no span {name:?}: {spans:?}"));
        assert!(found.next().is_none(), "several spans {name:?}");
        span.1.clone()
    }

    /// Header names in lower case; `:path`.
    pub(crate) fn requests(&self) -> Vec<HashMap<String, String>> {
        self.shared.0.0.lock().unwrap().requests.clone()
    }

    pub(crate) fn resource(&self) -> Vec<KeyValue> {
        self.shared.0.0.lock().unwrap().resources[0].clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.0.2.store(true, Ordering::Relaxed);
        self.shared.0.1.notify_all();
        drop(TcpStream::connect(self.address));
    }
}

impl NamedHandler {
    fn serve(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some((headers, body)) = read_request(&mut reader) {
            if !self.answer(headers, &body, &mut writer) {
                return;
            }
        }
    }

    fn answer(&self, headers: HashMap<String, String>, body: &[u8], out: &mut TcpStream) -> bool {
        let (lock, told, is_over) = &*self.0;
        let is_json = headers["content-type"] == "application/json";
        let is_logs = headers[":path"].split('?').next().is_some_and(|path| path.ends_with("/v1/logs"));
        let body = match headers.get("content-encoding").map(String::as_str) {
            Some("gzip") => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
                plain
            }
            _ => body.to_vec(),
        };
        let mut got = lock.lock().unwrap();
        got.requests.push(headers);
        told.notify_all();
        let rejected = match got.replies.pop_front() {
            Some(Reply::Status(status, after)) => {
                let after = after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
                write!(out, "HTTP/1.1 {status} no\r\n{after}content-length: 2\r\n\r\nno").unwrap();
                return true;
            }
            Some(Reply::Silence) => {
                drop(told.wait_while(got, |_| !is_over.load(Ordering::Relaxed)).unwrap());
                return false;
            }
            Some(Reply::Close) => return false,
            Some(Reply::Partial(rejected)) => rejected,
            None => 0,
        };
        let answer = if is_logs {
            got.take_in_logs(&body, is_json, rejected)
        } else {
            got.take_in_spans(&body, is_json, rejected)
        };
        drop(got);
        let kind = if is_json { "application/json" } else { "application/x-protobuf" };
        write!(out, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", answer.len()).unwrap();
        out.write_all(&answer).is_ok()
    }
}

impl Got {
    fn take_in_logs(&mut self, body: &[u8], is_json: bool, rejected: i64) -> Vec<u8> {
        let request: ExportLogsServiceRequest =
            if is_json { serde_json::from_slice(body).unwrap() } else { Message::decode(body).unwrap() };
        for logs in request.resource_logs {
            self.resources.push(logs.resource.unwrap().attributes);
            for scope in logs.scope_logs {
                let name = scope.scope.unwrap().name;
                self.logs.extend(scope.log_records.into_iter().map(|record| (name.clone(), record)));
            }
        }
        let partial = (rejected > 0)
            .then(|| ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: "too old".into() });
        let answer = ExportLogsServiceResponse { partial_success: partial };
        if is_json { serde_json::to_vec(&answer).unwrap() } else { answer.encode_to_vec() }
    }

    fn take_in_spans(&mut self, body: &[u8], is_json: bool, rejected: i64) -> Vec<u8> {
        let request: ExportTraceServiceRequest =
            if is_json { serde_json::from_slice(body).unwrap() } else { Message::decode(body).unwrap() };
        for spans in request.resource_spans {
            self.resources.push(spans.resource.unwrap().attributes);
            for scope in spans.scope_spans {
                let name = scope.scope.unwrap().name;
                self.spans.extend(scope.spans.into_iter().map(|span| (name.clone(), span)));
            }
        }
        let partial = (rejected > 0)
            .then(|| ExportTracePartialSuccess { rejected_spans: rejected, error_message: "too old".into() });
        let answer = ExportTraceServiceResponse { partial_success: partial };
        if is_json { serde_json::to_vec(&answer).unwrap() } else { answer.encode_to_vec() }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(HashMap<String, String>, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut headers = HashMap::from([(":path".to_owned(), line.split(' ').nth(1)?.to_owned())]);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((headers, body))
}

/// The value of an attribute, or none.
pub(crate) fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next()?.value.as_ref()?.value.as_ref();
    assert!(found.next().is_none(), "{key} stands twice");
    value
}

pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attribute(attributes, key)? {
        Any::StringValue(text) => Some(text),
        other => panic!("{key}: {other:?}"),
    }
}

pub(crate) fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Runs with an export and flushes it.
pub(crate) fn exported(otlp: Otlp, run: impl FnOnce()) -> OtlpGuard {
    let (layer, guard) = otlp.build_with_guard().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    guard.flush(LONG).unwrap();
    guard
}
