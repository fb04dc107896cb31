//! Grafana Loki.

use std::{
    collections::{HashMap, HashSet},
    time::UNIX_EPOCH,
};

use super::{HttpBuilder, protocol::Protocol};
use crate::{Error, Record, Value, fork::ForkMutex, format::Buffer, record::OwnedRecord};

/// Grafana Loki, by its push API in JSON; and whatever else takes that: VictoriaLogs, qryn, Grafana Alloy.
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
    seen: ForkMutex<HashSet<String>>,
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

    /// The tenant, of a Loki with several.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// As a JSON object.
    fn stream_of(&self, record: &Record) -> String {
        let all = self.labels_of(record, true);
        if self.fields.is_empty() {
            return all;
        }
        let mut seen = self.seen.get();
        if seen.contains(&all) {
            return all;
        }
        if seen.len() >= self.max_streams {
            return self.labels_of(record, false);
        }
        seen.insert(all.clone());
        all
    }

    fn labels_of(&self, record: &Record, with_fields: bool) -> String {
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
        pairs.finish()
    }

    fn metadata_of(&self, record: &Record) -> Option<String> {
        let mut pairs = Pairs::default();
        if let Some(trace) = record.trace() {
            pairs.push("trace_id", &format!("{:032x}", trace.trace_id()));
            pairs.push("span_id", &format!("{:016x}", trace.span_id()));
        }
        self.metadata.iter().for_each(|(field, name)| pairs.push_field(name, record, field));
        (!pairs.names.is_empty()).then(|| pairs.finish())
    }
}

/// The members of a JSON object, each name once: the first one counts.
#[derive(Default)]
struct Pairs {
    names: Vec<String>,
    out: Buffer,
}

impl Pairs {
    fn push(&mut self, name: &str, value: &str) {
        if self.names.iter().any(|known| known == name) {
            return;
        }
        self.out.push(if self.names.is_empty() { '{' } else { ',' });
        self.out.push_json(name);
        self.out.push(':');
        self.out.push_json(value);
        self.names.push(name.to_owned());
    }

    fn push_field(&mut self, name: &str, record: &Record, field: &str) {
        match record.get(field) {
            Some(Value::Str(text) | Value::Rendered(text)) => self.push(name, text),
            Some(value) => self.push(name, &value.to_string()),
            None => {}
        }
    }

    fn finish(mut self) -> String {
        self.out.push_str(if self.names.is_empty() { "{}" } else { "}" });
        String::from_utf8_lossy(self.out.as_bytes()).into_owned()
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
        let builder = Self::to(url, "loki", "/loki/api/v1/push", this);
        match tenant {
            Some(tenant) => builder.header("x-scope-orgid", tenant),
            None => builder,
        }
    }
}

impl Protocol for Loki {
    fn encode(&self, format: &dyn crate::Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        let mut streams: Vec<(String, Vec<&OwnedRecord>)> = Vec::new();
        let mut indices = HashMap::new();
        for record in records {
            let labels = self.stream_of(record);
            let index = *indices.entry(labels.clone()).or_insert_with(|| {
                streams.push((labels, Vec::new()));
                streams.len() - 1
            });
            streams[index].1.push(record);
        }
        let mut line = Buffer::new();
        out.push_str("{\"streams\":[");
        for (number, (labels, records)) in streams.iter().enumerate() {
            out.push_str(if number > 0 { ",{\"stream\":" } else { "{\"stream\":" });
            out.push_str(labels);
            out.push_str(",\"values\":[");
            for (number, record) in records.iter().enumerate() {
                line.clear();
                format.format(record, &mut line)?;
                let nanos = record.time().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
                let comma = if number > 0 { "," } else { "" };
                write!(out, "{comma}[\"{nanos}\",")?;
                out.push_json(&String::from_utf8_lossy(line.as_bytes()));
                if let Some(metadata) = self.metadata_of(record) {
                    out.push(',');
                    out.push_str(&metadata);
                }
                out.push(']');
            }
            out.push_str("]}");
        }
        out.push_str("]}");
        Ok(())
    }
}
