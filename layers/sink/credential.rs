//! Passwords, tokens and keys.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::Error;

/// A password, token or key, and where it comes from. It is read for each request or connection, so that
/// it may change.
#[derive(Clone)]
pub struct Credential(Source);

#[derive(Clone)]
enum Source {
    Text(String),
    Env(String),
    File(PathBuf),
    Function(Arc<dyn Fn() -> Result<String, Error> + Send + Sync>),
}

impl Credential {
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
    /// for each request or connection, on the thread that sends; while it fails there, nothing is sent, and the batch is tried again.
    pub fn from_fn(read: impl Fn() -> Result<String, Error> + Send + Sync + 'static) -> Self {
        Self(Source::Function(Arc::new(read)))
    }

    pub(crate) fn read(&self) -> Result<String, Error> {
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

impl From<&str> for Credential {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Credential {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Where it comes from.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("the secret that was given"),
            Source::Env(name) => write!(f, "the secret in ${name}"),
            Source::File(path) => write!(f, "the secret in {}", path.display()),
            Source::Function(_) => f.write_str("the secret of the function"),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({self})")
    }
}
