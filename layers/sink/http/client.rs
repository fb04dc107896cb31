//! One receiver, and the connections to it.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderName, HeaderValue, Uri, header};
use ureq::{Agent, AsSendBody, Body, Proxy, config::Config};

use super::{Auth, Endpoint, retry_after::wait_asked_for, tls};
use crate::{
    Error,
    fork::ForkMutex,
    sink::{Compression, net::Tls},
};

/// Whether an answer may send us elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirects {
    /// Such an answer is a refusal (the default): a receiver of logs that moves is a mistake, or worse.
    #[default]
    Refuse,
    /// Follows so many, with the same method and body (301, 302, 307 and 308). An [`Auth`] only goes to the same scheme, host
    /// and port; other headers go everywhere.
    Follow(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Post,
    /// The body is sent as a query.
    Get,
}

/// What is the same for all requests.
#[derive(Clone, Debug)]
pub(crate) struct ClientOptions {
    /// Its name in errors.
    pub(crate) output: Cow<'static, str>,
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) auth: Option<Auth>,
    pub(crate) compression: Option<Compression>,
    pub(crate) tls: Option<Tls>,
    /// None: that of the environment. Empty: none.
    pub(crate) proxy: Option<String>,
    pub(crate) redirects: Redirects,
    pub(crate) connect_timeout: Duration,
}

impl ClientOptions {
    pub(crate) fn new(output: impl Into<Cow<'static, str>>, endpoint: Endpoint) -> Self {
        Self {
            output: output.into(),
            endpoint,
            method: Method::Post,
            content_type: "application/json".into(),
            headers: Vec::new(),
            auth: None,
            compression: None,
            tls: None,
            proxy: None,
            redirects: Redirects::Refuse,
            connect_timeout: Duration::from_secs(5),
        }
    }
}

pub(crate) struct Client {
    options: ClientOptions,
    headers: Vec<(HeaderName, HeaderValue)>,
    config: Config,
    /// The connections of a parent process are not used in its child.
    agent: ForkMutex<Agent>,
}

/// What is sent once.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// How long to wait before the next request.
    pub(crate) after: Option<Duration>,
    /// None if it did not come in whole.
    pub(crate) body: Option<Vec<u8>>,
    where_to: Option<String>,
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 4 << 20;

impl Client {
    /// No I/O but for files.
    pub(crate) fn new(mut options: ClientOptions) -> Result<Self, Error> {
        let output = options.output.clone();
        if options.method == Method::Get {
            // There is no body.
            options.compression = None;
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(options.connect_timeout))
            .user_agent(concat!("tracing-strata/", env!("CARGO_PKG_VERSION")));
        if options.endpoint.is_https() {
            config = config.tls_config(tls::config(options.tls.as_ref().unwrap_or(&Tls::new()))?);
        } else if options.tls.is_some() {
            return Err(Error::config(format_args!(
                "{output}: TLS has no effect on {}: expected https:",
                options.endpoint
            )));
        }
        match options.proxy.as_deref() {
            None => {}
            Some("") => config = config.proxy(None),
            // It may have a password in it.
            Some(proxy) => {
                let wrong =
                    |_| Error::config(format_args!("{output}: proxy: expected a URL like \"http://proxy:3128\""));
                config = config.proxy(Some(Proxy::new(proxy).map_err(wrong)?));
            }
        }
        if let Some((user, password)) = options.endpoint.userinfo.take() {
            options.auth.get_or_insert_with(|| Auth::basic(user, password));
        }
        let header = |(name, value): &(String, String)| {
            let parsed = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
            parsed.ok_or_else(|| {
                Error::config(format_args!("{output}: header {name:?}: expected a name and a value that HTTP allows"))
            })
        };
        let mut headers = options.headers.iter().map(header).collect::<Result<Vec<_>, _>>()?;
        let content_type = (header::CONTENT_TYPE.to_string(), options.content_type.to_string());
        if options.method == Method::Post && !headers.iter().any(|(name, _)| name == header::CONTENT_TYPE) {
            headers.push(header(&content_type)?);
        }
        if let Some(compression) = options.compression {
            headers.push((header::CONTENT_ENCODING, HeaderValue::from_static(compression.coding())));
        }
        // What is wrong now is told now; it may change later.
        let wrong = |error| Error::config(format_args!("{output}: {error}"));
        options.auth.as_ref().map(Auth::pair).transpose().map_err(wrong)?;
        let config = config.build();
        Ok(Self { options, headers, agent: ForkMutex::new(config.new_agent()), config })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.options.endpoint
    }

