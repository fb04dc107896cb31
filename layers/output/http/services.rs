//! Services that take JSON: each is a URL, a shape and limits.

use super::{HttpBody, HttpBuilder};
use crate::{
    format::{Json, Key, Text, Time},
    sink::{
        Compression,
        http::{Auth, Credential},
    },
};

/// Datadog's logs.
///
/// ```
/// use tracing_strata::{output::{Datadog, Http}, sink::http::Credential};
///
/// let datadog = Datadog::new("datadoghq.eu", Credential::env("DD_API_KEY")).service("shop").tags("env:prod,team:pay");
/// let logs = Http::builder(datadog);
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST /api/v2/logs` with `DD-API-KEY`; an array of objects, compressed by gzip:
///
/// | member | from |
/// |---|---|
/// | `ddsource`, `service`, `hostname`, `ddtags` | the options; left out unless set |
/// | all others | [`Json::datadog`], with `timestamp` in milliseconds since 1970 |
///
/// # Limits
///
/// 1,000 records and 5 MB a request, 1 MB a record: a larger record failed, where Datadog would cut it off. Records older than 18
/// hours are lost at Datadog, which answers 202 all the same.
///
/// # What the answer's errors mean
///
/// 202: written. 403: the key is wrong or of another site; sent again. 413: halves are sent. 429: too much; sent again when
/// `X-RateLimit-Reset` says.
///
/// Source: [send logs](https://docs.datadoghq.com/api/latest/logs/#send-logs), v2.
#[derive(Clone)]
#[must_use]
pub struct Datadog {
    url: String,
    key: Credential,
    fields: Vec<(&'static str, String)>,
}

impl Datadog {
    /// A site (`datadoghq.com`, `datadoghq.eu`, `us5.datadoghq.com`), or a URL of a proxy or agent without `/api/v2/logs`; and
    /// the API key.
    pub fn new(site: impl Into<String>, key: impl Into<Credential>) -> Self {
        let site = site.into();
        let url = if site.contains("://") { site } else { format!("https://http-intake.logs.{site}") };
        Self { url, key: key.into(), fields: Vec::new() }
    }

    /// The technology, which chooses a pipeline: `rust`.
    pub fn source(self, source: impl Into<String>) -> Self {
        self.with("ddsource", source)
    }

    /// The service.
    pub fn service(self, service: impl Into<String>) -> Self {
        self.with("service", service)
    }

    /// The host.
    pub fn host(self, host: impl Into<String>) -> Self {
        self.with("hostname", host)
    }

    /// Tags: `env:prod,team:pay`.
    pub fn tags(self, tags: impl Into<String>) -> Self {
        self.with("ddtags", tags)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.into()));
        self
    }
}

impl From<Datadog> for HttpBuilder {
    fn from(this: Datadog) -> Self {
        let json = Json::datadog().time(Time::unix_millis());
        let json = this.fields.iter().fold(json, |json, (name, value)| json.field(*name, &**value));
        Self::to(this.url, "datadog", "/api/v2/logs", HttpBody::array().max_record_bytes(1_000_000))
            .auth(Auth::header("dd-api-key", this.key))
            .format(json)
            .compression(Compression::gzip())
            // A notice of losses may come on top: 1,000 are allowed.
            .max_batch(999)
            // Below the limit, as it is an estimate.
            .max_batch_bytes(3 << 20)
    }
}

/// Better Stack's logs (Logtail).
///
/// ```
/// use tracing_strata::{output::{BetterStack, Http}, sink::http::Credential};
///
/// let logs = Http::builder(BetterStack::new("https://s1.eu-nbg-2.betterstackdata.com", Credential::env("SOURCE_TOKEN")));
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST` to the source's ingesting host, with `Authorization: Bearer TOKEN`; an array of objects, compressed by gzip: those of
/// [`Json::new`], with the time as `dt`.
///
/// # Limits
///
/// 10 MB a request.
///
/// # What the answer's errors mean
///
/// 202: written. 401, 403: the token is wrong; sent again. 406, 413 and others as
/// [always](super::Http#what-an-answer-means).
///
/// Source: [logs over HTTP](https://betterstack.com/docs/logs/ingesting-data/http/logs/).
#[derive(Clone)]
#[must_use]
pub struct BetterStack {
    url: String,
    token: Credential,
}

impl BetterStack {
    /// The source's ingesting host, with `https://`, and its token.
    pub fn new(url: impl Into<String>, token: impl Into<Credential>) -> Self {
        Self { url: url.into(), token: token.into() }
    }
}

