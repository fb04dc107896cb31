//! What a record should be like.

use std::{borrow::Cow, fmt, ops::Not, sync::Arc};

use crate::{
    Fields, Record, Severity, Value,
    record::{OwnedRecord, is_below},
};

/// What a record should be like: all of its parts must fit.
///
/// Made by [`level`], [`at_least`], [`target`], [`message`], [`message_contains`], [`field`](fn@field), [`span`](fn@span) and
/// [`matching`], and by the methods of the same names, which add to it. [`or`](Self::or), [`and`](Self::and) and `!` combine
/// patterns.
///
/// ```
/// use tracing_strata::{Record, Severity, testing::{at_least, message, target}};
///
/// let slow = target("shop.db").message_contains("slow").field("rows", 3);
/// let mut record = Record::new(Severity::WARN, "shop::db::pool", "a slow query");
/// record.set("rows", 3);
/// assert!(slow.matches(&record));
/// assert!(!at_least(Severity::ERROR).or(message("done")).matches(&record));
/// assert_eq!((!slow).to_string(), r#"not (target shop.db, message with "slow", rows=3)"#);
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Part>);

#[derive(Clone)]
enum Part {
    Level(Severity),
    AtLeast(Severity),
    Target(String),
    Message(String),
    MessageContains(String),
    /// One field, with its name and value.
    Field(Fields),
    Span(String),
    Matching(String, Arc<dyn Fn(&Record) -> bool + Send + Sync>),
    Not(Pattern),
    Any(Vec<Pattern>),
}

/// Records of this very level.
pub fn level(severity: impl Into<Severity>) -> Pattern {
    Pattern(Vec::new()).level(severity)
}

/// Records of this level and above.
pub fn at_least(severity: impl Into<Severity>) -> Pattern {
    Pattern(Vec::new()).at_least(severity)
}

/// Records of this logger and those below it; `app.db` and `app::db` are the same.
pub fn target(name: impl Into<String>) -> Pattern {
    Pattern(Vec::new()).target(name)
}

/// Records with this very message.
pub fn message(text: impl Into<String>) -> Pattern {
    Pattern(Vec::new()).message(text)
}

/// Records with this text in their message.
pub fn message_contains(text: impl Into<String>) -> Pattern {
    Pattern(Vec::new()).message_contains(text)
}

/// Records with this value: their own, else that of the innermost span that has such a field (see [`Record::get`]).
///
/// A number is equal to the same number of another type, text to what `Debug` or `Display` printed, and to the message of
/// an error.
pub fn field<'v>(name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Pattern {
    Pattern(Vec::new()).field(name, value)
}

/// Records inside a span of this name, at any depth.
pub fn span(name: impl Into<String>) -> Pattern {
    Pattern(Vec::new()).span(name)
}

/// Records for which the function says true. `what` describes them in a failure.
pub fn matching(what: impl Into<String>, is_it: impl Fn(&Record) -> bool + Send + Sync + 'static) -> Pattern {
    Pattern(Vec::new()).matching(what, is_it)
}

impl Pattern {
    /// See [`level`](fn@level).
    #[must_use]
    pub fn level(self, severity: impl Into<Severity>) -> Self {
        self.with(Part::Level(severity.into()))
    }

    /// See [`at_least`].
    #[must_use]
    pub fn at_least(self, severity: impl Into<Severity>) -> Self {
        self.with(Part::AtLeast(severity.into()))
    }

    /// See [`target`](fn@target).
    #[must_use]
    pub fn target(self, name: impl Into<String>) -> Self {
        self.with(Part::Target(name.into()))
    }

    /// See [`message`](fn@message).
    #[must_use]
    pub fn message(self, text: impl Into<String>) -> Self {
        self.with(Part::Message(text.into()))
    }

    /// See [`message_contains`].
    #[must_use]
    pub fn message_contains(self, text: impl Into<String>) -> Self {
        self.with(Part::MessageContains(text.into()))
    }

