//! What a receiver asks for.

use http::{HeaderName, HeaderValue};

use super::{Credential, base64};
use crate::Error;

/// How requests say who sends them. Neither `Debug` nor an error shows a secret.
///
/// ```
/// use tracing_strata::sink::http::{Auth, Credential};
///
/// let basic = Auth::basic("shop", Credential::file("/run/secrets/logs"));
/// let bearer = Auth::bearer(Credential::env("LOGS_TOKEN"));
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
    secret: Credential,
}

impl Auth {
    /// `Authorization: Basic …`, in UTF-8.
    pub fn basic(user: impl Into<String>, password: impl Into<Credential>) -> Self {
        Self { user: Some(user.into()), ..Self::scheme("Basic", password) }
    }

    /// `Authorization: Bearer …`
    pub fn bearer(token: impl Into<Credential>) -> Self {
        Self::scheme("Bearer", token)
    }

    /// `Authorization:` and a scheme of the receiver: `ApiKey`, `Splunk`.
    pub fn scheme(scheme: impl Into<String>, token: impl Into<Credential>) -> Self {
        Self { header: "authorization".into(), scheme: scheme.into() + " ", user: None, secret: token.into() }
    }

    /// A header with a key: `X-Api-Key`.
    pub fn header(name: impl Into<String>, key: impl Into<Credential>) -> Self {
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