    /// What it answered, as an error.
    #[cold]
    pub(crate) fn refusal(&self, response: &Response) -> Error {
        let body = response.body.as_deref().unwrap_or_default();
        let why = String::from_utf8_lossy(&body[..body.len().min(200)]);
        Error::new(format_args!("{}: {} answered {}: {why:?}", self.options.output, self.endpoint(), response.status))
    }

    fn compressed<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Error> {
        self.options.compression.map_or(Ok(body.into()), |compression| Ok(compression.encode_bytes(body)?.into()))
    }

    /// Asks the same server something else: `rest` stands in the URL behind `path`, which is a part of the endpoint's.
    pub(crate) fn ask(&self, path: &str, rest: &str, body: &[u8], timeout: Duration) -> Result<Response, Error> {
        let url = self.options.endpoint.as_str();
        let base = url.find(path).map_or(url, |at| &url[..at + path.len()]);
        self.send_to(&format!("{base}{rest}"), &self.compressed(body)?, timeout)
    }

    /// One attempt. An error is one of the connection, or of a secret.
    pub(crate) fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        let began = Instant::now();
        let body = &*self.compressed(request.body)?;
        let mut url = match self.options.method {
            Method::Post => self.options.endpoint.as_str().to_owned(),
            Method::Get => self.options.endpoint.with_query(&String::from_utf8_lossy(body)),
        };
        let mut follow = match self.options.redirects {
            Redirects::Refuse => 0,
            Redirects::Follow(most) => most,
        };
        loop {
            let left = request.timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
            let response = self.send_to(&url, body, left)?;
            match &response.where_to {
                Some(location) if follow > 0 && matches!(response.status, 301 | 302 | 307 | 308) => {
                    let Some(next) = resolved(&url, location) else { return Ok(response) };
                    (url, follow) = (next, follow - 1);
                }
                _ => return Ok(response),
            }
        }
    }

    fn send_to(&self, url: &str, body: &[u8], timeout: Duration) -> Result<Response, Error> {
        let agent = self.agent.lock(|agent| *agent = self.config.new_agent(), || self.config.new_agent()).clone();
        let mut parts = http::Request::builder().uri(url);
        for (name, value) in &self.headers {
            parts = parts.header(name, value);
        }
        let is_ours = |_: &&Auth| is_same_origin(url, self.options.endpoint.as_str());
        if let Some(auth) = self.options.auth.as_ref().filter(is_ours) {
            let (name, value) = auth.pair()?;
            parts = parts.header(name, value);
        }
        let sent = match self.options.method {
            Method::Post => run(&agent, parts.method("POST").body(body), timeout),
            Method::Get => run(&agent, parts.body(()), timeout),
        };
        let failed = |error| {
            Error::with_source(format_args!("{}: {} did not answer", self.options.output, self.endpoint()), error)
        };
        sent.map(Response::read).map_err(failed)
    }
}

fn run(
    agent: &Agent,
    request: Result<http::Request<impl AsSendBody>, http::Error>,
    timeout: Duration,
) -> Result<http::Response<Body>, ureq::Error> {
    agent.run(agent.configure_request(request?).timeout_global(Some(timeout)).build())
}

impl Response {
    fn read(mut response: http::Response<Body>) -> Self {
        let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        Self {
            status: response.status().as_u16(),
            after: wait_asked_for(response.status().as_u16(), response.headers(), SystemTime::now()),
            where_to: text(header::LOCATION).map(str::to_owned),
            body: response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().ok(),
        }
    }
}

fn is_same_origin(url: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let uri: Uri = url.parse().ok()?;
        Some((uri.scheme_str()?.to_owned(), uri.authority()?.to_string()))
    };
    origin(url) == origin(other)
}

/// A place, from where an answer came.
fn resolved(from: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.to_owned());
    }
    let uri: Uri = from.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let (folder, _) = uri.path().rsplit_once('/')?;
    Some(format!("{scheme}://{authority}{folder}/{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_redirects() {
        let of = |location| resolved("http://h:1/a/b?q", location).unwrap();
        assert_eq!(of("https://other/x"), "https://other/x");
        assert_eq!(of("//other/x"), "http://other/x");
        assert_eq!(of("/x?y"), "http://h:1/x?y");
        assert_eq!(of("c"), "http://h:1/a/c");
        assert!(is_same_origin("http://h:1/a", "http://h:1/b") && !is_same_origin("http://h:1/a", "http://h:2/a"));
        assert!(!is_same_origin("http://h/a", "https://h/a"));
    }
}
