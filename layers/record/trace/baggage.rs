//! W3C `baggage`: values that travel with a request through all services.

use std::{fmt, str::FromStr};

use crate::{Error, text::head};

/// The members of a W3C `baggage` header, in order.
///
/// Source: [W3C Baggage](https://www.w3.org/TR/baggage/). Parsed strictly: at most 64 members and 8,192 bytes, keys are
/// HTTP tokens, values are percent-encoded UTF-8 of the allowed characters, properties stay as they are. If a key comes
/// twice, the later value counts.
///
/// ```
/// use tracing_strata::record::Baggage;
///
/// let mut baggage: Baggage = "userId=Am%C3%A9lie, serverNode=DF%2028;secret".parse().unwrap();
/// assert_eq!(baggage.get("userId"), Some("Amélie"));
/// baggage.set("tier", "gold & silver").unwrap();
/// assert_eq!(baggage.to_string(), "userId=Am%C3%A9lie,serverNode=DF%2028;secret,tier=gold%20&%20silver");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Baggage(Vec<Member>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Member {
    key: Box<str>,
    value: Box<str>,
    /// With the semicolons.
    properties: Box<str>,
}

/// The specification's minimum for propagation, and our maximum.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8_192;

impl Baggage {
    /// The name of the span field.
    pub const FIELD: &'static str = "baggage";

    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The decoded value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Keys and decoded values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|member| (&*member.key, &*member.value))
    }

    /// Sets a member; one under the same key is replaced, with its properties.
    ///
    /// # Errors
    /// The key is not an HTTP token, or there would be more than 64 members or 8,192 bytes.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let before = self.clone();
        self.put(key, value.into(), "").ok_or_else(|| refused(key))?;
        if self.to_string().len() > MAX_BYTES {
            *self = before;
            return Err(refused(key));
        }
        Ok(())
    }

    fn put(&mut self, key: &str, value: Box<str>, properties: &str) -> Option<()> {
        if !is_token(key) {
            return None;
        }
        let member = Member { key: key.into(), value, properties: properties.into() };
        match self.0.iter().position(|known| *known.key == *key) {
            Some(index) => self.0[index] = member,
            None if self.0.len() == MAX_MEMBERS => return None,
            None => self.0.push(member),
        }
        Some(())
    }
}

impl FromStr for Baggage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(refused(text));
        }
        let mut baggage = Self::default();
        for member in text.split(',').map(trim).filter(|member| !member.is_empty()) {
            let (pair, properties) = member.split_at(member.find(';').unwrap_or(member.len()));
            let value = pair.split_once('=').and_then(|(key, value)| Some((trim(key), decode(trim(value))?)));
            let fits = properties.split(';').skip(1).all(is_property);
            let put = value.filter(|_| fits).and_then(|(key, value)| baggage.put(key, value, properties));
            put.ok_or_else(|| refused(member))?;
        }
        Ok(baggage)
    }
}

#[cold]
fn refused(text: &str) -> Error {
    let shown = head(text, 80);
    Error::config(format_args!(
        "baggage {shown:?}: expected at most {MAX_MEMBERS} members \"key=value\" of at most {MAX_BYTES} bytes, values percent-encoded"
    ))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn is_token(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    !text.is_empty() && text.bytes().all(fits)
}

/// `key` or `key = value`.
fn is_property(text: &str) -> bool {
    match text.split_once('=') {
        None => is_token(trim(text)),
        Some((key, value)) => is_token(trim(key)) && trim(value).bytes().all(is_octet),
    }
}

/// "baggage-octet" of the specification.
fn is_octet(c: u8) -> bool {
    matches!(c, 0x21..=0x7e if !matches!(c, b'"' | b',' | b';' | b'\\'))
}

fn decode(text: &str) -> Option<Box<str>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let [high, low, tail @ ..] = rest else { return None };
                let digit = |c: &u8| char::from(*c).to_digit(16);
                bytes.push((digit(high)? * 16 + digit(low)?) as u8);
                rest = tail;
            }
            c if is_octet(*c) => bytes.push(*c),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok().map(Into::into)
}

/// The header's value; empty if there are no members (then send no header).
impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, member) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}=", member.key)?;
            for byte in member.value.bytes() {
                if is_octet(byte) && byte != b'%' {
                    write!(f, "{}", char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
            f.write_str(&member.properties)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict() {
        for good in ["", "a=", "a=1,b=2", " a = 1 ; p ; q = 2 , b=%20", "a=b=c", "a=%C3%A9"] {
            let baggage: Baggage = good.parse().unwrap();
            assert_eq!(
                baggage.to_string().parse::<Baggage>().unwrap().iter().collect::<Vec<_>>(),
                baggage.iter().collect::<Vec<_>>()
            );
        }
        let many = (0..65).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        let long = format!("a={}", "x".repeat(8_192));
        for bad in
            ["a", "=1", "a b=1", "a=%", "a=%2", "a=%zz", "a=%ff", "a=é", "a=1;", "a=1;b c", "a=\"1\"", &many, &long]
        {
            assert!(bad.parse::<Baggage>().unwrap_err().to_string().contains("baggage"), "{bad:?}");
        }
    }

    #[test]
    fn bounded() {
        let mut baggage = Baggage::new();
        assert!(baggage.set("a", &"é".repeat(2_000)).is_err());
        assert!(baggage.is_empty());
        assert!(baggage.set("a key", "1").is_err());
        baggage.set("a", "1").unwrap();
        baggage.set("a", "2").unwrap();
        assert_eq!(baggage.to_string(), "a=2");
    }
}
