//! What a receiver asks for.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{HeaderName, HeaderValue};

use super::base64;
use crate::Error;

/// How requests say who sends them. Neither `Debug` nor an error shows a secret.
///
/// ```
/// use tracing_strata::sink::http::{Auth, Secret};
///
/// let basic = Auth::basic("shop", Secret::file("/run/secrets/logs"));
/// let bearer = Auth::bearer(Secret::env("LOGS_TOKEN"));
/// let key = Auth::header("x-api-key", "k-123");
/// # drop((basic, bearer, key));
/// ```
#[derive(Clone, Debug)]
pub struct Auth {
    header: String,
    /// Before the secret.
    scheme: String,
    /// For a password.
    user: Option<String>,
    secret: Secret,
}

impl Auth {
    /// `Authorization: Basic …`, in UTF-8.
    pub fn basic(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { user: Some(user.into()), ..Self::scheme("Basic", password) }
    }

    /// `Authorization: Bearer …`
    pub fn bearer(token: impl Into<Secret>) -> Self {
        Self::scheme("Bearer", token)
    }

    /// `Authorization:` and a scheme of the receiver: `ApiKey`, `Splunk`.
    pub fn scheme(scheme: impl Into<String>, token: impl Into<Secret>) -> Self {
        Self { header: "authorization".into(), scheme: scheme.into() + " ", user: None, secret: token.into() }
    }

    /// A header with a key: `X-Api-Key`.
    pub fn header(name: impl Into<String>, key: impl Into<Secret>) -> Self {
        Self { header: name.into(), scheme: String::new(), user: None, secret: key.into() }
    }

    pub(super) fn pair(&self) -> Result<(HeaderName, HeaderValue), Error> {
        let name: HeaderName = self
            .header
            .parse()
            .map_err(|_| Error::config(format_args!("header {:?}: expected a name that HTTP allows", self.header)))?;
        let secret = self.secret.read()?;
        let text = match &self.user {
            Some(user) => base64::encode(format!("{user}:{secret}").as_bytes()),
            None => secret,
        };
        let mut value: HeaderValue = format!("{}{text}", self.scheme)
            .parse()
            .map_err(|_| Error::config(format_args!("{}: expected characters that a header may have", self.secret)))?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

/// A password, token or key, and where it comes from. It is read for each request, so that it may change.
#[derive(Clone)]
pub struct Secret(Source);

#[derive(Clone)]
enum Source {
    Text(String),
    Env(String),
    File(PathBuf),
    Function(Arc<dyn Fn() -> Result<String, Error> + Send + Sync>),
}

impl Secret {
    /// This text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Source::Text(text.into()))
    }

    /// An environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// A file, without the line end behind it.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Source::File(path.as_ref().into()))
    }

    /// What a function returns: a token that is renewed. It is called once by `build`, which fails if it fails, then
    /// for each request, on the thread that sends; while it fails there, nothing is sent, and the batch is tried again.
    pub fn from_fn(read: impl Fn() -> Result<String, Error> + Send + Sync + 'static) -> Self {
        Self(Source::Function(Arc::new(read)))
    }

    fn read(&self) -> Result<String, Error> {
        let text = match &self.0 {
            Source::Text(text) => text.clone(),
            Source::Env(name) => std::env::var(name)
                .map_err(|_| Error::config(format_args!("{self}: expected it to be set, to UTF-8")))?,
            Source::File(path) => {
                let text = fs::read_to_string(path).map_err(|error| Error::io_at(path, "read the secret in", error))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            Source::Function(read) => read()?,
        };
        if text.is_empty() {
            return Err(Error::config(format_args!("{self}: expected a secret, got nothing")));
        }
        Ok(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Where it comes from.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("the secret that was given"),
            Source::Env(name) => write!(f, "the secret in ${name}"),
            Source::File(path) => write!(f, "the secret in {}", path.display()),
            Source::Function(_) => f.write_str("the secret of the function"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}