    /// See [`field`](fn@field).
    #[must_use]
    pub fn field<'v>(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value<'v>>) -> Self {
        let mut fields = Fields::new();
        fields.set(name, value);
        self.with(Part::Field(fields))
    }

    /// See [`span`](fn@span).
    #[must_use]
    pub fn span(self, name: impl Into<String>) -> Self {
        self.with(Part::Span(name.into()))
    }

    /// See [`matching`].
    #[must_use]
    pub fn matching(self, what: impl Into<String>, is_it: impl Fn(&Record) -> bool + Send + Sync + 'static) -> Self {
        self.with(Part::Matching(what.into(), Arc::new(is_it)))
    }

    /// Records that fit both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Records that fit one of them, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(vec![Part::Any(vec![self, other])])
    }

    /// Whether a record fits.
    pub fn matches(&self, record: &Record) -> bool {
        self.0.iter().all(|part| part.matches(record))
    }

    /// What does not fit, part by part.
    pub(super) fn differences(&self, record: &Record) -> Vec<String> {
        self.0.iter().filter(|part| !part.matches(record)).map(|part| part.difference(record)).collect()
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

/// Records that do not fit.
impl Not for Pattern {
    type Output = Self;

    fn not(self) -> Self {
        Self(vec![Part::Not(self)])
    }
}

impl Part {
    fn matches(&self, record: &Record) -> bool {
        match self {
            Self::Level(severity) => record.severity() == *severity,
            Self::AtLeast(severity) => record.severity() >= *severity,
            Self::Target(name) => is_below(record.target(), name),
            Self::Message(text) => record.message() == text,
            Self::MessageContains(text) => record.message().contains(text.as_str()),
            Self::Field(expected) => {
                expected.iter().all(|(name, value)| record.get(name).is_some_and(|actual| is_same(value, actual)))
            }
            Self::Span(name) => record.spans().any(|span| span.name() == name),
            Self::Matching(_, is_it) => is_it(record),
            Self::Not(pattern) => !pattern.matches(record),
            Self::Any(patterns) => patterns.iter().any(|pattern| pattern.matches(record)),
        }
    }

    fn difference(&self, record: &Record) -> String {
        match self {
            Self::Level(severity) => format!("level: expected {severity}, is {}", record.severity()),
            Self::AtLeast(severity) => format!("level: expected {severity} or above, is {}", record.severity()),
            Self::Target(name) => format!("target: expected {name} or below, is {}", record.target()),
            Self::Message(text) => format!("message: expected {text:?}, is {:?}", record.message()),
            Self::MessageContains(text) => format!("message: expected {text:?} in it, is {:?}", record.message()),
            Self::Field(expected) => {
                expected.iter().map(|(name, value)| field_difference(name, value, record)).collect()
            }
            Self::Span(name) => {
                let spans: Vec<_> = record.spans().map(|span| span.name()).collect();
                format!(
                    "span: expected {name}, is in {}",
                    if spans.is_empty() { "none".into() } else { spans.join(", ") }
                )
            }
            Self::Matching(what, _) => format!("expected: {what}"),
            Self::Not(pattern) => format!("expected not to be: {pattern}"),
            Self::Any(patterns) => {
                let all: Vec<_> = patterns.iter().map(|pattern| pattern.differences(record).join("; ")).collect();
                format!("either {}", all.join(", or "))
            }
        }
    }
}

/// `rows: expected 3, is "3" (text)`
pub(super) fn field_difference(name: &str, expected: Value<'_>, record: &Record) -> String {
    let expected = Shown(expected);
    match record.get(name) {
        Some(actual) if Shown(actual).to_string() == expected.to_string() => {
            format!("{name}: expected {expected} ({}), is {} ({})", kind(expected.0), Shown(actual), kind(actual))
        }
        Some(actual) => format!("{name}: expected {expected}, is {}", Shown(actual)),
        None => format!("{name}: expected {expected}, is missing"),
    }
}

/// Equal as numbers, as text or as they are.
pub(super) fn is_same(one: Value<'_>, two: Value<'_>) -> bool {
    let is_number = |value: Value<'_>| value.as_f64().is_some();
    if is_number(one) && is_number(two) {
        return match (one.as_i64().zip(two.as_i64()), one.as_u64().zip(two.as_u64())) {
            (Some((one, two)), _) => one == two,
            (_, Some((one, two))) => one == two,
            _ => one == two || one.as_f64() == two.as_f64(),
        };
    }
    match (one.as_str(), two.as_str()) {
        (Some(one), Some(two)) => one == two,
        _ => one == two,
    }
}

fn kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Bool(_) => "a boolean",
        Value::Bytes(_) => "bytes",
        Value::Error(_) => "an error",
        Value::Json(_) => "a list or map",
        Value::Str(_) | Value::Rendered(_) => "text",
        _ => "a number",
    }
}

/// A value as in an assertion: text is quoted.
pub(super) struct Shown<'a>(pub(super) Value<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Str(text) | Value::Rendered(text) => write!(f, "{text:?}"),
            value => write!(f, "{value}"),
        }
    }
}

/// `level ERROR, target shop.db, rows=3`
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{part:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(severity) => write!(f, "level {severity}"),
            Self::AtLeast(severity) => write!(f, "level {severity} or above"),
            Self::Target(name) => write!(f, "target {name}"),
            Self::Message(text) => write!(f, "message {text:?}"),
            Self::MessageContains(text) => write!(f, "message with {text:?}"),
            Self::Field(fields) => fields.iter().try_for_each(|(name, value)| write!(f, "{name}={}", Shown(value))),
            Self::Span(name) => write!(f, "in span {name}"),
            Self::Matching(what, _) => f.write_str(what),
            Self::Not(pattern) => write!(f, "not ({pattern})"),
            Self::Any(patterns) => {
                let all: Vec<_> = patterns.iter().map(|pattern| format!("({pattern})")).collect();
                f.write_str(&all.join(" or "))
            }
        }
    }
}

/// How like a record is to a pattern that it does not fit: what differs, and for equally many differences how much of the
/// messages is the same.
pub(super) fn nearest<'r>(
    pattern: &Pattern,
    records: &'r [OwnedRecord],
    most: usize,
) -> Vec<(&'r Record, Vec<String>)> {
    let expected = pattern.0.iter().find_map(|part| match part {
        Part::Message(text) | Part::MessageContains(text) => Some(text.as_str()),
        _ => None,
    });
    let likeness = |record: &Record| {
        let same = |text: &str| text.chars().zip(record.message().chars()).take_while(|(one, two)| one == two).count();
        expected.map_or(0, same)
    };
    let mut all: Vec<_> = records
        .iter()
        .map(|record| (&**record, pattern.differences(record)))
        .map(|(record, differences)| (differences.len(), usize::MAX - likeness(record), record, differences))
        .collect();
    all.sort_by_key(|(count, unlikeness, ..)| (*count, *unlikeness));
    all.into_iter().take(most).map(|(.., record, differences)| (record, differences)).collect()
}
