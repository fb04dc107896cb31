//! Records to services over HTTP (feature `http`).

mod elasticsearch;
mod loki;
mod protocol;
mod services;
mod splunk;

use std::{
    borrow::Cow,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use self::protocol::Protocol;
pub use self::{
    elasticsearch::{Elasticsearch, Sematext},
    loki::Loki,
    protocol::HttpBody,
    services::{BetterStack, Datadog, Logstash, Webhook},
    splunk::SplunkHec,
};
use super::batched::{Attempt, Batch, BatchOptions, Batched, batch_options};
use crate::{
    Error, Format,
    format::Buffer,
    output::Answer,
    record::OwnedRecord,
    sink::{
        Compression,
        http::{Auth, Client, ClientOptions, Endpoint, Method, Redirects, Request},
        net::Tls,
    },
};

/// Sends records to a service over HTTP/1.1, in batches.
///
/// Python: `logging.handlers.HTTPHandler`, one record a request: [`HttpBody::form`], [`HttpBody::query`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tracing_strata::{output::{Http, HttpBody}, prelude::*, sink::{Compression, http::{Auth, Credential}}};
/// use tracing_subscriber::prelude::*;
///
/// // JSON lines; here nobody listens.
/// let http = Http::builder("http://127.0.0.1:9/ingest")
///     .header("x-tenant", "shop")
///     .auth(Auth::bearer(Credential::from_fn(|| Ok("a token that may be renewed".into()))))
///     .compression(Compression::gzip())
///     .flush_timeout(Duration::from_millis(50))
///     .build()?;
/// # let http = http.named("http");
/// # http.set_error_handler(tracing_strata::ledger::ErrorHandler::silent());
/// let subscriber = tracing_subscriber::registry().with(http.into_layer());
/// tracing::subscriber::with_default(subscriber, || tracing::info!(order = 7, "paid"));
///
/// // As Python's `HTTPHandler(host, url, method="POST")`.
/// let form = Http::builder("http://127.0.0.1:9/log").body(HttpBody::form()).build()?;
/// # drop(form);
/// # Ok::<(), tracing_strata::Error>(())
/// ```
///
/// # Receivers
///
/// | receiver | |
/// |---|---|
/// | anything that takes JSON: Vector, Fluent Bit, VictoriaLogs … | a URL, and an [`HttpBody`] |
/// | Elasticsearch, OpenSearch | [`Elasticsearch`] |
/// | Grafana Loki | [`Loki`] |
/// | Splunk | [`SplunkHec`] |
/// | Datadog | [`Datadog`] |
/// | Better Stack | [`BetterStack`] |
/// | Sematext | [`Sematext`] |
/// | Logstash | [`Logstash`] |
/// | Slack and other chats | [`Webhook`] |
///
/// Each is a table of what is sent; all options are those of [`HttpBuilder`].
///
/// # What is sent
///
/// Records as the [format](HttpBuilder::format) makes them, in a body as [`HttpBody`] says. In order: one request at a time.
/// A connection is kept between requests. An answer is read up to 4 MiB.
///
/// # What an answer means
///
/// | answer | the records |
/// |---|---|
/// | 200 to 299 | written |
/// | 400, 422 | some record is to blame: halves are sent, until it is alone and failed with the answer's text |
/// | 413 | the batch is too large: halves are sent |
/// | 401, 403, 407 | sent again, as the secret may be renewed; the error handler gets it once for each batch |
/// | 408, 425, 429, 500 and above; no answer in time, or garbage | sent again |
/// | 501, 505, all others, redirects | failed |
///
/// Before a batch is sent again, it waits for what `Retry-After` asks for (seconds or a date), else, after 429, for
/// `RateLimit-Reset` or `X-RateLimit-Reset`, but for no longer than an hour; else for a back-off with jitter.
///
/// # When it blocks
///
/// Never, unless [`overflow`](HttpBuilder::overflow) says so; see [`Batched`].
///
/// # Failures
///
/// Those of [`Batched`]. A record may arrive twice: where the receiver accepted it and its answer was lost. With a
/// [`spool`](HttpBuilder::spool), what cannot be sent [waits on disk](Batched#a-spool), and each request has a header
/// [`Idempotency-Key`](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/): 32 digits that stay the
/// same when the same records are sent again.
///
/// # Differences from Python
///
/// - A thread sends; Python's handler sends on the thread that logs, without a timeout.
/// - A status of 400 and above is no success. Python ignores it: [`any_answer`](HttpBuilder::any_answer).
/// - A connection is kept; names of headers are in lower case; there is a `user-agent`.
pub struct Http;

impl Http {
    /// A URL, or the kind of a receiver at a URL. No I/O.
    ///
    /// A path and a query in it stay. A user and a password in it are for basic authorization, and are shown nowhere.
    pub fn builder(to: impl Into<HttpBuilder>) -> HttpBuilder {
        to.into()
    }
}

/// The options of an [`Http`].
///
/// | option | default |
/// |---|---|
/// | [`body`](Self::body), [`format`](Self::format) | [`HttpBody::lines`], [`Json`](crate::format::Json) |
/// | [`failover`](Self::failover) | no other URL |
/// | [`auth`](Self::auth), [`header`](Self::header) | none |
/// | [`compression`](Self::compression) | none |
/// | [`tls`](Self::tls) | the system's certificate authorities |
/// | [`proxy`](Self::proxy) | that of the environment |
/// | [`redirects`](Self::redirects) | [`Redirects::Refuse`] |
/// | [`connect_timeout`](Self::connect_timeout), [`timeout`](Self::timeout) | 5 s, 10 s |
/// | [`capacity`](Self::capacity), [`max_bytes`](Self::max_bytes) | 8,192 records, 64 MiB |
/// | [`overflow`](Self::overflow) | [`Overflow::DropNewest`](crate::handler::queue::Overflow::DropNewest) |
/// | [`max_batch`](Self::max_batch), [`max_batch_bytes`](Self::max_batch_bytes) | 512 records, 1 MiB |
/// | [`schedule_delay`](Self::schedule_delay) | 1 s |
/// | [`retry_for`](Self::retry_for) | 60 s |
/// | [`spool`](Self::spool) | none |
/// | [`flush_timeout`](Self::flush_timeout) | 5 s |
/// | [`name`](Self::name) | `http` |
#[must_use]
pub struct HttpBuilder {
    url: String,
    others: Vec<String>,
    /// Of the receiver; appended to that of the URL.
    path: &'static str,
    /// The path is a secret.
    hides_path: bool,
    method: Method,
    content_type: Cow<'static, str>,
    protocol: Box<dyn Protocol>,
    format: Option<Box<dyn Format>>,
    headers: Vec<(String, String)>,
    auth: Option<Auth>,
    compression: Option<Compression>,
    tls: Option<Tls>,
    proxy: Option<String>,
    redirects: Redirects,
    connect_timeout: Duration,
    timeout: Duration,
    any_answer: bool,
    is_single: bool,
    options: BatchOptions,
}

impl HttpBuilder {
    /// To a kind of receiver, with the path that it has behind that of the URL.
    fn to(url: String, name: &'static str, path: &'static str, protocol: impl Protocol) -> Self {
        Self {
            url,
            others: Vec::new(),
            path,
            hides_path: false,
            method: Method::Post,
            content_type: "application/json".into(),
            protocol: Box::new(protocol),
            format: None,
            headers: Vec::new(),
            auth: None,
            compression: None,
            tls: None,
            proxy: None,
            redirects: Redirects::Refuse,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            any_answer: false,
            is_single: false,
            options: BatchOptions::new(name),
        }
    }

    /// How records stand in a request.
    pub fn body(mut self, body: HttpBody) -> Self {
        self.method = body.method;
        self.content_type.clone_from(&body.content_type);
        self.is_single = body.is_single;
        self.protocol = Box::new(body);
        self
    }

    fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// The format of one record.
    pub fn format(mut self, format: impl Format) -> Self {
        self.format = Some(Box::new(format));
        self
    }

    /// Adds a header to each request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Another URL of the receiver, with the same options, where a batch goes at once when the one before does not answer, or
    /// answers 502, 503 or 504. What comes later goes to the one that answered last.
    pub fn failover(mut self, url: impl Into<String>) -> Self {
        self.others.push(url.into());
        self
    }

    /// Who sends.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Compresses bodies. A server that answers 415 does not know the method.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Certificate authorities to trust instead of the system's, and our own certificate. For `https:` only.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// A proxy: `http://proxy:3128`, with a name and a password where it asks for them; an empty text for none. Default:
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Whether an answer may send us elsewhere.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// How long connecting may take.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, from the name of the host to the end of the answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether any answer is a success, as for Python's `HTTPHandler`: records that the receiver refuses count as written.
    pub fn any_answer(mut self, on: bool) -> Self {
        self.any_answer = on;
        self
    }

    batch_options!();

    /// Starts the thread. The receiver need not be there yet.
    ///
    /// # Errors
    /// An option is wrong: the message names it, without a secret. A certificate or a secret cannot be read. The thread does
    /// not start.
    pub fn build(self) -> Result<Batched, Error> {
        let batched = self.build_stopped()?;
        batched.start()?;
        Ok(batched)
    }

    /// Without its thread.
    pub(crate) fn build_stopped(mut self) -> Result<Batched, Error> {
        if self.is_single {
            self.options.config.max_batch = 1;
        }
        let name = self.options.config.output.clone();
        let endpoint = |url: &String| {
            let endpoint = Endpoint::parse(&name, url, self.path)?;
            Ok::<_, Error>(if self.hides_path { endpoint.hide_path() } else { endpoint })
        };
        let mut options = ClientOptions::new(name.clone(), endpoint(&self.url)?);
        let others = self.others.iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
        options.method = self.method;
        options.content_type = self.content_type;
        options.headers = self.headers;
        options.auth = self.auth;
        options.compression = self.compression;
        options.tls = self.tls;
        options.proxy = self.proxy;
        options.redirects = self.redirects;
        options.connect_timeout = self.connect_timeout;
        let all = others.into_iter().map(|endpoint| ClientOptions { endpoint, ..options.clone() }).collect::<Vec<_>>();
        let clients = std::iter::once(options).chain(all).map(Client::new).collect::<Result<_, _>>()?;
        let format = self.format.unwrap_or_else(|| self.protocol.default_format());
        let (protocol, timeout, any_answer) = (self.protocol, self.timeout, self.any_answer);
        let sender = HttpBatch { clients, last: AtomicUsize::new(0), protocol, format, timeout, any_answer };
        self.options.build_stopped(Box::new(sender))
    }
}

/// JSON lines to a URL.
impl From<&str> for HttpBuilder {
    fn from(url: &str) -> Self {
        Self::from(url.to_owned())
    }
}

/// JSON lines to a URL.
impl From<String> for HttpBuilder {
    fn from(url: String) -> Self {
        Self::to(url, "http", "", HttpBody::lines()).body(HttpBody::lines())
    }
}

impl fmt::Debug for HttpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password in it.
        f.debug_struct("HttpBuilder").field("auth", &self.auth).field("options", &self.options).finish_non_exhaustive()
    }
}

