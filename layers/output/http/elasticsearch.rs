//! Elasticsearch and OpenSearch.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    HttpBuilder,
    protocol::{Protocol, by_status},
};
use crate::{
    Error, Format, Record,
    format::{Buffer, Json, Time},
    output::{Answer, Attempt, Verdict},
    record::OwnedRecord,
    sink::http::{Client, Response},
};

/// Elasticsearch and OpenSearch, by `_bulk`; and whatever else takes that: VictoriaLogs, Quickwit, ZincSearch.
///
/// ```
/// use tracing_strata::{output::{Elasticsearch, Http}, sink::http::{Auth, Credential}};
///
/// let logs = Http::builder(Elasticsearch::new("https://search.example.com:9200").data_stream("logs-shop-prod"))
///     .auth(Auth::scheme("ApiKey", Credential::env("SEARCH_API_KEY")));
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST /_bulk` behind the path of the URL; for each record a line with the action and a line with the document:
///
/// | option | action |
/// |---|---|
/// | [`data_stream`](Self::data_stream) (default: `logs-generic-default`) | `{"create":{"_index":NAME}}` |
/// | [`index`](Self::index) | `{"index":{"_index":NAME}}` |
/// | [`daily_index`](Self::daily_index) | `{"index":{"_index":PREFIX2026.11.29}}`, by the record's time in UTC |
///
/// The document is [`Json::ecs`], unless the [format](HttpBuilder::format) is another one. A data stream needs `@timestamp`.
///
/// # Authorization
///
/// An API key, as the server shows it in base64: `Auth::scheme("ApiKey", …)`; or [`Auth::basic`](crate::sink::http::Auth::basic).
///
/// # Limits
///
/// A server takes requests of up to 100 MB (`http.max_content_length`), and is at its best with some MB:
/// [`max_batch_bytes`](HttpBuilder::max_batch_bytes). OpenSearch takes gzip, but no zstd.
///
/// # What the answer's errors mean
///
/// Each record has a status of its own: 201 written; 429 and 5xx (the queue or the disk is full) sent again; anything else failed
/// with type and reason, the others not. Usual: `mapper_parsing_exception` and `document_parsing_exception` (a field has
/// another type than in the first document that had it), `illegal_argument_exception` (more than 1,000 fields in the index).
/// A status of the whole request means what it [always](super::Http#what-an-answer-means) means.
///
/// A record whose answer was lost may be there twice; but with a [spool](HttpBuilder::spool) each has an `_id`, so that it is
/// there once: a 409 for it is a success. Writing under an id of one's own costs the server a look-up.
///
/// Source: [bulk API](https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk), version 8 and 9, and
/// [OpenSearch's](https://docs.opensearch.org/latest/api-reference/document-apis/bulk/), version 2 and 3.
#[derive(Clone)]
#[must_use]
pub struct Elasticsearch {
    url: String,
    name: &'static str,
    action: &'static str,
    index: Cow<'static, str>,
    /// Behind the index.
    is_daily: bool,
}

impl Elasticsearch {
    /// The server's URL, without `/_bulk`.
    pub fn new(url: impl Into<String>) -> Self {
        let index = "logs-generic-default".into();
        Self { url: url.into(), name: "elasticsearch", action: "create", index, is_daily: false }
    }

    /// A data stream: `logs-shop-prod`.
    pub fn data_stream(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { action: "create", index: name.into(), is_daily: false, ..self }
    }

    /// An index or alias.
    pub fn index(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { action: "index", index: name.into(), is_daily: false, ..self }
    }

    /// An index for each day: `logs-` becomes `logs-2026.11.29`.
    pub fn daily_index(self, prefix: impl Into<Cow<'static, str>>) -> Self {
        Self { action: "index", index: prefix.into(), is_daily: true, ..self }
    }

    fn push_action(&self, record: &Record, out: &mut Buffer) {
        let mut index = Cow::Borrowed(&*self.index);
        if self.is_daily {
            let mut day = String::new();
            Time::utc().write(record.time(), &mut day);
            index.to_mut().extend(day.chars().take("2026-11-29".len()).map(|c| if c == '-' { '.' } else { c }));
        }
        out.push_str("{\"");
        out.push_str(self.action);
        out.push_str("\":{\"_index\":");
        out.push_json(&index);
        if let Some(id) = record.id() {
            out.push_str(&format!(",\"_id\":\"{id:032x}\""));
        }
        out.push_str("}}\n");
    }
}

/// Sematext's receiver of logs, which is like Elasticsearch.
///
/// ```
/// use tracing_strata::output::{Http, Sematext};
///
/// let logs = Http::builder(Sematext::new("00000000-0000-0000-0000-000000000000"));
/// # drop(logs);
/// ```
///
/// What is sent, limits and errors are those of [`Elasticsearch`], with the token of the logs app as the index; it is the whole
/// authorization, and is shown nowhere. Sematext also takes syslog: [`Syslog`](crate::output::Syslog) with the token as an element.
///
/// Source: [index events via the Elasticsearch API](https://sematext.com/docs/logs/index-events-via-elasticsearch-api/).
pub struct Sematext;

