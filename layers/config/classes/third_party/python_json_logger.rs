//! python-json-logger: `pythonjsonlogger.json.JsonFormatter` of 4.2, and of 2.0.7 where that is asked for.

use super::{
    Call,
    attributes::{ATTRIBUTES, AscTime, attribute, exception, extras, iso_time, zone},
    dumps::Dumps,
    value::{Dict, Py},
};
use crate::{
    Error, Format, Record,
    config::node::{Data, Node},
    format::{Buffer, Style, Time},
};

pub(super) const NAMES: &[&str] = &["pythonjsonlogger.json.JsonFormatter", "pythonjsonlogger.jsonlogger.JsonFormatter"];

struct JsonFormatter {
    /// The names in the format.
    names: Vec<String>,
    asctime: AscTime,
    prefix: String,
    renamed: Vec<(String, String)>,
    keep_missing: bool,
    defaults: Dict<'static>,
    static_fields: Dict<'static>,
    /// `None`: all attributes of a record.
    reserved: Option<Vec<String>>,
    timestamp: Option<String>,
    exceptions_as_lists: bool,
    stacks_as_lists: bool,
    dumps: Dumps,
    /// As 2.0.7 does it.
    is_old: bool,
}

pub(super) fn make(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    let args = call.args;
    let is_old = is_old(call);
    let names = names(call, is_old)?;
    let dict = |name: &str| -> Dict<'static> {
        let Some(node) = args.node(name) else { return Dict::default() };
        let map = node.as_map().or_else(|| args.expected(name, node, "a mapping"));
        map.map(Dict::from_map).unwrap_or_default()
    };
    let asctime = AscTime::new(args.str(call.key("datefmt", 1)), zone(args), call.setup.as_python);
    let asctime = asctime.map_err(|error| args.report(args.wrong("datefmt", error.to_string()))).ok()?;
    let timestamp = match args.node("timestamp") {
        None => None,
        Some(Node { data: Data::Str(name), .. }) => Some(name.clone()).filter(|name| !name.is_empty()),
        Some(node) => node.is_true().then(|| "timestamp".to_owned()),
    };
    for (key, taken) in [
        ("json_default", &[] as &[&str]),
        (
            "json_encoder",
            &["pythonjsonlogger.json.JsonEncoder", "pythonjsonlogger.jsonlogger.JsonEncoder", "json.JSONEncoder"],
        ),
        ("json_serializer", &["json.dumps"]),
    ] {
        // `json_default` is for values that no record of ours has.
        let Some(name) = args.node(key).filter(|_| !taken.is_empty()) else { continue };
        if !name.as_str().is_some_and(|name| taken.contains(&name.strip_prefix("ext://").unwrap_or(name))) {
            args.expected::<()>(key, name, &taken.join(" or "));
        }
    }
    let indent = args.node("json_indent").map(|node| match &node.data {
        Data::Str(text) => text.clone(),
        _ => {
            " ".repeat(args.integer("json_indent").and_then(|count| usize::try_from(count).ok()).unwrap_or(0).min(100))
        }
    });
    // 2.0.7 has no such keys: what nobody asks for is reported.
    let is_true = |key: &str| !is_old && args.node(key).is_some_and(Node::is_true);
    let between = if indent.is_some() { "," } else { ", " };
    let ensure_ascii = args.node("json_ensure_ascii").is_none_or(Node::is_true);
    Some(Box::new(JsonFormatter {
        names,
        asctime,
        prefix: args.str("prefix").unwrap_or_default(),
        renamed: args.pairs("rename_fields").unwrap_or_default(),
        keep_missing: is_true("rename_fields_keep_missing"),
        defaults: if is_old {
            args.node("defaults").map(|_| Dict::default()).unwrap_or_default()
        } else {
            dict("defaults")
        },
        static_fields: dict("static_fields"),
        reserved: args.texts("reserved_attrs"),
        timestamp,
        exceptions_as_lists: is_true("exc_info_as_array"),
        stacks_as_lists: is_true("stack_info_as_array"),
        dumps: Dumps { between: between.into(), indent, ensure_ascii, ..Dumps::new() },
        is_old,
    }))
}

/// Whether our key `strata: {version: 2}` asks for 2.0.7.
fn is_old(call: &Call<'_, '_>) -> bool {
    let version = call.args.inside("strata", |strata| match strata.integer("version") {
        Some(2) => Some(true),
        Some(3 | 4) | None => None,
        Some(other) => {
            strata.report(strata.wrong("version", format!("expected 2 or 4, got {other}")));
            None
        }
    });
    version.flatten().unwrap_or(false)
}

