//! Copies with shorter values.

use super::{Fields, Record, Value, guarded::mark_truncated};
use crate::text::head;

impl Record {
    /// A copy in which no text or byte string is longer than `max` bytes, plus a marker that says how much was cut. Names
    /// and numbers stay. `None` if nothing is too long.
    pub(crate) fn shortened(&self, max: usize) -> Option<Record> {
        let mut copy = self.clone();
        let mut was_cut = false;
        if let Some(message) = cut(self.message(), max) {
            copy.set_message(&message);
            was_cut = true;
        }
        if let Some(target) = cut(self.target(), max) {
            copy.set_target(&target);
            was_cut = true;
        }
        if let Some(fields) = shorter(self.fields(), max) {
            // The message and the target are in the same text, so the fields are set one by one.
            fields.iter().for_each(|(name, value)| copy.fields_mut().set(name.to_owned(), value));
            was_cut = true;
        }
        if self.spans().any(|span| shorter(span.fields(), max).is_some()) {
            let spans: Vec<_> = self.spans().collect();
            copy.path.clear();
            for span in spans.into_iter().rev() {
                let fields = shorter(span.fields(), max).unwrap_or_else(|| span.fields().clone());
                copy.push_span(span.name(), fields);
            }
            was_cut = true;
        }
        if let Some(globals) = self.globals().and_then(|globals| shorter(globals, max)) {
            copy.set_globals(globals);
            was_cut = true;
        }
        was_cut.then_some(copy)
    }
}

/// The start of a text with the marker; `None` if it is short enough.
fn cut(text: &str, max: usize) -> Option<String> {
    if text.len() <= max {
        return None;
    }
    let head = head(text, max);
    let mut short = head.to_owned();
    mark_truncated(&mut short, Some(text.len() - head.len()));
    Some(short)
}

fn shorter(fields: &Fields, max: usize) -> Option<Fields> {
    let is_long = |value: Value<'_>| match value {
        Value::Str(text) | Value::Rendered(text) => text.len() > max,
        Value::Json(json) => json.as_str().len() > max,
        Value::Bytes(bytes) => bytes.len() > max,
        Value::Error(chain) => chain.causes().fold(chain.message().len(), |sum, cause| sum + cause.len()) > max,
        _ => false,
    };
    if !fields.iter().any(|(_, value)| is_long(value)) {
        return None;
    }
    let mut short = Fields::new();
    for (name, value) in fields.iter() {
        let name = name.to_owned();
        match value {
            _ if !is_long(value) => short.set(name, value),
            Value::Bytes(bytes) => short.set(name, &bytes[..max.min(bytes.len())]),
            Value::Rendered(text) => short.set_display(name, cut(text, max).as_deref().unwrap_or(text)),
            // Parts of an error chain or of JSON are plain text.
            value => {
                let text = value.to_string();
                short.set(name, cut(&text, max).as_deref().unwrap_or(&text));
            }
        }
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn long_values_are_cut_between_characters_and_others_stay() {
        let mut record = Record::new(Severity::INFO, "target", &"é".repeat(10));
        record.set("number", 7);
        record.set("text", "x".repeat(12).as_str());
        record.set("bytes", &[1_u8; 12][..]);
        record.push_span("outer", [("short", "s")].into_iter().collect());
        let mut inner = Fields::new();
        inner.set_error("error", &std::io::Error::other("a".repeat(12)));
        record.push_span("inner", inner);
        record.set_globals(
            [("host", "h".repeat(12).as_str())].map(|(n, v)| (n, v.to_owned().leak() as &str)).into_iter().collect(),
        );
        let short = record.shortened(7).unwrap();
        assert_eq!(short.message(), "ééé…[14 bytes cut]");
        assert_eq!(short.target(), "target");
        assert_eq!(short.get("number"), Some(Value::I64(7)));
        assert_eq!(short.get("text"), Some(Value::Str("xxxxxxx…[5 bytes cut]")));
        assert_eq!(short.get("bytes"), Some(Value::Bytes(&[1; 7])));
        assert_eq!(short.get("error"), Some(Value::Str("aaaaaaa…[5 bytes cut]")));
        assert_eq!(short.get("host"), Some(Value::Str("hhhhhhh…[5 bytes cut]")));
        assert_eq!(short.spans().map(|span| span.name()).collect::<Vec<_>>(), ["inner", "outer"]);
        assert!(record.shortened(20).is_none());
    }
}
