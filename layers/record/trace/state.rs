//! W3C `tracestate`: data of tracing vendors about the trace.

use std::{fmt, str::FromStr};

use crate::{Error, text::head};

/// The members of a W3C `tracestate` header, the latest first.
///
/// Source: [W3C Trace Context](https://www.w3.org/TR/trace-context/#tracestate-header), level 1. Parsed strictly: at most
/// 32 members (empty ones are left out) and 8 KiB, keys of lower-case letters, digits, `_`, `-`, `*` and `/` with at most
/// one `@`, values of up to 256 printable ASCII characters without `,` and `=`, no key twice.
///
/// ```
/// use tracing_strata::record::TraceState;
///
/// let mut state: TraceState = "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE".parse().unwrap();
/// assert_eq!(state.get("congo"), Some("t61rcWkgMzE"));
/// state.set("congo", "new").unwrap();
/// assert_eq!(state.to_string(), "congo=new,rojo=00f067aa0ba902b7");
/// assert!("no-value".parse::<TraceState>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceState(Vec<(Box<str>, Box<str>)>);

/// "There can be a maximum of 32 list-members in a list."
const MAX_MEMBERS: usize = 32;
/// Far above the 512 characters that the specification requires.
const MAX_BYTES: usize = 8 * 1024;

impl TraceState {
    /// The name of the span field, beside a [`traceparent`](super::TraceParent::FIELD).
    pub const FIELD: &'static str = "tracestate";

    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Keys and values, the latest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Sets a member and puts it first, as the specification requires. If there are 32 already, the last one is removed.
    ///
    /// # Errors
    /// The key or the value is not one that the specification allows.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        if !is_key(key) || !is_value(value) {
            return Err(refused(&format!("{key}={value}")));
        }
        self.0.retain(|(known, _)| &**known != key);
        self.0.truncate(MAX_MEMBERS - 1);
        self.0.insert(0, (key.into(), value.into()));
        Ok(())
    }
}

impl FromStr for TraceState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(refused(text));
        }
        let mut state = Self::default();
        for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
        {
            let (key, value) = member.split_once('=').ok_or_else(|| refused(member))?;
            if !is_key(key) || !is_value(value) || state.get(key).is_some() || state.0.len() == MAX_MEMBERS {
                return Err(refused(member));
            }
            state.0.push((key.into(), value.into()));
        }
        Ok(state)
    }
}

#[cold]
fn refused(text: &str) -> Error {
    let shown = head(text, 80);
    Error::config(format_args!(
        "tracestate {shown:?}: expected at most {MAX_MEMBERS} members \"key=value\" with different keys of a-z, 0-9, _-*/ (and one @)"
    ))
}

fn is_key(key: &str) -> bool {
    let part = |part: &str, begins: fn(u8) -> bool, longest: usize| {
        part.len() <= longest
            && part.bytes().next().is_some_and(begins)
            && part.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    let letter = |c: u8| c.is_ascii_lowercase();
    let letter_or_digit = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    match key.split_once('@') {
        None => part(key, letter, 256),
        Some((tenant, system)) => part(tenant, letter_or_digit, 241) && part(system, letter, 14),
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|c| matches!(c, b' '..=b'~' if c != b',' && c != b'='))
        && !value.ends_with(' ')
}

/// The header's value; empty if there are no members (then send no header).
impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict() {
        let good = ["", "a=1", " a=1 ,\tb=2,,", "t0@sys=x", "0t@sys=x", "a_-*/9=!~ x", "a= leading"];
        for good in good {
            let state: TraceState = good.parse().unwrap();
            assert_eq!(state.to_string().parse::<TraceState>().unwrap(), state, "{good:?}");
        }
        let long_key = format!("{}=1", "a".repeat(257));
        let long_value = format!("a={}", "x".repeat(257));
        let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        for bad in [
            "a",
            "=1",
            "a=",
            "A=1",
            "1a=1",
            "a=1=2",
            "a=1,a=2",
            "a=é",
            "a\u{b}=1",
            "a@b@c=1",
            "@b=1",
            "a@=1",
            "a@0b=1",
            "a =1",
            long_key.as_str(),
            &long_value,
            &many,
        ] {
            assert!(bad.parse::<TraceState>().unwrap_err().to_string().contains("tracestate"), "{bad:?}");
        }
    }

    #[test]
    fn the_last_member_is_removed_from_a_full_list() {
        let mut state: TraceState = (0..32).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",").parse().unwrap();
        state.set("new", "1").unwrap();
        assert_eq!((state.iter().len(), state.get("k31"), state.get("k30")), (32, None, Some("1")));
        assert!(state.set("New", "1").is_err());
    }
}