impl From<BetterStack> for HttpBuilder {
    fn from(this: BetterStack) -> Self {
        Self::to(this.url, "betterstack", "", HttpBody::array())
            .auth(Auth::bearer(this.token))
            .format(Json::new().rename(Key::Timestamp, "dt"))
            .compression(Compression::gzip())
    }
}

/// Logstash, by its input plugin `http`.
///
/// ```
/// use tracing_strata::output::{Http, Logstash};
///
/// let logs = Http::builder(Logstash::new("http://logstash.example.com:8080"));
/// # drop(logs);
/// ```
///
/// # What is sent
///
/// `POST` to the URL; an array of [`Json::logstash`], which the plugin's codec `json` makes events of. For the plugin `tcp` with the
/// codec `json_lines`, use a [`Socket`](crate::output::Socket) with that format.
///
/// # What the answer's errors mean
///
/// 200: written. 401: sent again. 429: the pipeline is full; sent again.
///
/// Source: [http input](https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-http), version 8 and 9.
#[derive(Clone)]
#[must_use]
pub struct Logstash {
    url: String,
}

impl Logstash {
    /// The URL of the plugin.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }
}

impl From<Logstash> for HttpBuilder {
    fn from(this: Logstash) -> Self {
        Self::to(this.url, "logstash", "", HttpBody::array()).format(Json::logstash())
    }
}

/// A webhook that takes one text in a JSON object: those of Slack, Mattermost, Discord, Google Chat, and more.
///
/// ```
/// use tracing_strata::{Severity, output::{Http, Webhook}, prelude::*};
///
/// let slack = Webhook::new("https://hooks.slack.example.com/services/T0/B0/x");
/// let discord = Webhook::new("https://discord.example.com/api/webhooks/1/x").key("content");
/// let own = Webhook::new("https://chat.example.com/x").around(r##"{"channel":"#ops","body":{"plain":"##, "}}");
/// let errors = Http::builder(slack).build()?.min_level(Severity::ERROR);
/// # drop((discord, own, errors));
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # What is sent
///
/// One request a record: `{"text":"…"}`, with the record as the [format](HttpBuilder::format) makes it ([`Text::plain`] by default),
/// as a JSON string. For receivers of logs (Vector, Fluent Bit) take [`Http`](super::Http) with a [`HttpBody`].
///
/// The URL is the secret of most webhooks: errors show it without its path.
///
/// # What the answer's errors mean
///
/// As [always](super::Http#what-an-answer-means). Webhooks take about one request a second and answer 429 with `Retry-After`: filter
/// by level, and by [`RateLimit`](crate::filter::RateLimit).
#[derive(Clone)]
#[must_use]
pub struct Webhook {
    url: String,
    before: String,
    after: String,
}

impl Webhook {
    /// The URL that the service gives you.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), before: String::new(), after: "}".into() }.key("text")
    }

    /// The key of the text (default: `text`).
    pub fn key(mut self, key: &str) -> Self {
        let mut before = crate::format::Buffer::new();
        before.push('{');
        before.push_json(key);
        before.push(':');
        self.before = String::from_utf8_lossy(before.as_bytes()).into_owned();
        self
    }

    /// What stands before and after the JSON string.
    pub fn around(self, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self { before: before.into(), after: after.into(), ..self }
    }
}

impl From<Webhook> for HttpBuilder {
    fn from(this: Webhook) -> Self {
        let body = HttpBody::string(this.before, this.after);
        let builder = Self::to(this.url, "webhook", "", body.clone()).body(body).format(Text::plain());
        Self { hides_path: true, ..builder }
    }
}