struct HttpBatch {
    clients: Vec<Client>,
    /// The one that answered last.
    last: AtomicUsize,
    protocol: Box<dyn Protocol>,
    format: Box<dyn Format>,
    timeout: Duration,
    any_answer: bool,
}

impl Batch for HttpBatch {
    fn send(&self, records: &[OwnedRecord], attempt: &Attempt) -> Answer {
        let mut body = Buffer::new();
        if let Err(error) = self.protocol.encode(&*self.format, records, &mut body) {
            return Answer::Split(error);
        }
        let (count, first) = (self.clients.len(), self.last.load(Ordering::Relaxed));
        let (key, mut away) = (key(records), Error::new("nobody was asked"));
        for number in 0..count {
            let index = (first + number) % count;
            let client = &self.clients[index];
            let request = Request { body: body.as_bytes(), timeout: attempt.timeout(self.timeout), key };
            match client.send(&request) {
                Ok(response) if number + 1 < count && matches!(response.status, 502..=504) => {}
                Ok(response) => {
                    self.last.store(index, Ordering::Relaxed);
                    return match self.any_answer {
                        true => Answer::Accepted,
                        false => self.protocol.answer(records, &response, client, attempt),
                    };
                }
                Err(error) => away = error,
            }
        }
        Answer::retry(away)
    }
}

/// The same for the same records with ids, in the same order.
fn key(records: &[OwnedRecord]) -> Option<u128> {
    const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    records.iter().try_fold(0, |key: u128, record| Some((key ^ record.id()?).wrapping_mul(FACTOR).rotate_left(61)))
}

/// A URL, an index or a label may be a secret.
macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque!(Elasticsearch Loki SplunkHec Datadog BetterStack Logstash Webhook);
