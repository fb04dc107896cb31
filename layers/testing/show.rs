//! Captured records as text: for people, and for comparison.

use super::redact::redacted;
use crate::{
    Format, Record,
    format::{Buffer, Text, Time},
    record::OwnedRecord,
};

/// One record for people, without its time.
pub(super) fn one(record: &Record) -> String {
    let mut out = Buffer::new();
    match Text::pretty().time(Time::none()).source(false).format(record, &mut out) {
        Ok(()) => String::from_utf8_lossy(out.as_bytes()).into_owned(),
        Err(error) => format!("{record:?} ({error})"),
    }
}

/// Records for people, one below another, each with its time.
pub(super) fn all(records: &[OwnedRecord]) -> String {
    let mut out = Buffer::new();
    for record in records {
        if Text::pretty().format(record, &mut out).is_err() {
            out.push_str(record.message());
        }
        out.push('\n');
    }
    String::from_utf8_lossy(out.as_bytes()).into_owned()
}

/// Records as text that is the same in each run: level, target, message, fields and spans, one record a line.
pub(super) fn snapshot(records: &[OwnedRecord]) -> String {
    let mut out = String::new();
    for record in records {
        let severity = record.severity();
        out.push_str(&format!("{severity} {}: ", record.target().replace("::", ".")));
        out.push_str(&redacted(record.message()).escape_debug().to_string());
        push_fields(record.fields(), " ", &mut out);
        for span in record.spans() {
            out.push_str(" < ");
            out.push_str(span.name());
            out.push('{');
            push_fields(span.fields(), "", &mut out);
            out.push('}');
        }
        out.push('\n');
    }
    out
}

fn push_fields(fields: &crate::Fields, before: &str, out: &mut String) {
    let mut between = before;
    for (name, value) in fields.iter() {
        let text = value.as_str().map_or_else(|| value.to_string(), |_| format!("{:?}", redacted(&value.to_string())));
        out.push_str(&format!("{between}{name}={text}"));
        between = " ";
    }
}
