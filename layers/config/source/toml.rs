//! TOML.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Parsed;
use crate::config::{
    error::ConfigError,
    node::{Data, Key, Map, Node, Position},
};

pub(super) fn parse(text: &str) -> Result<Parsed, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map(|span| Position::of(text, span.start));
        ConfigError::new("", at, format!("not TOML: {}", error.message()))
    })?;
    let at = Some(Position::START);
    Ok((Node { data: map(table.get_ref(), text)?, at }, Vec::new()))
}

fn map(table: &DeTable<'_>, text: &str) -> Result<Data, ConfigError> {
    let mut entries = Vec::new();
    for (key, value) in table {
        let at = Position::of(text, key.span().start);
        entries.push((Key { text: key.get_ref().to_string(), at: Some(at) }, node(value, text)?));
    }
    // The parser sorts by key; errors come in the order of the source.
    entries.sort_by_key(|(key, _)| key.at);
    Ok(Data::Map(Map(entries)))
}

fn node(value: &Spanned<DeValue<'_>>, text: &str) -> Result<Node, ConfigError> {
    let at = Position::of(text, value.span().start);
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Str(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            let number = i64::from_str_radix(&digits, number.radix());
            Data::Int(number.map_err(|_| ConfigError::new("", Some(at), "expected a 64-bit integer"))?)
        }
        DeValue::Float(number) => {
            let digits = number.as_str().replace('_', "");
            Data::Float(digits.parse().map_err(|_| ConfigError::new("", Some(at), "expected a number"))?)
        }
        DeValue::Boolean(value) => Data::Bool(*value),
        // Other syntaxes have strings here, as in `atTime = 02:30:00`.
        DeValue::Datetime(time) => Data::Str(time.to_string()),
        DeValue::Array(list) => Data::List(list.iter().map(|value| node(value, text)).collect::<Result<_, _>>()?),
        DeValue::Table(table) => map(table, text)?,
    };
    Ok(Node { data, at: Some(at) })
}
