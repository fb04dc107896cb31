//! A collector in a few lines, for the examples: OTLP over HTTP with JSON, on loopback, which keeps what it gets.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

/// A log record or a span that has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// `service.name`
    pub(crate) service: String,
    /// The target.
    pub(crate) scope: String,
    /// As OTLP's JSON has it.
    pub(crate) json: Value,
}

impl Item {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.json["body"]["stringValue"].as_str().unwrap_or_default()
    }

    fn nanos(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or_default()
    }
}

#[derive(Default)]
struct Got {
    logs: Vec<Item>,
    spans: Vec<Item>,
}

/// The receiver; it listens as long as the process lives.
pub(crate) struct Receiver {
    url: String,
    got: Arc<Mutex<Got>>,
}

impl Receiver {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let got = Arc::new(Mutex::new(Got::default()));
        let for_all = Arc::clone(&got);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let got = Arc::clone(&for_all);
                // A connection that breaks is the client's affair.
                thread::spawn(move || drop(serve(stream, &got)));
            }
        });
        Ok(Self { url, got })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn logs(&self) -> Vec<Item> {
        self.got.lock().map(|got| got.logs.clone()).unwrap_or_default()
    }

    pub(crate) fn spans(&self) -> Vec<Item> {
        self.got.lock().map(|got| got.spans.clone()).unwrap_or_default()
    }

    /// A trace as a tree: each span with its log records and the spans inside it, in the order in which they began.
    pub(crate) fn tree(&self, trace_id: &str) -> String {
        let of_trace = |items: Vec<Item>| -> Vec<Item> {
            items.into_iter().filter(|item| item.text("traceId") == trace_id).collect()
        };
        let (logs, mut spans) = (of_trace(self.logs()), of_trace(self.spans()));
        spans.sort_by_key(|span| span.nanos("startTimeUnixNano"));
        let mut out = format!("trace {trace_id}\n");
        let is_known = |id: &str| spans.iter().any(|span| span.text("spanId") == id);
        for root in spans.iter().filter(|span| !is_known(span.text("parentSpanId"))) {
            branch(root, &spans, &logs, 1, &mut out);
        }
        out
    }
}

fn branch(span: &Item, spans: &[Item], logs: &[Item], depth: usize, out: &mut String) {
    let took = span.nanos("endTimeUnixNano").saturating_sub(span.nanos("startTimeUnixNano"));
    let indent = "  ".repeat(depth);
    *out += &format!("{indent}{} [{}] {:.3} ms\n", span.text("name"), span.service, took as f64 / 1e6);
    let inside = |item: &&Item, key: &str| item.text(key) == span.text("spanId");
    let records = logs.iter().filter(|log| inside(log, "spanId")).map(|log| (log.nanos("timeUnixNano"), log, true));
    let children = spans.iter().filter(|child| inside(child, "parentSpanId"));
    let mut parts: Vec<_> =
        records.chain(children.map(|span| (span.nanos("startTimeUnixNano"), span, false))).collect();
    parts.sort_by_key(|(time, _, _)| *time);
    for (_, part, is_record) in parts {
        if is_record {
            let message = part.message().escape_debug();
            *out += &format!("{indent}  - {} {}: {message}\n", part.text("severityText"), part.scope);
        } else {
            branch(part, spans, logs, depth + 1, out);
        }
    }
}

fn serve(stream: TcpStream, got: &Mutex<Got>) -> io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                None => break,
            };
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let status = match serde_json::from_slice::<Value>(&body) {
            Ok(request) => {
                keep(&request, got);
                "200 OK"
            }
            Err(_) => "415 Unsupported Media Type",
        };
        write!(out, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}")?;
    }
}

fn keep(request: &Value, got: &Mutex<Got>) {
    let Ok(mut got) = got.lock() else { return };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (resources, scopes, items) in
        [("resourceLogs", "scopeLogs", "logRecords"), ("resourceSpans", "scopeSpans", "spans")]
    {
        for resource in list(&request[resources]) {
            let attributes = list(&resource["resource"]["attributes"]);
            let service = attributes.iter().find(|attribute| attribute["key"] == "service.name");
            let service = service.and_then(|service| service["value"]["stringValue"].as_str()).unwrap_or_default();
            for scope in list(&resource[scopes]) {
                let name = scope["scope"]["name"].as_str().unwrap_or_default();
                let made = list(&scope[items]).into_iter().map(|json| Item {
                    service: service.to_owned(),
                    scope: name.to_owned(),
                    json,
                });
                if items == "spans" { got.spans.extend(made) } else { got.logs.extend(made) }
            }
        }
    }
}
