//! The one error type of the crate.

use std::{error::Error as StdError, fmt, io, path::Path};

/// An error of this crate. Its message names the path, key or value, and what was expected.
///
/// It is opaque, with predicates, so that new causes are no breaking change. One pointer wide.
///
/// ```
/// let error = tracing_strata::Loggers::parse("warn,app=lowd").unwrap_err();
/// assert!(error.is_config());
/// assert!(error.to_string().contains("app=lowd"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The error handler has it.
    is_reported: bool,
    /// The ledger counts the record that it cost.
    is_counted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Io,
    Config,
    Format,
    Panic,
    Other,
}

impl Error {
    /// An error of a user's own handler, format or sink.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::make(Kind::Other, message.to_string(), None)
    }

    /// An error of a user's own handler, format or sink, with its cause.
    pub fn with_source(message: impl fmt::Display, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::make(Kind::Other, message.to_string(), Some(source.into()))
    }

    pub(crate) fn config(message: impl fmt::Display) -> Self {
        Self::make(Kind::Config, message.to_string(), None)
    }

    /// Without a message of its own.
    #[cfg(feature = "config")]
    pub(crate) fn config_because(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::make(Kind::Config, String::new(), Some(source.into()))
    }

    /// The error with a prefix.
    pub(crate) fn with_cause(message: impl fmt::Display, mut cause: Self) -> Self {
        let inner = &mut cause.0.message;
        *inner = if inner.is_empty() { message.to_string() } else { format!("{message}: {inner}") };
        cause
    }

    pub(crate) fn format(message: impl fmt::Display) -> Self {
        Self::make(Kind::Format, message.to_string(), None)
    }

    pub(crate) fn io_at(path: &Path, doing: &str, source: io::Error) -> Self {
        Self::make(Kind::Io, format!("cannot {doing} {}", path.display()), Some(source.into()))
    }

    pub(crate) fn panicked(message: impl fmt::Display) -> Self {
        Self::make(Kind::Panic, message.to_string(), None)
    }

    fn make(kind: Kind, message: String, source: Option<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Box::new(Inner { kind, message, source, is_reported: false, is_counted: false }))
    }

    pub(crate) fn is_reported(&self) -> bool {
        self.0.is_reported
    }

    pub(crate) fn set_reported(&mut self) {
        self.0.is_reported = true;
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.0.is_counted
    }

    pub(crate) fn set_counted(&mut self) {
        self.0.is_counted = true;
    }

    /// The operating system refused something, such as a file, a stream or a socket.
    pub fn is_io(&self) -> bool {
        self.0.kind == Kind::Io
    }

    /// A directive, level name, path or option is wrong; nothing was applied.
    pub fn is_config(&self) -> bool {
        self.0.kind == Kind::Config
    }

    /// A format could not render the record.
    pub fn is_format(&self) -> bool {
        self.0.kind == Kind::Format
    }

    /// User code (a handler, format or sink) panicked.
    pub fn is_panic(&self) -> bool {
        self.0.kind == Kind::Panic
    }

    /// The kind of the `io::Error` underneath, if there is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.0.source.as_ref()?.downcast_ref::<io::Error>().map(io::Error::kind)
    }
}

/// The message, then its causes, each after a colon.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            if self.0.message.is_empty() {
                write!(f, "{error}")?;
            } else {
                write!(f, ": {error}")?;
            }
            // One of ours has written its own.
            cause = if error.is::<Self>() { None } else { error.source() };
        }
        Ok(())
    }
}

/// The same text as [`Display`](fmt::Display): `fn main() -> Result<(), Error>` prints it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::make(Kind::Io, String::new(), Some(error.into()))
    }
}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        Self::make(Kind::Format, "the format could not render the record".into(), None)
    }
}
