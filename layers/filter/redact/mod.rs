//! Secrets and personal data are taken out of records.

mod assignment;
mod json;
mod keys;
mod patterns;
mod scan;

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use regex::Regex;
use sha2::{Digest as _, Sha256};

pub use self::patterns::Pattern;
use self::{
    keys::{Keys, Known, SECRETS},
    patterns::Own,
    scan::Scanner,
};
use super::Transform;
use crate::{
    Error, Record, Value,
    record::{Change, Rewrite},
};

/// Takes secrets and personal data out of records: values by their names, and parts of texts by their shape.
///
/// It looks at the message, the call stack, all fields of the event, of its spans and of the
/// [globals](crate::Globals), into [lists and maps](crate::Value::Json), and at each text of a chain of errors. A panic's
/// message and backtrace are such a message and stack. Names of fields are not changed, nor is what is no value: target, file,
/// thread. Names within maps are looked at by their shape.
///
/// # Where to put it
///
/// | for | | |
/// |---|---|---|
/// | all handlers | [`setup().redact(…)`](crate::setup::Setup::redact), [`HandlerLayer::redact`](crate::HandlerLayer::redact) | before anything is kept: a queue, a memory buffer, a spool and the error handler never see the original |
/// | one handler | [`.transform(redact)`](crate::HandlerExt::transform) | the others see the original; so does the error handler of what is outside of it |
/// | OpenTelemetry | `OtlpLayer::redact` | log records, spans and their events |
/// | a configuration | a filter of the class `redact` | on a handler, or on a logger for all handlers |
///
/// Records that it does not change are passed on without a copy. A span is looked through once, not for each record in it.
///
/// ```
/// use tracing_strata::{Record, Severity, Value, filter::{Redact, Transform}};
///
/// let mut record = Record::new(Severity::INFO, "shop", "card 4111 1111 1111 1111 of ada@example.com");
/// record.set("api_key", "k-7f3a");
/// record.set("url", "postgres://shop:hunter2@db/orders");
/// Redact::secrets().transform(&mut record);
/// assert_eq!(record.message(), "card [redacted:card] of [redacted:email]");
/// assert_eq!(record.get("api_key"), Some(Value::Str("[redacted]")));
/// assert_eq!(record.get("url"), Some(Value::Str("postgres://shop:[redacted:url_password]@db/orders")));
/// ```
///
/// # Keys
///
/// A key is compared with the last part of a field's name (behind its dots) and with the names in lists and maps, at any
/// depth. Capital letters, `-` and `_` do not count: `api_key` is also `API-Key` and `apiKey`. `*` is any text within a
/// name, and a key with dots is the end of a path: `user.address.*`.
///
/// [`Redact::secrets`] has these: `password`, `passwd`, `pwd`, `passphrase`, `passcode`, `secret`, `secrets`, `secret_key`,
/// `client_secret`, `token`, `access_token`, `refresh_token`, `id_token`, `session_token`, `csrf_token`, `api_key`,
/// `x_api_key`, `access_key`, `private_key`, `encryption_key`, `signing_key`, `authorization`, `proxy_authorization`,
/// `cookie`, `set_cookie`, `session`, `session_id`, `sid`, `credentials`, `connection_string`, `database_url`, `ssn`, `cvv`,
/// `cvc`, `card_number`, `*password`, `*passwd`, `*secret`, `*token`, `*api_key`, `*private_key`, `*secret_access_key`.
///
/// # Patterns
///
/// | name | what | check |
/// |---|---|---|
/// | `card` | 13 to 19 digits, in one piece or in the groups on cards | Luhn (ISO/IEC 7812), ranges and lengths of the networks; 19 digits that begin with 4 only in groups |
/// | `iban` | account numbers, in one piece or in groups of four | the length for the country, modulo 97 (ISO 13616) |
/// | `email` | `name@domain` with a top-level domain of letters | |
/// | `phone` | `+` and 8 to 15 digits (ITU-T E.164), in groups | |
/// | `ip` | IPv4 and IPv6; not in [`secrets`](Redact::secrets) | is an address |
/// | `jwt` | `eyJ….….…`, signed (RFC 7515) or encrypted (RFC 7516) | |
/// | `aws` | `AKIA…`, `ASIA…` | 16 characters of base 32 |
/// | `gcp` | `AIza…`, `ya29.…` | length |
/// | `github` | `ghp_…`, `gho_…`, `ghu_…`, `ghs_…`, `ghr_…`, `github_pat_…` | length |
/// | `slack` | `xoxb-…` and its like, `xapp-…`, webhooks | length |
/// | `stripe` | `sk_live_…`, `rk_test_…`, `whsec_…` | length |
/// | `authorization` | `Bearer …`, `Basic …` | a digit, or 24 characters; base64 with a colon |
/// | `url_password` | `scheme://name:password@` | |
/// | `private_key` | PEM, up to its end or that of the text | |
/// | `assignment` | `key=value`, `"key": "value"`, `key: Some("value")` in a text, for all [keys](#keys) | a word of small letters behind `token:` and the like is prose: `parse token: unexpected end` |
///
/// Numbers of 13 digits or more are looked at as text, and so are bytes that are UTF-8. What is split over two values, encoded
/// (base64, compressed) or cut off at the [limit](crate::HandlerLayer::value_limit) of a value is not found.
///
/// All is in linear time, with one pass for the bytes and beginnings that a match cannot do without, and expressions only
/// behind those.
#[derive(Clone)]
pub struct Redact(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    keys: Keys,
    patterns: Vec<(Pattern, Option<Action>)>,
    own: Vec<Own>,
    action: Action,
    scanner: Scanner,
    known: Arc<Known>,
    id: u64,
}

