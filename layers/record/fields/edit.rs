//! Values replaced in place.

use super::{
    Fields,
    slot::{Stored, TextRange},
};

/// What becomes of a value.
pub(crate) enum Change {
    Keep,
    Remove,
    Text(String),
    /// Checked JSON.
    Json(String),
}

/// A change of the value at an index, or of one text of the error there.
pub(in crate::record) enum Edit {
    Value(usize, Change),
    Link(usize, usize, String),
}

impl Fields {
    /// In the order of the indices.
    pub(in crate::record) fn apply(&mut self, edits: Vec<Edit>) {
        let mut removed = Vec::new();
        for edit in edits {
            match edit {
                Edit::Link(index, at, text) => {
                    if let Stored::Error { first, .. } = self.slots[index].value {
                        let link = first as usize + at;
                        self.erase(self.links()[link].text);
                        let text = self.push_text(&text);
                        self.rare().links[link].text = text;
                    }
                }
                Edit::Value(index, change) => {
                    self.erase_value(index);
                    match change {
                        Change::Keep => {}
                        Change::Remove => removed.push(index),
                        Change::Text(text) => self.slots[index].value = Stored::Str(self.push_text(&text)),
                        Change::Json(json) => self.slots[index].value = Stored::Json(self.push_text(&json)),
                    }
                }
            }
        }
        if !removed.is_empty() {
            for index in removed.into_iter().rev() {
                self.slots.remove(index);
            }
            self.bloom = self.slots.iter().fold(0, |bloom, slot| bloom | slot.tag.bit());
        }
    }

    fn erase_value(&mut self, index: usize) {
        match self.slots[index].value {
            Stored::Str(range) | Stored::Rendered(range) | Stored::Json(range) => self.erase(range),
            Stored::Bytes(range) | Stored::I128(range) | Stored::U128(range) => {
                self.rare().bytes[range.range()].fill(0);
            }
            Stored::Error { first, count } => (first..first + count).for_each(|link| {
                self.erase(self.links()[link as usize].text);
            }),
            Stored::Bool(_) | Stored::I64(_) | Stored::U64(_) | Stored::F64(_) => {}
        }
    }

    /// Overwrites a text that nothing refers to any more.
    pub(in crate::record) fn erase(&mut self, range: TextRange) {
        let length = self.text(range).len();
        if length > 0 {
            self.text.replace_range(range.range(), &"*".repeat(length));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        Fields, Value,
        record::{JsonText, Rewrite},
    };

    /// Cuts a text out of all.
    struct Cut(&'static str);

    impl Rewrite for Cut {
        fn id(&self) -> u64 {
            0
        }

        fn text(&self, text: &str) -> Option<String> {
            text.contains(self.0).then(|| text.replace(self.0, "-"))
        }

        fn value(&self, name: Result<&'static str, &str>, value: Value<'_>) -> Change {
            match value {
                _ if name == Ok("removed") => Change::Remove,
                Value::Bytes(_) => Change::Text("-".into()),
                Value::Json(json) => self.text(json.as_str()).map_or(Change::Keep, Change::Json),
                Value::Error(_) => Change::Keep,
                value => self.text(&value.to_string()).map_or(Change::Keep, Change::Text),
            }
        }
    }

    #[test]
    fn nothing_of_what_was_replaced_stays_in_memory() {
        let mut fields = Fields::new();
        fields.set("text", "a hunter2 b");
        fields.set("removed", "hunter2");
        fields.set("bytes", Value::Bytes(b"hunter2"));
        fields.set("list", Value::Json(JsonText::new(r#"["hunter2"]"#).unwrap()));
        fields.set_display("shown", "hunter2");
        fields.set_error("error", &std::io::Error::other("of hunter2"));
        fields.set("kept", 7);
        fields.rewrite(&Cut("hunter2"));
        let all: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(all, ["text=a - b", "bytes=-", "list=[\"-\"]", "shown=-", "error=of -", "kept=7"]);
        assert!(!fields.text.contains("hunter2") && !fields.bytes().windows(7).any(|bytes| bytes == b"hunter2"));
    }
}
