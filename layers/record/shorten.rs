//! Copies that take less room.

use super::{Fields, Record, Value, guarded::mark_truncated};

impl Record {
    /// A copy in which no text or run of bytes is longer than `most` bytes, but for a mark that says how much was cut.
    /// Names and numbers stay. `None` if there is nothing to cut.
    pub(crate) fn shortened(&self, most: usize) -> Option<Record> {
        let mut copy = self.clone();
        let mut was_cut = false;
        if let Some(message) = cut(self.message(), most) {
            copy.set_message(&message);
            was_cut = true;
        }
        if let Some(target) = cut(self.target(), most) {
            copy.set_target(&target);
            was_cut = true;
        }
        if let Some(fields) = shorter(self.fields(), most) {
            // The message and the target stand in the same text, so the fields are set one by one.
            fields.iter().for_each(|(name, value)| copy.fields_mut().set(name.to_owned(), value));
            was_cut = true;
        }
        if self.spans().any(|span| shorter(span.fields(), most).is_some()) {
            let spans: Vec<_> = self.spans().collect();
            copy.path.clear();
            for span in spans.into_iter().rev() {
                let fields = shorter(span.fields(), most).unwrap_or_else(|| span.fields().clone());
                copy.push_span(span.name(), fields);
            }
            was_cut = true;
        }
        if let Some(globals) = self.globals().and_then(|globals| shorter(globals, most)) {
            copy.set_globals(globals);
            was_cut = true;
        }
        was_cut.then_some(copy)
    }
}

/// The beginning of a text with the mark; `None` if it is short enough.
fn cut(text: &str, most: usize) -> Option<String> {
    if text.len() <= most {
        return None;
    }
    let kept = &text[..text.floor_char_boundary(most)];
    let mut short = kept.to_owned();
    mark_truncated(&mut short, Some(text.len() - kept.len()));
    Some(short)
}

fn shorter(fields: &Fields, most: usize) -> Option<Fields> {
    let is_long = |value: Value<'_>| match value {
        Value::Str(text) | Value::Rendered(text) => text.len() > most,
        Value::Json(json) => json.as_str().len() > most,
        Value::Bytes(bytes) => bytes.len() > most,
        Value::Error(path) => path.causes().fold(path.message().len(), |sum, cause| sum + cause.len()) > most,
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
            Value::Bytes(bytes) => short.set(name, &bytes[..most.min(bytes.len())]),
            Value::Rendered(text) => short.set_display(name, cut(text, most).as_deref().unwrap_or(text)),
            // What is left of a chain of errors, or of JSON, is a text.
            value => {
                let text = value.to_string();
                short.set(name, cut(&text, most).as_deref().unwrap_or(&text));
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
    fn what_is_long_is_cut_on_a_character_and_the_rest_stays() {
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
