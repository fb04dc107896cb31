//! Splunk's HTTP Event Collector.

use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::{
    HttpBuilder,
    protocol::{Protocol, by_status},
};
use crate::{
    Error, Format,
    format::Buffer,
    output::Answer,
    record::OwnedRecord,
    sink::http::{Auth, Client, Response, Secret},
};

/// Splunk's HTTP Event Collector, by its endpoint for events; VictoriaLogs, Vector and the OpenTelemetry Collector take that, too.
///
/// ```
/// use tracing_strata::{output::{Http, SplunkHec}, sink::http::Secret};
///
/// let hec = SplunkHec::new("https://splunk.example.com:8088", Secret::env("SPLUNK_TOKEN")).sourcetype("shop").index("main");
/// let logs = Http::builder(hec);
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST /services/collector/event` behind the path of the URL, with `Authorization: Splunk TOKEN`; for each record an object on a
/// line:
///
/// | member | from |
/// |---|---|
/// | `time` | [`Record::time`](crate::Record::time), in seconds, with microseconds |
/// | `host`, `source`, `sourcetype`, `index` | the options; left out unless set |
/// | `event` | the record as the [format](HttpBuilder::format) makes it, which must be JSON: [`Json`](crate::format::Json) by default |
///
/// # Limits
///
/// A server takes requests of up to 800 MB (`max_content_length`), Splunk Cloud 1 MB.
///
/// # What the answer's errors mean
///
/// | code | the records |
/// |---|---|
/// | 0 | written: Splunk has taken them, which is before they are indexed |
/// | 5, 6, 12, 13 (no data, invalid format, no event, empty event) | halves are sent, until one record is alone and failed |
/// | 1, 2, 3, 4 (token disabled, missing, malformed, unknown), 8, 9 (error, busy) and others | sent again |
/// | 7, 10, 11 (index unknown, channel missing or invalid) | failed |
///
/// Acknowledgements of the indexer are not asked for: a token that requires them answers 10.
///
/// Source: [HEC's endpoints](https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTinput) and
/// [codes](https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector), Splunk 9 and 10.
#[derive(Clone)]
#[must_use]
pub struct SplunkHec {
    url: String,
    token: Secret,
    /// Members of each object, in their order.
    metadata: Vec<(&'static str, String)>,
}

impl SplunkHec {
    /// The collector's URL, without `/services/collector/event`, and the token.
    pub fn new(url: impl Into<String>, token: impl Into<Secret>) -> Self {
        Self { url: url.into(), token: token.into(), metadata: Vec::new() }
    }

    /// The host that events are from (default: Splunk's own name for the connection).
    pub fn host(self, host: impl Into<String>) -> Self {
        self.with("host", host)
    }

    /// Where events are from.
    pub fn source(self, source: impl Into<String>) -> Self {
        self.with("source", source)
    }

    /// How Splunk reads events: `_json`.
    pub fn sourcetype(self, sourcetype: impl Into<String>) -> Self {
        self.with("sourcetype", sourcetype)
    }

    /// The index, of those that the token allows.
    pub fn index(self, index: impl Into<String>) -> Self {
        self.with("index", index)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.retain(|(known, _)| *known != name);
        self.metadata.push((name, value.into()));
        self
    }
}

impl From<SplunkHec> for HttpBuilder {
    fn from(this: SplunkHec) -> Self {
        let auth = Auth::scheme("Splunk", this.token.clone());
        Self::to(this.url.clone(), "splunk", "/services/collector/event", this).auth(auth)
    }
}

impl Protocol for SplunkHec {
    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        for record in records {
            let since = record.time().duration_since(UNIX_EPOCH).unwrap_or_default();
            write!(out, "{{\"time\":{}.{:06}", since.as_secs(), since.subsec_micros())?;
            for (name, value) in &self.metadata {
                write!(out, ",\"{name}\":")?;
                out.push_json(value);
            }
            out.push_str(",\"event\":");
            let start = out.len();
            format.format(record, out)?;
            out.flatten(start);
            out.push_str("}\n");
        }
        Ok(())
    }

    fn answer(&self, _: &[OwnedRecord], response: &Response, client: &Client) -> Answer {
        let answer: Value = serde_json::from_slice(response.body.as_deref().unwrap_or_default()).unwrap_or_default();
        match answer["code"].as_u64() {
            Some(0) => Answer::Accepted,
            Some(5 | 6 | 12 | 13) => Answer::Split(client.refusal(response)),
            Some(7 | 10 | 11) => Answer::Refused(client.refusal(response)),
            Some(_) if response.status == 413 => Answer::Split(client.refusal(response)),
            Some(_) => Answer::Retry { after: response.after, error: client.refusal(response) },
            None => by_status(response, client),
        }
    }
}
