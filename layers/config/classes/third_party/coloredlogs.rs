//! `coloredlogs`: styles of fields are cut into the format, styles of levels go around the message.

use std::sync::Arc;

use super::{
    Call, Entry,
    line::{LineArgs, Takes, line_args, reject_validate},
};
use crate::{
    Format,
    config::node::{Data, Map, Node},
    format::{Line, OwnNames, Style, TemplateBuilder},
};

pub(super) const FORMATTERS: &[Entry] = &[
    (&["coloredlogs.ColoredFormatter"], make),
    (&["coloredlogs.BasicFormatter"], |call| line(call)?.formatter(call, Takes::All, "%(message)s", None)),
];

const DEFAULT: &str = "%(asctime)s %(hostname)s %(name)s[%(process)d] %(levelname)s %(message)s";

/// Name and the codes of its escape sequence.
type Styles = Vec<(String, String)>;

const FIELDS: [(&str, &str); 6] = [
    ("asctime", "32"),
    ("hostname", "35"),
    ("levelname", "1;30"),
    ("name", "34"),
    ("programname", "36"),
    ("username", "33"),
];

const LEVELS: [(&str, &str); 8] = [
    ("spam", "2;32"),
    ("debug", "32"),
    ("verbose", "34"),
    ("notice", "35"),
    ("warning", "33"),
    ("success", "1;32"),
    ("error", "31"),
    ("critical", "1;31"),
];

fn line(call: &Call<'_, '_>) -> Option<LineArgs> {
    let line = line_args(call)?;
    let with: fn(TemplateBuilder) -> TemplateBuilder = |builder| builder.default_msec_format(None).fraction_in_millis();
    Some(LineArgs { with, ..line })
}

fn make(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    reject_validate(call, "level_styles");
    let line = line(call)?;
    let levels = styles(call, "level_styles", &LEVELS, level_name)?;
    let fields = styles(call, "field_styles", &FIELDS, str::to_owned)?;
    let format = line.format.clone().unwrap_or_else(|| DEFAULT.to_owned());
    let format = colored(&format, line.style, &fields);
    line.template(call, Takes::Style, format, Some(Arc::new(Levels(levels)))).map(|template| Box::new(template) as _)
}

/// In lower case, without the names that two levels have.
fn level_name(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "warn" => "warning".to_owned(),
        "fatal" => "critical".to_owned(),
        name => name.to_owned(),
    }
}

/// The styles of a parameter, or the default ones; `None` after reporting what is wrong.
fn styles(call: &Call<'_, '_>, key: &str, default: &[(&str, &str)], name: fn(&str) -> String) -> Option<Styles> {
    let Some(node) = call.args.node(key) else {
        return Some(default.iter().map(|(name, codes)| ((*name).to_owned(), (*codes).to_owned())).collect());
    };
    let Some(map) = node.as_map() else { return call.args.expected(key, node, "a mapping of names to styles") };
    let mut styles = Styles::new();
    for (known, node) in map.iter() {
        let path = format!("{key}.{}", known.text);
        let codes = match &node.data {
            Data::Map(style) => codes(call, &path, style)?,
            Data::Null => String::new(),
            _ => return call.args.expected(&path, node, "a mapping: color, background, bold, faint …"),
        };
        styles.push((name(&known.text), codes));
    }
    Some(styles)
}

const ATTRIBUTES: [(&str, &str); 6] =
    [("bold", "1"), ("faint", "2"), ("italic", "3"), ("underline", "4"), ("inverse", "7"), ("strike_through", "9")];