/// The names in the format, which is also validated.
fn names(call: &Call<'_, '_>, is_old: bool) -> Option<Vec<String>> {
    let args = call.args;
    let key = call.key("fmt", 0);
    if !is_old && args.node(key).is_some_and(|node| node.as_list().is_some()) {
        return args.texts(key);
    }
    let format = match args.node(key) {
        None => String::new(),
        Some(_) => args.str(key)?,
    };
    let style_key = call.key("style", 2);
    let validate = args.is_given("validate").then(|| args.bool("validate")).flatten().unwrap_or(true);
    if !is_old && args.node(style_key).and_then(Node::as_str) == Some(",") {
        return Some(format.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect());
    }
    let style = call.style(2)?;
    let format = match (format.is_empty(), style) {
        (false, _) => format,
        (true, Style::Percent) => "%(message)s".to_owned(),
        (true, Style::Brace) => "{message}".to_owned(),
        (true, Style::Dollar) => "${message}".to_owned(),
    };
    call.validate(key, &format, style, validate)?;
    Some(match style {
        Style::Percent => between(&format, "%(", ')'),
        Style::Brace => between(&format, "{", '}'),
        Style::Dollar if is_old => between(&format, "${", '}'),
        Style::Dollar => dollar_names(&format),
    })
}

/// The texts between an opening and the next closing, at least one character each.
fn between(format: &str, open: &str, close: char) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find(open) {
        rest = &rest[at + open.len()..];
        let Some(first) = rest.chars().next() else { break };
        let Some(end) = rest[first.len_utf8()..].find(close) else { break };
        let end = first.len_utf8() + end;
        names.push(rest[..end].to_owned());
        rest = &rest[end + close.len_utf8()..];
    }
    names
}

/// `$name` and `${name}`, but not what follows `$$`.
fn dollar_names(format: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let inside = rest.strip_prefix('{').unwrap_or(rest);
        let end = inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len());
        if end > 0 {
            names.push(inside[..end].to_owned());
        }
        rest = &inside[end..];
    }
    names
}

impl JsonFormatter {
    fn new_name<'n>(&'n self, name: &'n str) -> &'n str {
        if self.is_old { name } else { self.renamed(name) }
    }

    fn renamed<'n>(&'n self, name: &'n str) -> &'n str {
        self.renamed.iter().find(|(old, _)| old == name).map_or(name, |(_, new)| new)
    }

    fn line<'r>(&'r self, record: &'r Record) -> Result<Dict<'r>, Error> {
        let mut line = Dict::default();
        for (name, value) in &self.defaults.0 {
            line.set(self.new_name(name), value.clone());
        }
        for name in &self.names {
            let extra = || extras(record).find(|(known, _)| known == name).map(|(_, value)| value.into());
            let value = attribute(name, record, &self.asctime).or_else(extra);
            line.set(self.new_name(name), value.unwrap_or(Py::None));
        }
        for (name, value) in &self.static_fields.0 {
            line.set(self.new_name(name), value.clone());
        }
        if let Some(text) = exception(record) {
            line.set(self.new_name("exc_info"), text_or_lines(text, self.exceptions_as_lists));
        }
        if let Some(stack) = record.stack() {
            line.set(self.new_name("stack_info"), text_or_lines(stack.to_owned(), self.stacks_as_lists));
        }
        self.rest(record, &mut line);
        if let Some(name) = &self.timestamp {
            let time = iso_time(record, Time::utc()) + "+00:00";
            line.set(self.new_name(name), time);
        }
        if self.keep_missing {
            self.renamed.iter().for_each(|(_, name)| line.set_default(name.as_str(), Py::None));
        }
        if self.is_old {
            for (old, new) in &self.renamed {
                let value = line.get(old).cloned();
                line.set(new.as_str(), value.ok_or_else(|| Error::format(format_args!("there is no field {old:?}")))?);
                line.remove(old);
            }
        }
        Ok(line)
    }

    /// What is neither reserved nor in the format.
    fn rest<'r>(&'r self, record: &'r Record, line: &mut Dict<'r>) {
        let is_free = |name: &str| !name.starts_with('_') && !self.names.iter().any(|known| known == name);
        let reserved = self.reserved.as_deref();
        let is_reserved = |name: &str| reserved.is_some_and(|reserved| reserved.iter().any(|known| known == name));
        let attributes = match (reserved, self.is_old) {
            (Some(_), _) => ATTRIBUTES,
            // It does not know of this one.
            (None, true) => &["taskName"],
            (None, false) => &[],
        };
        for name in attributes.iter().filter(|name| is_free(name) && !is_reserved(name)) {
            line.set(self.renamed(name), attribute(name, record, &self.asctime).unwrap_or(Py::None));
        }
        for (name, value) in extras(record).filter(|(name, _)| is_free(name)) {
            if ATTRIBUTES.contains(&name) {
                // Python refuses such an extra. The record's own attribute stands.
                line.set_default(self.renamed(name), value);
            } else if !is_reserved(name) {
                line.set(self.renamed(name), value);
            }
        }
    }
}

fn text_or_lines(text: String, as_list: bool) -> Py<'static> {
    match as_list {
        true => Py::List(text.lines().map(|line| line.to_owned().into()).collect()),
        false => text.into(),
    }
}

impl Format for JsonFormatter {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let line = self.line(record)?;
        out.push_str(&self.prefix);
        out.append_text(|out| self.dumps.push_dict(&line, out));
        Ok(())
    }
}