impl Sematext {
    /// The receiver in the US (`https://logsene-receiver.sematext.com`).
    #[allow(clippy::new_ret_no_self, reason = "a name for options of another type")]
    pub fn new(token: impl Into<Cow<'static, str>>) -> Elasticsearch {
        Self::at("https://logsene-receiver.sematext.com", token)
    }

    /// A receiver elsewhere: `https://logsene-receiver.eu.sematext.com`.
    pub fn at(url: impl Into<String>, token: impl Into<Cow<'static, str>>) -> Elasticsearch {
        Elasticsearch { name: "sematext", ..Elasticsearch::new(url).index(token) }
    }
}

impl From<Elasticsearch> for HttpBuilder {
    fn from(this: Elasticsearch) -> Self {
        Self::to(this.url.clone(), this.name, "/_bulk", this).content_type("application/x-ndjson")
    }
}

impl Protocol for Elasticsearch {
    fn default_format(&self) -> Box<dyn Format> {
        Box::new(Json::ecs())
    }

    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        for record in records {
            self.push_action(record, out);
            let start = out.len();
            format.format(record, out)?;
            out.flatten(start);
            out.push('\n');
        }
        Ok(())
    }

    fn answer(&self, records: &[OwnedRecord], response: &Response, client: &Client, _: &Attempt) -> Answer {
        if !matches!(response.status, 200..=299) {
            return by_status(response, client);
        }
        let answer: Value = serde_json::from_slice(response.body.as_deref().unwrap_or_default()).unwrap_or_default();
        match (answer["errors"].as_bool(), answer["items"].as_array()) {
            (Some(false), _) => Answer::Accepted,
            (Some(true), Some(items)) if items.len() == records.len() => {
                let verdict =
                    |(item, record): (&Value, &OwnedRecord)| self.verdict(&item[self.action], record.id().is_some());
                Answer::Each(items.iter().zip(records).map(verdict).collect())
            }
            _ => Answer::retry(Error::with_source("expected the answer of _bulk", client.refusal(response))),
        }
    }
}

impl Elasticsearch {
    fn verdict(&self, item: &Value, has_id: bool) -> Verdict {
        let status = item["status"].as_u64().unwrap_or_default();
        // A record with an id is there already.
        if (200..300).contains(&status) || status == 409 && has_id {
            return Verdict::Accepted;
        }
        let text = |name: &str| item["error"][name].as_str().unwrap_or("?").chars().take(200).collect::<String>();
        let error = Error::new(format_args!("{}: {status}: {}: {:?}", self.name, text("type"), text("reason")));
        if status == 429 || status >= 500 { Verdict::Retry(error) } else { Verdict::Refused(error) }
    }
}
