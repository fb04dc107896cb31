//! Grafana Loki.

use std::{
    collections::{HashMap, HashSet},
    time::UNIX_EPOCH,
};

use super::{HttpBuilder, protocol::Protocol};
use crate::{Error, Format, Record, Value, fork::ForkMutex, format::Buffer, record::OwnedRecord};

/// Grafana Loki, by its push API in JSON or [protobuf](Self::protobuf); and whatever else takes that: VictoriaLogs, qryn, Grafana Alloy.
///
/// ```
/// use tracing_strata::output::{Http, Loki};
///
/// let loki = Loki::new("http://loki.example.com:3100").label("app", "shop").field_label("region").metadata("user");
/// let logs = Http::builder(loki);
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST /loki/api/v1/push` behind the path of the URL. Records with the same labels are one stream, in order:
///
/// | part | from |
/// |---|---|
/// | labels | those that are [given](Self::label); `level`, the severity's name in small letters ([`level_label`](Self::level_label)); the target, if it is [asked for](Self::target_label); fields that are [named](Self::field_label) |
/// | time | [`Record::time`](crate::Record::time), nanoseconds |
/// | line | the record as the [format](HttpBuilder::format) makes it: [`Json`](crate::format::Json) by default |
/// | structured metadata | `trace_id` and `span_id` of records in a trace; fields that are [named](Self::metadata), of the event, its spans or global |
///
/// A character that a label's name cannot have becomes `_`; a name that begins with a digit gets `_` in front. Values are texts.
///
/// # Labels are few
///
/// Each set of labels is a stream, and many streams bring a Loki down. A field as a label (a user's id, a path) may have any
/// number of values: after [`max_streams`](Self::max_streams) different sets, a new one goes without the labels of fields. Its
/// lines still have the fields.
///
/// # Authorization
///
/// [`tenant`](Self::tenant) is `X-Scope-OrgID`. Grafana Cloud: [`Auth::basic`](crate::sink::http::Auth::basic) with the user's
/// number and a token.
///
/// # Limits
///
/// Loki's defaults: 4 MB a second, 256 KB a line, 15 labels a stream, 128 entries of metadata a line.
///
/// # What the answer's errors mean
///
/// 429: too much a second; sent again. 400: some entry is too old, too far behind its stream, too long, or has too many labels;
/// the batch is halved until it is alone and failed. Entries that Loki took from a refused batch come again; it drops
/// those that are equal in time, labels and line.
///
/// Source: [push API](https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs), Loki 3.
#[must_use]
pub struct Loki {
    url: String,
    tenant: Option<String>,
    labels: Vec<(String, String)>,
    level: Option<String>,
    target: Option<String>,
    has_python_levels: bool,
    fields: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
    max_streams: usize,
    /// Sets of labels that have come.
    seen: ForkMutex<HashSet<Vec<(String, String)>>>,
    is_protobuf: bool,
}

impl Loki {
    /// The server's URL, without `/loki/api/v1/push`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tenant: None,
            labels: Vec::new(),
            level: Some("level".into()),
            target: None,
            has_python_levels: false,
            fields: Vec::new(),
            metadata: Vec::new(),
            max_streams: 100,
            seen: ForkMutex::default(),
            is_protobuf: false,
        }
    }

    /// A label of all records: `app`, `env`, `host`.
    pub fn label(mut self, name: &str, value: impl Into<String>) -> Self {
        self.labels.push((label_name(name), value.into()));
        self
    }

    /// The label with the severity's name (default: `level`), or none.
    pub fn level_label(mut self, name: Option<&str>) -> Self {
        self.level = name.map(label_name);
        self
    }

    /// A label with the target, with `.` for `::` (default: none). Targets are few where they are module paths.
    pub fn target_label(mut self, name: Option<&str>) -> Self {
        self.target = name.map(label_name);
        self
    }

    /// `warning` rather than `warn`.
    #[cfg(feature = "config")]
    pub(crate) fn python_levels(mut self) -> Self {
        self.has_python_levels = true;
        self
    }

    /// A field as a label, of records that have it.
    pub fn field_label(mut self, field: &str) -> Self {
        self.fields.push((field.to_owned(), label_name(field)));
        self
    }

    /// A field as structured metadata, of records that have it.
    pub fn metadata(mut self, field: &str) -> Self {
        self.metadata.push((field.to_owned(), label_name(field)));
        self
    }

    /// How many different sets of labels may have fields in them (default: 100).
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.max_streams = streams;
        self
    }

    /// Whether to send protobuf in a block of Snappy, as Grafana's own agents do, rather than JSON (default: no). Leave
    /// [`compression`](HttpBuilder::compression) off then. Others that take Loki's pushes may know only JSON.
    pub fn protobuf(mut self, on: bool) -> Self {
        self.is_protobuf = on;
        self
    }

    /// The tenant, of a Loki with several.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    fn stream_of(&self, record: &Record) -> Pairs {
        let all = self.labels_of(record, true);
        if self.fields.is_empty() {
            return all;
        }
        let mut seen = self.seen.get();
        if seen.contains(&all.0) {
            return all;
        }
        if seen.len() >= self.max_streams {
            return self.labels_of(record, false);
        }
        seen.insert(all.0.clone());
        all
    }

    fn labels_of(&self, record: &Record, with_fields: bool) -> Pairs {
        let mut pairs = Pairs::default();
        for (name, value) in &self.labels {
            pairs.push(name, value);
        }
        if let Some(name) = &self.level {
            let severity = record.severity();
            let level = match severity.name() {
                Some("WARN") if self.has_python_levels => "warning".into(),
                Some(level) => level.to_ascii_lowercase(),
                None => severity.to_string().to_ascii_lowercase(),
            };
            pairs.push(name, &level);
        }
        if let Some(name) = &self.target {
            let target = record.target().replace("::", ".");
            pairs.push(name, if target.is_empty() { "root" } else { &target });
        }
        if with_fields {
            self.fields.iter().for_each(|(field, name)| pairs.push_field(name, record, field));
        }
        pairs
    }

    fn metadata_of(&self, record: &Record) -> Pairs {
        let mut pairs = Pairs::default();
        if let Some(trace) = record.trace() {
            pairs.push("trace_id", &format!("{:032x}", trace.trace_id()));
            pairs.push("span_id", &format!("{:016x}", trace.span_id()));
        }
        self.metadata.iter().for_each(|(field, name)| pairs.push_field(name, record, field));
        pairs
    }

    /// The records of each stream, in order.
    fn streams<'r>(&self, records: &'r [OwnedRecord]) -> Vec<(Pairs, Vec<&'r OwnedRecord>)> {
        let mut streams: Vec<(Pairs, Vec<&OwnedRecord>)> = Vec::new();
        let mut indices = HashMap::new();
        for record in records {
            let labels = self.stream_of(record);
            let index = *indices.entry(labels.0.clone()).or_insert_with(|| {
                streams.push((labels, Vec::new()));
                streams.len() - 1
            });
            streams[index].1.push(record);
        }
        streams
    }

    fn encode_json(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        let mut line = Buffer::new();
        out.push_str("{\"streams\":[");
        for (number, (labels, records)) in self.streams(records).into_iter().enumerate() {
            out.push_str(if number > 0 { ",{\"stream\":" } else { "{\"stream\":" });
            out.extend_from_slice(labels.json().as_bytes());
            out.push_str(",\"values\":[");
            for (number, record) in records.into_iter().enumerate() {
                line.clear();
                format.format(record, &mut line)?;
                let nanos = record.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
                let comma = if number > 0 { "," } else { "" };
                write!(out, "{comma}[\"{nanos}\",")?;
                out.push_json(&String::from_utf8_lossy(line.as_bytes()));
                let metadata = self.metadata_of(record);
                if !metadata.0.is_empty() {
                    out.push(',');
                    out.extend_from_slice(metadata.json().as_bytes());
                }
                out.push(']');
            }
            out.push_str("]}");
        }
        out.push_str("]}");
        Ok(())
    }

    /// The message `PushRequest` of Loki's `push.proto`, as a block of Snappy.
    fn encode_protobuf(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        let mut request = Message::default();
        let mut line = Buffer::new();
        for (labels, records) in self.streams(records) {
            let mut stream = Message::default();
            stream.bytes(1, labels.selector().as_bytes());
            for record in records {
                line.clear();
                format.format(record, &mut line)?;
                let since = record.time().duration_since(UNIX_EPOCH).unwrap_or_default();
                let mut time = Message::default();
                time.number(1, since.as_secs());
                time.number(2, since.subsec_nanos().into());
                let mut entry = Message::default();
                entry.bytes(1, &time.0);
                entry.bytes(2, String::from_utf8_lossy(line.as_bytes()).as_bytes());
                for (name, value) in self.metadata_of(record).0 {
                    let mut pair = Message::default();
                    pair.bytes(1, name.as_bytes());
                    pair.bytes(2, value.as_bytes());
                    entry.bytes(3, &pair.0);
                }
                stream.bytes(2, &entry.0);
            }
            request.bytes(1, &stream.0);
        }
        let block = snap::raw::Encoder::new().compress_vec(&request.0);
        out.extend_from_slice(&block.map_err(|error| Error::with_source("Snappy", error))?);
        Ok(())
    }
}

/// A message of protobuf. (`prost` would want its types declared, for six fields.)
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, field: u8, number: u64) {
        self.0.push(field << 3);
        self.varint(number);
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// Names with values, each name once: the first one counts.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn push(&mut self, name: &str, value: &str) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    fn push_field(&mut self, name: &str, record: &Record, field: &str) {
        match record.get(field) {
            Some(Value::Str(text) | Value::Rendered(text)) => self.push(name, text),
            Some(value) => self.push(name, &value.to_string()),
            None => {}
        }
    }

    /// As a JSON object.
    fn json(&self) -> Buffer {
        let mut out = Buffer::new();
        out.push('{');
        for (number, (name, value)) in self.0.iter().enumerate() {
            out.push_str(if number > 0 { "," } else { "" });
            out.push_json(name);
            out.push(':');
            out.push_json(value);
        }
        out.push('}');
        out
    }

    /// As LogQL has them: `{name="value"}`.
    fn selector(&self) -> Buffer {
        let mut out = Buffer::new();
        out.push('{');
        for (number, (name, value)) in self.0.iter().enumerate() {
            write!(out, "{}{name}=", if number > 0 { ", " } else { "" }).unwrap_or_default();
            out.push_json(value);
        }
        out.push('}');
        out
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`
fn label_name(name: &str) -> String {
    let mut label = String::with_capacity(name.len() + 1);
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        label.push('_');
    }
    label.extend(name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    label
}

impl From<Loki> for HttpBuilder {
    fn from(mut this: Loki) -> Self {
        let (url, tenant) = (std::mem::take(&mut this.url), this.tenant.take());
        let content_type = if this.is_protobuf { "application/x-protobuf" } else { "application/json" };
        let builder = Self::to(url, "loki", "/loki/api/v1/push", this).content_type(content_type);
        match tenant {
            Some(tenant) => builder.header("x-scope-orgid", tenant),
            None => builder,
        }
    }
}

impl Protocol for Loki {
    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        match self.is_protobuf {
            true => self.encode_protobuf(format, records, out),
            false => self.encode_json(format, records, out),
        }
    }
}
