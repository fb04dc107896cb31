//! TOML.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Read;
use crate::config::{
    node::{At, Data, Key, Map, Node},
    problem::ConfigError,
};

pub(super) fn parse(text: &str) -> Result<Read, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map(|span| At::of(text, span.start));
        ConfigError::new("", at, format!("not TOML: {}", error.message()))
    })?;
    let at = Some(At { line: 1, column: 1 });
    Ok((Node { data: map(table.get_ref(), text)?, at }, Vec::new()))
}

fn map(table: &DeTable<'_>, text: &str) -> Result<Data, ConfigError> {
    let mut entries = Vec::new();
    for (key, value) in table {
        let at = At::of(text, key.span().start);
        entries.push((Key { text: key.get_ref().to_string(), at: Some(at) }, node(value, text)?));
    }
    // The reader sorts; people read their errors from the top.
    entries.sort_by_key(|(key, _)| key.at.map(|at| (at.line, at.column)));
    Ok(Data::Map(Map(entries)))
}

fn node(value: &Spanned<DeValue<'_>>, text: &str) -> Result<Node, ConfigError> {
    let at = At::of(text, value.span().start);
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
        // `atTime = 02:30:00` and its like are texts elsewhere.
        DeValue::Datetime(time) => Data::Str(time.to_string()),
        DeValue::Array(list) => Data::List(list.iter().map(|value| node(value, text)).collect::<Result<_, _>>()?),
        DeValue::Table(table) => map(table, text)?,
    };
    Ok(Node { data, at: Some(at) })
}
