//! Splunk's HTTP Event Collector.

use std::{
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    HttpBuilder,
    protocol::{Protocol, by_status},
};
use crate::{
    Error, Format,
    format::Buffer,
    output::{Answer, Attempt},
    record::OwnedRecord,
    sink::http::{Auth, Client, Credential, Response},
};

/// Splunk's HTTP Event Collector, by its endpoint for events; VictoriaLogs, Vector and the OpenTelemetry Collector take that, too.
///
/// ```
/// use tracing_strata::{output::{Http, SplunkHec}, sink::http::Credential};
///
/// let hec = SplunkHec::new("https://splunk.example.com:8088", Credential::env("SPLUNK_TOKEN")).sourcetype("shop").index("main");
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
/// [Raw](Self::raw): `POST /services/collector/raw` with the options as a query, and each record on a line.
///
/// # Acknowledgements
///
/// Splunk answers before it has indexed a batch: if it dies then, the batch is lost. With [`acks`](Self::acks) a record is written
/// when the indexer says so. Until then no other batch is sent.
///
/// # Limits
///
/// A server takes requests of up to 800 MB (`max_content_length`), Splunk Cloud 1 MB.
///
/// # What the answer's errors mean
///
/// | code | the records |
/// |---|---|
/// | 0 | written: Splunk has taken them, which is before they are indexed; with [`acks`](Self::acks), once they are indexed |
/// | 5, 6, 12, 13 (no data, invalid format, no event, empty event) | halves are sent, until one record is alone and failed |
/// | 1, 2, 3, 4 (token disabled, missing, malformed, unknown), 8, 9 (error, busy) and others | sent again |
/// | 7, 10, 11 (index unknown, channel missing or invalid) | failed |
///
/// A token that requires acknowledgements answers 10 unless [`acks`](Self::acks) is set.
///
/// Source: [HEC's endpoints](https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTinput) and
/// [codes](https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector), Splunk 9 and 10.
#[derive(Clone)]
#[must_use]
pub struct SplunkHec {
    url: String,
    token: Credential,
    /// Members of each object, in their order.
    metadata: Vec<(&'static str, String)>,
    is_raw: bool,
    acks: Option<Duration>,
    /// A GUID: acknowledgements are those of a channel.
    channel: String,
}

const COLLECTOR: &str = "/services/collector";
/// The waits between two questions whether a batch is indexed.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl SplunkHec {
    /// The collector's URL, without `/services/collector/event`, and the token.
    pub fn new(url: impl Into<String>, token: impl Into<Credential>) -> Self {
        let number = fastrand::u128(..);
        let channel = format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            number >> 96,
            number >> 80 & 0xffff,
            number >> 68 & 0xfff,
            number >> 56 & 0xfff,
            number & 0xffff_ffff_ffff
        );
        Self { url: url.into(), token: token.into(), metadata: Vec::new(), is_raw: false, acks: None, channel }
    }

    /// Waits until the indexer says that it has written a batch, for so long at most: then the batch is sent again, on the same
    /// channel, and may be there twice. The token must have acknowledgements enabled; else records are written without them,
    /// and the error handler gets that.
    pub fn acks(mut self, within: Duration) -> Self {
        self.acks = Some(within);
        self
    }

    /// Whether to send lines, in which Splunk looks for the time and for where events end by the rules of the sourcetype
    /// (default: no).
    pub fn raw(mut self, on: bool) -> Self {
        self.is_raw = on;
        self
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
        let channel = this.acks.map(|_| this.channel.clone());
        let (mut url, path) = match this.is_raw {
            true => (this.url.clone(), "/services/collector/raw"),
            false => (this.url.clone(), "/services/collector/event"),
        };
        for (name, value) in this.metadata.iter().filter(|_| this.is_raw) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={}", percent_encoded(value)));
        }
        let builder = Self::to(url, "splunk", path, this).auth(auth);
        match channel {
            Some(channel) => builder.header("x-splunk-request-channel", channel),
            None => builder,
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

impl SplunkHec {
    /// Asks until the batch is indexed.
    fn wait_until_indexed(&self, id: u64, within: Duration, client: &Client) -> Answer {
        let (deadline, mut pause) = (Instant::now() + within, FIRST_PAUSE);
        let (rest, body) = (format!("/ack?channel={}", self.channel), format!("{{\"acks\":[{id}]}}"));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = match client.ask(COLLECTOR, &rest, body.as_bytes(), left.max(FIRST_PAUSE)) {
                Ok(response) => response,
                Err(error) => return Answer::retry(error),
            };
            let told: Value = serde_json::from_slice(answer.body.as_deref().unwrap_or_default()).unwrap_or_default();
            match told["acks"][id.to_string()].as_bool() {
                Some(true) => return Answer::Accepted,
                Some(false) if left > pause => thread::sleep(pause),
                Some(false) => return Answer::retry(Error::new(format_args!("splunk: not indexed within {within:?}"))),
                None => return Answer::retry(client.refusal(&answer)),
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

impl Protocol for SplunkHec {
    fn encode(&self, format: &dyn Format, records: &[OwnedRecord], out: &mut Buffer) -> Result<(), Error> {
        for record in records {
            if self.is_raw {
                let start = out.len();
                format.format(record, out)?;
                out.flatten(start);
                out.push('\n');
                continue;
            }
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

    fn answer(&self, _: &[OwnedRecord], response: &Response, client: &Client, attempt: &Attempt) -> Answer {
        let answer: Value = serde_json::from_slice(response.body.as_deref().unwrap_or_default()).unwrap_or_default();
        match answer["code"].as_u64() {
            Some(0) => match (self.acks, answer["ackId"].as_u64()) {
                (Some(within), Some(id)) => self.wait_until_indexed(id, attempt.timeout(within), client),
                (Some(_), None) => {
                    Answer::Partial { refused: 0, error: Error::new("splunk: the token has no acknowledgements") }
                }
                (None, _) => Answer::Accepted,
            },
            Some(5 | 6 | 12 | 13) => Answer::Split(client.refusal(response)),
            Some(7 | 10 | 11) => Answer::Refused(client.refusal(response)),
            Some(_) if response.status == 413 => Answer::Split(client.refusal(response)),
            Some(_) => Answer::Retry { after: response.after, error: client.refusal(response) },
            None => by_status(response, client),
        }
    }
}
