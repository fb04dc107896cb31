//! Everything that is wrong with a configuration, at once.

use std::{error::Error as StdError, fmt};

use super::node::Position;
use crate::{
    Error,
    text::{distance, python_repr},
};

/// One mistake in a configuration.
///
/// Displayed like `handlers.file.maxBytes (line 7, column 15): expected an integer, got "10MB"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) path: String,
    pub(super) at: Option<Position>,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
    pub(super) python: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(path: impl Into<String>, at: Option<Position>, message: impl Into<String>) -> Self {
        Self { path: path.into(), at, message: message.into(), suggestion: None, python: Vec::new() }
    }

    /// Adds Python's message for the same mistake; [`within`](Self::within) adds the outer ones.
    pub(super) fn python(mut self, message: impl Into<String>) -> Self {
        self.python.push(message.into());
        self
    }

    /// Suggests the known name nearest to the written one, if any is near.
    pub(super) fn nearest<'k>(mut self, written: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        self.suggestion = nearest(written, known);
        self
    }

    /// As [`nearest`](Self::nearest) for dotted names: the last component decides.
    pub(super) fn nearest_dotted<'k>(mut self, written: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let lower = written.to_lowercase();
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let distance_to = |name: &str| {
            let name = name.to_lowercase();
            (distance(&last(&lower), &last(&name)), distance(&lower, &name))
        };
        let nearest = known.into_iter().map(|name| (distance_to(name), name)).min_by_key(|(far, _)| *far);
        let max = (1 + last(written).chars().count() / 4).min(2);
        self.suggestion = nearest
            .filter(|((last, _), name)| *last <= max && written.chars().count() > 1 && *name != written)
            .map(|(_, name)| name.to_owned());
        self
    }

    /// Names a similar key that was written instead of the missing one, if there is one.
    pub(super) fn instead<'k>(mut self, missing: &str, written: impl IntoIterator<Item = &'k str>) -> Self {
        if let Some(written) = nearest(missing, written) {
            self.message.push_str(&format!(", got {written:?}"));
        }
        self
    }

    /// Wraps Python's messages in an outer one.
    pub(super) fn within(mut self, outer: &str) -> Self {
        if self.python.is_empty() {
            self.python.push(self.message.clone());
        }
        self.python.insert(0, outer.to_owned());
        self
    }

    /// The path in the configuration, such as `handlers.file.maxBytes`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The included file ([`Config::expand_includes`](super::Config::expand_includes)) with the mistake. `None` if it is in
    /// the configuration itself.
    pub fn file(&self) -> Option<&str> {
        self.at?.file.map(String::as_str)
    }

    /// The line in the source, from 1. `None` if the source has no lines (a `serde` value) or the key is missing.
    pub fn line(&self) -> Option<usize> {
        self.at.map(|at| at.line as usize)
    }

    /// The column in that line, in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.at.map(|at| at.column as usize)
    }

    /// What was expected and what was found.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The name that was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// The messages of Python's `logging.config` for the same mistake: the exception's, then those of its causes. Empty if
    /// Python accepts it.
    pub fn python_messages(&self) -> &[String] {
        &self.python
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(Position { file, line, column }) = self.at {
            let space = if self.path.is_empty() { "" } else { " " };
            let file = file.map(|file| format!("{file}, ")).unwrap_or_default();
            write!(f, "{space}({file}line {line}, column {column})")?;
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

/// The known name nearest to the written one: a letter or two off, or in another case.
pub(super) fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let lower = written.to_lowercase();
    let (name, far) =
        known.into_iter().map(|name| (name, distance(&lower, &name.to_lowercase()))).min_by_key(|(_, far)| *far)?;
    let max = 1 + written.chars().count() / 4;
    (far <= max && written.chars().count() > 1 && name != written).then(|| name.to_owned())
}

/// All mistakes in a configuration; never empty. It is the source of the [`Error`] that refused the configuration:
/// [`ConfigErrors::of`] finds it.
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
    /// The mistakes behind an error, if it is about a configuration.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// The mistakes in the order of the source; with Python's defaults, in the order of the sections.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }

    pub(super) fn into_error(problems: Vec<ConfigError>) -> Error {
        Error::config_because(Self(problems))
    }

    pub(super) fn check(problems: Vec<ConfigError>) -> Result<(), Error> {
        if problems.is_empty() { Ok(()) } else { Err(Self::into_error(problems)) }
    }
}

/// Python's message for a name that resolves to nothing.
pub(super) fn cannot_resolve(name: &str) -> String {
    let first = name.split('.').next().unwrap_or(name);
    let module = if first == "logging" { name } else { first };
    format!("Cannot resolve {}: No module named {}", python_repr(name), python_repr(module))
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
