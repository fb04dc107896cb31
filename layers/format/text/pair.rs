//! `name=value`.

use super::quote::{quoted, rendered, word};
use crate::{
    Value,
    format::{
        json::value::hex,
        key_cache::KeyCache,
        line::{Fragment, Line},
    },
    record::Entry,
};

/// `name=`, quoted if it is not a word.
static NAMES: KeyCache = KeyCache::new(|name| Fragment::of(false, |line| put_name(name, line)));

pub(super) fn put_name(name: &str, line: &mut Line<'_>) {
    word(line, name, "");
    line.byte(b'=');
}

/// `name=`
#[inline]
pub(super) fn name(entry: Entry<'_>, out: &mut Line<'_>) {
    match entry.name().map(|name| NAMES.get(name).ok_or(name)) {
        Ok(Ok(fragment)) => out.fragment(fragment),
        Ok(Err(name)) | Err(name) => put_name(name, out),
    }
}

#[inline]
pub(super) fn write_value(value: Value<'_>, out: &mut Line<'_>) {
    match value {
        Value::Bool(value) => out.raw(if value { "true" } else { "false" }),
        Value::I64(number) => out.raw(itoa::Buffer::new().format(number)),
        Value::U64(number) => out.raw(itoa::Buffer::new().format(number)),
        Value::I128(number) => out.raw(itoa::Buffer::new().format(number)),
        Value::U128(number) => out.raw(itoa::Buffer::new().format(number)),
        Value::F64(number) => out.raw(zmij::Buffer::new().format(number)),
        Value::Str(text) => word(out, text, ""),
        Value::Rendered(text) => rendered(out, text),
        Value::Json(json) => rendered(out, json.as_str()),
        Value::Bytes([]) => out.raw("\"\""),
        Value::Bytes(bytes) => hex(out, bytes),
        Value::Error(chain) => match chain.causes().len() {
            0 => word(out, chain.message(), ""),
            _ => quoted(out, [chain.message()].into_iter().chain(chain.causes().flat_map(|cause| [": ", cause]))),
        },
    }
}
