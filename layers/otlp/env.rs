//! The `OTEL_*` variables.

use std::time::Duration;

use crate::{Error, text::percent_decoded};

/// Variables by name. Empty ones count as not set (specification).
#[derive(Clone, Debug, Default)]
pub(super) struct Vars(Vec<(String, String)>);

impl Vars {
    pub(super) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())?;
        Some(value).filter(|value| !value.is_empty())
    }

    /// A variable's value. The error of `parse` says what it expects.
    pub(super) fn get<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let parsed = parse(text).map(Some);
        let shown = match () {
            () if name.ends_with("HEADERS") => without_values(text),
            () if name.ends_with("ENDPOINT") => shown(&without_credentials(text)).to_owned(),
            () => shown(text).to_owned(),
        };
        parsed.map_err(|expected| Error::config(format_args!("{name}: expected {expected}, got {shown:?}")))
    }

    /// The variable of the signal, else the general one.
    pub(super) fn of_signal<T>(
        &self,
        signal: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Error> {
        match self.of_signal_named(signal, what) {
            Some((name, _)) => self.get(&name, parse),
            None => Ok(None),
        }
    }

    /// The name of the variable that applies, and its text.
    pub(super) fn of_signal_named(&self, signal: &str, what: &str) -> Option<(String, &str)> {
        let names = [format!("OTEL_EXPORTER_OTLP_{signal}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| {
            let text = self.text(&name)?;
            Some((name, text))
        })
    }
}

impl FromIterator<(String, String)> for Vars {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(vars: I) -> Self {
        Self(vars.into_iter().filter(|(name, _)| name.starts_with("OTEL_")).collect())
    }
}

/// Only the beginning of a long value is shown.
fn shown(text: &str) -> &str {
    crate::text::head(text, 60)
}

/// Headers may hold secrets.
fn without_values(pairs: &str) -> String {
    let name = |pair: &str| pair.split_once('=').map_or("…".to_owned(), |(name, _)| format!("{}=…", shown(name)));
    shown(&pairs.split(',').map(name).collect::<Vec<_>>().join(",")).to_owned()
}

/// A URL without its credentials.
pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    // A password may have a `/` in it.
    match rest.rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => url.to_owned(),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("\"true\" or \"false\""),
    }
}

pub(super) fn millis(text: &str) -> Result<Duration, &'static str> {
    text.parse().map(Duration::from_millis).map_err(|_| "a number of milliseconds")
}

pub(super) fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "a number of at least 0")
}

pub(super) fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("a number of at least 1")
}

/// From 0 to 1.
pub(super) fn ratio(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or("a ratio from 0.0 to 1.0")
}

/// `key=value,key=value`, percent-encoded.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    const EXPECTED: &str = "pairs \"key=value\" with commas between them, percent-encoded";
    text.split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').ok_or(EXPECTED)?;
            let key = key.trim();
            if key.is_empty() {
                return Err(EXPECTED);
            }
            Ok((percent_decoded(key).ok_or(EXPECTED)?, percent_decoded(value.trim()).ok_or(EXPECTED)?))
        })
        .collect()
}
