//! `json.dumps`.

use std::fmt::Write as _;

use super::value::{Dict, Py};
use crate::format::push_repr;

/// What `json.dumps` is given.
#[derive(Clone)]
pub(super) struct Dumps {
    pub(super) between: String,
    pub(super) after_key: String,
    pub(super) ensure_ascii: bool,
    pub(super) sort_keys: bool,
    /// What a line begins with at each depth.
    pub(super) indent: Option<String>,
}

impl Dumps {
    pub(super) fn new() -> Self {
        Self { between: ", ".into(), after_key: ": ".into(), ensure_ascii: true, sort_keys: false, indent: None }
    }

    /// Without blanks.
    pub(super) fn compact() -> Self {
        Self { between: ",".into(), after_key: ":".into(), ..Self::new() }
    }

    pub(super) fn push_dict(&self, dict: &Dict<'_>, out: &mut String) {
        self.dict(dict, 0, out);
    }

    fn value(&self, value: &Py<'_>, depth: usize, out: &mut String) {
        match value {
            Py::None => out.push_str("null"),
            Py::Bool(true) => out.push_str("true"),
            Py::Bool(false) => out.push_str("false"),
            Py::Int(number) => out.push_str(itoa::Buffer::new().format(*number)),
            Py::Float(number) if number.is_nan() => out.push_str("NaN"),
            Py::Float(number) if number.is_infinite() => {
                out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" });
            }
            Py::Float(number) => push_repr(*number, out),
            Py::Str(text) => self.text(text, out),
            // A number too big for the rest, or what `default` makes of it.
            Py::Object(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => out.push_str(text),
            Py::Object(text) => self.text(text, out),
            Py::List(list) | Py::Tuple(list) => {
                self.items('[', ']', list, depth, out, |item, out| self.value(item, depth + 1, out));
            }
            Py::Dict(dict) => self.dict(dict, depth, out),
        }
    }

    fn dict(&self, dict: &Dict<'_>, depth: usize, out: &mut String) {
        let mut entries: Vec<_> = dict.0.iter().collect();
        if self.sort_keys {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        self.items('{', '}', &entries, depth, out, |(key, value), out| {
            self.text(key, out);
            out.push_str(&self.after_key);
            self.value(value, depth + 1, out);
        });
    }

    fn items<T>(
        &self,
        open: char,
        close: char,
        items: &[T],
        depth: usize,
        out: &mut String,
        push: impl Fn(&T, &mut String),
    ) {
        out.push(open);
        for (index, item) in items.iter().enumerate() {
            out.push_str(if index > 0 { &self.between } else { "" });
            self.begin_line(depth + 1, out);
            push(item, out);
        }
        if !items.is_empty() {
            self.begin_line(depth, out);
        }
        out.push(close);
    }

    fn begin_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }

    fn text(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                ' '..='~' => out.push(c),
                c if c < ' ' || self.ensure_ascii => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // A text takes everything.
                        write!(out, "\\u{unit:04x}").unwrap_or_default();
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
