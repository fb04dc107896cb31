//! Messages of Project Fluent.

use std::fmt;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use super::Catalog;
use crate::{Error, Record, Value};

/// Messages of [Project Fluent](https://projectfluent.org), in one language or several.
///
/// The arguments are the record's fields: those of the event, then of its spans, then the global ones. Plurals and numbers
/// follow the rules of the language.
///
/// ```
/// use tracing_strata::{Record, Severity, filter::{Catalog, Fluent}};
///
/// let german = Fluent::parse("de", "
/// order-placed = { $items ->
///     [one] Ein Artikel bestellt
///    *[other] { $items } Artikel bestellt
/// }
/// ")?;
/// let mut record = Record::new(Severity::INFO, "shop", "3 items ordered");
/// record.set("items", 3);
/// let mut message = String::new();
/// assert!(german.message("order-placed", &record, &mut message));
/// assert_eq!(message, "3 Artikel bestellt");
/// assert!(!german.message("unknown", &record, &mut message));
/// # Ok::<(), tracing_strata::Error>(())
/// ```
pub struct Fluent {
    /// In the order they are tried.
    languages: Vec<FluentBundle<FluentResource>>,
}

impl Fluent {
    /// Parses the messages of one language, such as `de` or `pt-BR`.
    ///
    /// # Errors
    /// The language is not a language identifier, or the messages have a syntax error (the error names the line) or define
    /// a key twice.
    pub fn parse(language: &str, messages: &str) -> Result<Self, Error> {
        Ok(Self { languages: vec![bundle(language, messages)?] })
    }

    /// Adds a language, for keys that the languages before it lack.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse).
    pub fn or(mut self, language: &str, messages: &str) -> Result<Self, Error> {
        self.languages.push(bundle(language, messages)?);
        Ok(self)
    }
}

fn bundle(language: &str, messages: &str) -> Result<FluentBundle<FluentResource>, Error> {
    let id: LanguageIdentifier = language.parse().map_err(|_| {
        Error::config(format_args!("expected a language such as \"de\" or \"pt-BR\", got {language:?}"))
    })?;
    let resource = FluentResource::try_new(messages.to_owned()).map_err(|(_, errors)| {
        let (at, what) = errors.first().map_or((0, String::new()), |first| (first.pos.start, first.kind.to_string()));
        let line = messages.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Error::config(format_args!("Fluent messages in {language:?}, line {line}: {what}"))
    })?;
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Isolating marks are for text of mixed direction; a log would escape them.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).map_err(|errors| {
        let what = errors.first().map(ToString::to_string).unwrap_or_default();
        Error::config(format_args!("Fluent messages in {language:?}: {what}"))
    })?;
    Ok(bundle)
}

impl Catalog for Fluent {
    fn message(&self, key: &str, record: &Record, out: &mut String) -> bool {
        let mut patterns = self.languages.iter().filter_map(|bundle| Some((bundle, bundle.get_message(key)?.value()?)));
        let Some((bundle, pattern)) = patterns.next() else { return false };
        let mut arguments = FluentArgs::new();
        let spans = record.spans().flat_map(|span| span.fields().iter());
        let globals = record.globals().into_iter().flat_map(|globals| globals.iter());
        for (name, value) in record.fields().iter().chain(spans).chain(globals) {
            if arguments.get(name).is_none() {
                arguments.set(name.to_owned(), argument(value));
            }
        }
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        if errors.is_empty() {
            out.push_str(&text);
        }
        errors.is_empty()
    }
}

fn argument(value: Value<'_>) -> FluentValue<'static> {
    match value {
        Value::I64(number) => number.into(),
        Value::U64(number) => number.into(),
        Value::F64(number) => number.into(),
        Value::Str(text) => text.to_owned().into(),
        other => other.to_string().into(),
    }
}

impl fmt::Debug for Fluent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages = self.languages.iter().flat_map(|bundle| &bundle.locales).map(ToString::to_string);
        f.debug_tuple("Fluent").field(&languages.collect::<Vec<_>>()).finish()
    }
}
