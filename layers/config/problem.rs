//! What is wrong with a configuration: everything at once.

use std::{error::Error as StdError, fmt};

use super::node::At;
use crate::{Error, text::distance};

/// One thing that is wrong.
///
/// Its text is like `handlers.file.maxBytes (line 7, column 15): expected an integer, got "10MB"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) path: String,
    pub(super) at: Option<At>,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
    pub(super) python: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(path: impl Into<String>, at: Option<At>, message: impl Into<String>) -> Self {
        Self { path: path.into(), at, message: message.into(), suggestion: None, python: Vec::new() }
    }

    /// What Python says about the same mistake, innermost message; what it wraps that in comes where it is known.
    pub(super) fn python(mut self, message: impl Into<String>) -> Self {
        self.python.push(message.into());
        self
    }

    /// Suggests the known name nearest to what was written, if there is one.
    pub(super) fn nearest<'k>(mut self, written: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        self.suggestion = nearest(written, known);
        self
    }

    /// As [`nearest`](Self::nearest), among names with dots, whose last words count: `Handler` alone makes none alike.
    pub(super) fn nearest_dotted<'k>(mut self, written: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let lower = written.to_lowercase();
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let away = |name: &str| {
            let name = name.to_lowercase();
            (distance(&last(&lower), &last(&name)), distance(&lower, &name))
        };
        let nearest = known.into_iter().map(|name| (away(name), name)).min_by_key(|(away, _)| *away);
        let most = (1 + last(written).chars().count() / 4).min(2);
        self.suggestion = nearest
            .filter(|((last, _), name)| *last <= most && written.chars().count() > 1 && *name != written)
            .map(|(_, name)| name.to_owned());
        self
    }

    /// Names what is there in place of what is missing, if something is like it.
    pub(super) fn instead<'k>(mut self, missing: &str, written: impl IntoIterator<Item = &'k str>) -> Self {
        if let Some(written) = nearest(missing, written) {
            self.message.push_str(&format!(", got {written:?}"));
        }
        self
    }

    /// Puts Python's outer message before.
    pub(super) fn within(mut self, outer: &str) -> Self {
        if self.python.is_empty() {
            self.python.push(self.message.clone());
        }
        self.python.insert(0, outer.to_owned());
        self
    }

    /// Where in the configuration, as in `handlers.file.maxBytes`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where in the source, from 1; none where that has no lines (a `serde` value), or the key is missing.
    pub fn line(&self) -> Option<usize> {
        self.at.map(|at| at.line)
    }

    /// The column in its line, in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.at.map(|at| at.column)
    }

    /// What was expected and what was found.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// What Python's `logging.config` says about the same mistake: the message of the exception, then those of its causes.
    /// Empty where Python would not have minded.
    pub fn python_messages(&self) -> &[String] {
        &self.python
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(At { line, column }) = self.at {
            let space = if self.path.is_empty() { "" } else { " " };
            write!(f, "{space}(line {line}, column {column})")?;
        }
        if !self.path.is_empty() || self.at.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean {suggestion:?}?")?;
        }
        Ok(())
    }
}

/// The name nearest to what was written: a letter or two off, or the same in another case.
pub(super) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let lower = written.to_lowercase();
    let (name, away) =
        known.into_iter().map(|name| (name, distance(&lower, &name.to_lowercase()))).min_by_key(|(_, away)| *away)?;
    let most = 1 + written.chars().count() / 4;
    (away <= most && written.chars().count() > 1 && name != written).then(|| name.to_owned())
}

/// All that is wrong with a configuration; never empty. The source of the [`Error`] that refused it: see
/// [`ConfigErrors::of`].
///
/// ```
/// use tracing_strata::config::{Config, Logging, ConfigErrors};
///
/// let config = Config::from_yaml("version: 1\nroot:\n  levle: INFO\n  handlers: [cnsole]\nhandlers: {console: {class: stream}}")?;
/// let error = Logging::new().reload(&config).unwrap_err();
/// let problems = ConfigErrors::of(&error).unwrap();
/// assert_eq!(problems.iter().map(|problem| problem.path()).collect::<Vec<_>>(), ["root.levle", "root.handlers[0]"]);
/// assert_eq!(problems.iter().next().unwrap().suggestion(), Some("level"));
/// assert_eq!((problems.iter().next().unwrap().line(), problems.iter().next().unwrap().column()), (Some(3), Some(3)));
/// # Ok::<(), tracing_strata::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// What is behind an error, if that is about a configuration.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// One after the other, in the order of the source; with Python's defaults, in that of the configuration's parts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }

    pub(super) fn into_error(problems: Vec<ConfigError>) -> Error {
        Error::config_because(Self(problems))
    }

    /// Nothing wrong is no error.
    pub(super) fn check(problems: Vec<ConfigError>) -> Result<(), Error> {
        if problems.is_empty() { Ok(()) } else { Err(Self::into_error(problems)) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = &self.0[..] {
            return problem.fmt(f);
        }
        write!(f, "{} problems:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl StdError for ConfigErrors {}

impl From<ConfigError> for Error {
    fn from(problem: ConfigError) -> Self {
        ConfigErrors::into_error(vec![problem])
    }
}
