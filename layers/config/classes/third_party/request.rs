//! `asgi_correlation_id`: the request's id as a field.

use super::{Call, MakeFilter};
use crate::{Record, Value, config::config_filter::ConfigFilter, record::JsonText};

pub(super) const FILTERS: &[(&[&str], MakeFilter)] =
    &[(&["asgi_correlation_id.CorrelationIdFilter", "asgi_correlation_id.log_filters.CorrelationIdFilter"], |call| {
        Some(make(call))
    })];

const FIELD: &str = "correlation_id";

/// The id is that of the innermost span that has a field `correlation_id` or `request_id`.
fn make(call: &Call<'_, '_>) -> ConfigFilter {
    let args = call.args;
    // Without effect, as in Python.
    args.str("name");
    let length = args.integer("uuid_length");
    let default = args.str("default_value");
    ConfigFilter::changes(move |record: &mut Record| {
        let spans = record.spans();
        let mut ids = spans.filter_map(|span| {
            let fields = span.fields();
            fields.get(FIELD).or_else(|| fields.get("request_id")).map(|id| id.to_string())
        });
        match ids.next().or_else(|| default.clone()).map(|id| cut(id, length)) {
            Some(id) => record.set(FIELD, &*id),
            None => JsonText::new("null").map(Value::Json).into_iter().for_each(|null| record.set(FIELD, null)),
        }
        true
    })
}

/// As Python's slice: a negative length counts from the end.
fn cut(mut id: String, length: Option<i64>) -> String {
    let Some(length) = length else { return id };
    let keep = match usize::try_from(length) {
        Ok(length) => length,
        Err(_) => id.chars().count().saturating_sub(usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    if let Some((at, _)) = id.char_indices().nth(keep) {
        id.truncate(at);
    }
    id
}