/// What becomes of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// `[redacted]`, or the pattern: `[redacted:card]`.
    #[default]
    Label,
    /// The field, or the part of the text, is removed. Within a list or a map it becomes `null`.
    Remove,
    /// `***`, and the last characters, as many as this; none of a value that is not at least twice as long.
    Mask(u8),
    /// `[sha256:…]` with 16 hexadecimal digits: the same for the same value. Whoever has the log can try out values, and
    /// finds those of a small set.
    Hash,
}

impl Action {
    /// `None`: nothing is left.
    fn apply(self, name: Option<&str>, value: &str) -> Option<String> {
        match self {
            Self::Remove => None,
            Self::Label => Some(name.map_or_else(|| "[redacted]".to_owned(), |name| format!("[redacted:{name}]"))),
            Self::Mask(keep) => {
                let (keep, length) = (usize::from(keep), value.chars().count());
                let keep = if length >= 2 * keep { keep } else { 0 };
                Some("***".chars().chain(value.chars().skip(length - keep)).collect())
            }
            Self::Hash => {
                let digest = Sha256::digest(value.as_bytes());
                let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                Some(format!("[sha256:{hex}]"))
            }
        }
    }
}

impl Redact {
    /// Nothing yet: add keys and patterns.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            keys: Keys::default(),
            patterns: Vec::new(),
            own: Vec::new(),
            action: Action::Label,
            scanner: Scanner::default(),
            known: Arc::new(Known::new()),
            id: next_id(),
        }))
    }

    /// The [keys](Self#keys) of secrets, and all [patterns](Self#patterns) but `ip`.
    pub fn secrets() -> Self {
        let patterns = Pattern::ALL.into_iter().filter(|pattern| *pattern != Pattern::Ip);
        Self::new().keys(SECRETS.iter().copied()).patterns(patterns)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        change(inner);
        // What was found before is no longer true.
        (inner.id, inner.known) = (next_id(), Arc::new(Known::new()));
        self
    }

    /// Values under this [key](Self#keys) are secret.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.keys([key])
    }

    /// Values under these [keys](Self#keys) are secret.
    pub fn keys(self, keys: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.with(|inner| keys.into_iter().for_each(|key| inner.keys.add(key.as_ref())))
    }

    /// Values of these shapes are secret.
    pub fn patterns(self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.with(|inner| {
            patterns.into_iter().for_each(|pattern| inner.set_pattern(pattern, None));
            inner.scanner = Scanner::new(&inner.patterns, &inner.own);
        })
    }

    /// Values of this shape are secret, with an action of their own.
    pub fn pattern_action(self, pattern: Pattern, action: Action) -> Self {
        self.with(|inner| {
            inner.set_pattern(pattern, Some(action));
            inner.scanner = Scanner::new(&inner.patterns, &inner.own);
        })
    }

    /// What matches a [regular expression](https://docs.rs/regex/latest/regex/#syntax) is secret: its group 1 if it has one. The
    /// name is that of its label.
    ///
    /// # Errors
    /// The expression does not compile; the error has its name.
    pub fn own_pattern(self, name: impl Into<String>, expression: &str) -> Result<Self, Error> {
        let name = name.into();
        let expression = Regex::new(expression).map_err(|error| {
            Error::config(format_args!("the pattern {name:?}: expected a regular expression: {error}"))
        })?;
        Ok(self.with(|inner| {
            inner.own.push(Own { name, expression });
            inner.scanner = Scanner::new(&inner.patterns, &inner.own);
        }))
    }

    /// What becomes of all that has no [action of its own](Self::pattern_action) (default: [`Action::Label`]).
    pub fn action(self, action: Action) -> Self {
        self.with(|inner| inner.action = action)
    }

    pub(crate) fn rewrite(&self, record: &mut Record) {
        record.rewrite(&*self.0);
    }

    /// For the events of an exported span.
    #[cfg(feature = "otlp")]
    pub(crate) fn rewrite_fields(&self, fields: &mut crate::Fields) {
        fields.rewrite(&*self.0);
    }

    /// For an exported span.
    #[cfg(feature = "otlp")]
    pub(crate) fn rewrite_closed(&self, span: &crate::record::ClosedSpan) {
        span.rewrite_closed(&*self.0);
    }
}