/// The codes of one style, in the order of its keys; colours last.
fn codes(call: &Call<'_, '_>, path: &str, style: &Map) -> Option<String> {
    let mut codes: Vec<String> = Vec::new();
    for (key, node) in style.iter() {
        match ATTRIBUTES.iter().find(|(name, _)| *name == key.text) {
            Some((_, code)) if node.is_true() => codes.push((*code).to_owned()),
            Some(_) => {}
            None if matches!(&*key.text, "color" | "background" | "bright") => {}
            None => {
                let known = "color, background, bright, bold, faint, italic, underline, inverse or strike_through";
                return call.args.expected(&format!("{path}.{}", key.text), node, known);
            }
        }
    }
    let is_bright = style.get("bright").is_some_and(Node::is_true);
    for (key, base, bright, palette, rgb) in
        [("color", 30, 90, "38;5", "38;2"), ("background", 40, 100, "39;5", "48;2")]
    {
        let Some(node) = style.get(key).filter(|node| !node.is_null()) else { continue };
        let code = match &node.data {
            Data::Str(name) => color(name).map(|index| (index + if is_bright { bright } else { base }).to_string()),
            // 39 is a slip of theirs.
            Data::Int(number) => Some(format!("{palette};{number}")),
            Data::List(list) => match list.iter().map(|node| &node.data).collect::<Vec<_>>()[..] {
                [Data::Int(red), Data::Int(green), Data::Int(blue)] => Some(format!("{rgb};{red};{green};{blue}")),
                _ => None,
            },
            _ => None,
        };
        let Some(code) = code else {
            let what = "black, red, green, yellow, blue, magenta, cyan, white, a number or three";
            return call.args.expected(&format!("{path}.{key}"), node, what);
        };
        codes.push(code);
    }
    Some(codes.join(";"))
}

fn color(name: &str) -> Option<usize> {
    ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].iter().position(|color| *color == name)
}

/// The format with the styles of its fields: a group between white space that has one styled field is wrapped whole.
fn colored(format: &str, style: Style, fields: &Styles) -> String {
    let codes = |name: Option<&str>| {
        let found = fields.iter().find(|(field, _)| Some(&**field) == name);
        found.map(|(_, codes)| &**codes).filter(|codes| !codes.is_empty())
    };
    let mut out = String::new();
    let mut group: Vec<(&str, Option<&str>)> = Vec::new();
    let end_group = |group: &mut Vec<(&str, Option<&str>)>, out: &mut String| {
        let styled: Vec<_> = group.iter().filter_map(|(_, name)| codes(*name)).collect();
        if let [codes] = styled[..] {
            let text: String = group.iter().map(|(text, _)| *text).collect();
            wrap(&text, codes, out);
        } else {
            for (text, name) in group.iter() {
                match codes(*name) {
                    Some(codes) => wrap(text, codes, out),
                    None => out.push_str(text),
                }
            }
        }
        group.clear();
    };
    let mut rest = format;
    while !rest.is_empty() {
        if let Some((length, name)) = field(rest, style) {
            group.push((&rest[..length], Some(name)));
            rest = &rest[length..];
            continue;
        }
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let (text, after) = rest.split_at(first);
        if text.chars().all(char::is_whitespace) {
            end_group(&mut group, &mut out);
            out.push_str(text);
        } else {
            group.push((text, None));
        }
        rest = after;
    }
    end_group(&mut group, &mut out);
    out
}

fn wrap(text: &str, codes: &str, out: &mut String) {
    out.extend(["\x1b[", codes, "m", text, "\x1b[0m"]);
}

/// Length and name of the field at the start of a text.
fn field(text: &str, style: Style) -> Option<(usize, &str)> {
    let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, length) = match style {
        Style::Percent => {
            let inner = text.strip_prefix("%(")?;
            let end = word(inner);
            let spec = inner[end..].strip_prefix(')')?;
            let conversion = spec.find(|c: char| c.is_ascii_alphabetic())?;
            (&inner[..end], 2 + end + 1 + conversion + 1)
        }
        Style::Brace => {
            let inner = text.strip_prefix('{')?;
            let end = word(inner);
            (&inner[..end], 1 + end + inner[end..].find('}')? + 1)
        }
        Style::Dollar => {
            let inner = text.strip_prefix('$')?;
            (&inner[..word(inner)], 1 + word(inner))
        }
    };
    (!name.is_empty()).then_some((length, name))
}

/// The styles of levels.
#[derive(Debug)]
struct Levels(Styles);

impl OwnNames for Levels {
    fn has(&self, name: &str) -> bool {
        name == "message"
    }

    fn write(&self, _: &str, line: &Line<'_>, out: &mut String) {
        let start = out.len();
        line.push_level_name(out);
        let found = self.0.iter().find(|(level, _)| level.eq_ignore_ascii_case(&out[start..]));
        out.truncate(start);
        match found.map(|(_, codes)| &**codes).filter(|codes| !codes.is_empty()) {
            None => line.push(line.record().message(), out),
            Some(codes) => {
                out.extend(["\x1b[", codes, "m"]);
                line.push(line.record().message(), out);
                out.push_str("\x1b[0m");
            }
        }
    }
}