impl Default for Redact {
    /// [`Redact::secrets`].
    fn default() -> Self {
        Self::secrets()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Inner {
    fn set_pattern(&mut self, pattern: Pattern, action: Option<Action>) {
        match self.patterns.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, known)) => *known = action.or(*known),
            None => self.patterns.push((pattern, action)),
        }
    }

    fn by_shape(&self, text: &str) -> Option<String> {
        self.scanner.rewritten(text, &self.keys, self.action)
    }

    #[inline]
    fn is_secret(&self, name: Result<&'static str, &str>) -> bool {
        match name {
            Ok(name) => !self.known.is_plain(name, || !self.keys.contain(name.rsplit('.'))),
            Err(name) => self.keys.contain(name.rsplit('.')),
        }
    }
}

/// Numbers below are no card, and mostly no other secret.
const MIN_NUMBER: u64 = 1_000_000_000_000;

impl Rewrite for Inner {
    fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    fn text(&self, text: &str) -> Option<String> {
        self.by_shape(text)
    }

    #[inline]
    fn value(&self, name: Result<&'static str, &str>, value: Value<'_>) -> Change {
        if !self.keys.is_empty() && self.is_secret(name) {
            return self.action.apply(None, &value.to_string()).map_or(Change::Remove, Change::Text);
        }
        let text = |text: Option<String>| text.map_or(Change::Keep, Change::Text);
        match value {
            Value::Str(value) | Value::Rendered(value) => text(self.by_shape(value)),
            Value::Json(value) => {
                let name = name.unwrap_or_else(|name| name);
                json::rewritten(value.as_str(), name, self).map_or(Change::Keep, Change::Json)
            }
            Value::I64(number) if number.unsigned_abs() >= MIN_NUMBER => {
                text(self.by_shape(itoa::Buffer::new().format(number)))
            }
            Value::U64(number) if number >= MIN_NUMBER => text(self.by_shape(itoa::Buffer::new().format(number))),
            Value::I128(number) => text(self.by_shape(itoa::Buffer::new().format(number))),
            Value::U128(number) => text(self.by_shape(itoa::Buffer::new().format(number))),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).map_or(Change::Keep, |bytes| text(self.by_shape(bytes))),
            _ => Change::Keep,
        }
    }
}

impl json::Parts for Inner {
    fn is_secret(&self, path: &[Cow<'_, str>]) -> bool {
        self.keys.contain(path.iter().rev().flat_map(|name| name.rsplit('.')))
    }

    fn replace(&self, value: &str) -> Option<String> {
        self.action.apply(None, value.trim_matches('"'))
    }

    fn text(&self, text: &str) -> Option<String> {
        self.by_shape(text)
    }

    fn number(&self, number: &str) -> Option<String> {
        if number.len() < 13 { None } else { self.by_shape(number) }
    }
}

impl Transform for Redact {
    fn transform(&self, record: &mut Record) {
        self.rewrite(record);
    }

    fn applies(&self, record: &Record) -> bool {
        record.is_rewritten(&*self.0)
    }
}

/// The names of what it looks for; no value.
impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.0.own.iter().map(|own| own.name.as_str());
        let patterns: Vec<_> = self.0.patterns.iter().map(|(pattern, _)| pattern.name()).chain(own).collect();
        f.debug_struct("Redact").field("action", &self.0.action).field("patterns", &patterns).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_all_keys_and_patterns() {
        let docs: String = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("/// ")).collect();
        for key in SECRETS {
            assert!(docs.contains(&format!("`{key}`")), "{key}");
        }
        for pattern in Pattern::ALL {
            assert!(docs.contains(&format!("| `{}` |", pattern.name())), "{pattern:?}");
        }
    }
}
