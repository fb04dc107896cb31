//! `colorlog`: colours as fields of the format.

use std::{io::IsTerminal as _, sync::Arc};

use super::{
    Call, Entry,
    line::{Takes, line_args, reject_validate},
};
use crate::{
    Error, Format, Record,
    config::node::Node,
    format::{Buffer, Line, OwnNames, Template},
};

pub(super) const FORMATTERS: &[Entry] = &[
    (
        &[
            "colorlog.ColoredFormatter",
            "colorlog.formatter.ColoredFormatter",
            "colorlog.TTYColoredFormatter",
            "colorlog.formatter.TTYColoredFormatter",
        ],
        |call| {
            let line = line_args(call)?;
            let own: Arc<dyn OwnNames> = Arc::new(colors(call)?);
            line.formatter(call, Takes::All, DEFAULT, Some(own))
        },
    ),
    (&["colorlog.LevelFormatter", "colorlog.formatter.LevelFormatter"], make_levels),
];

const DEFAULT: &str = "%(log_color)s%(levelname)s:%(name)s:%(message)s";

/// The colours of levels, where none are given.
const LEVELS: [(&str, &str); 5] =
    [("DEBUG", "white"), ("INFO", "green"), ("WARNING", "yellow"), ("ERROR", "red"), ("CRITICAL", "bold_red")];

#[derive(Debug)]
struct Colors {
    is_colored: bool,
    resets: bool,
    /// Field, level, escape sequence.
    of_levels: Vec<(String, String, String)>,
    /// The fields above.
    fields: Vec<String>,
}

fn colors(call: &Call<'_, '_>) -> Option<Colors> {
    reject_validate(call, "log_colors");
    let args = call.args;
    let flag = |name: &str| call.args.node(name).map(Node::is_true);
    let set = |name: &str| std::env::var_os(name).is_some();
    let is_no_terminal = match call.args.node("stream") {
        None => false,
        Some(_) => {
            args.stream("stream")?;
            let is_stderr = args.node("stream").and_then(Node::as_str).is_some_and(|name| name.contains("stderr"));
            !(if is_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() })
        }
    };
    let is_forced = flag("force_color") == Some(true) || set("FORCE_COLOR");
    let is_off = flag("no_color") == Some(true) || set("NO_COLOR") || is_no_terminal;
    let mut colors = Colors {
        is_colored: is_forced || !is_off,
        resets: flag("reset").unwrap_or(true),
        of_levels: Vec::new(),
        fields: vec!["log_color".to_owned()],
    };
    if call.args.node("log_colors").is_some() {
        add_levels(call, "log_color", "log_colors", &args.pairs("log_colors")?, &mut colors);
    } else {
        let defaults = LEVELS.map(|(level, color)| (level.to_owned(), color.to_owned()));
        add_levels(call, "log_color", "log_colors", &defaults, &mut colors);
    }
    if let Some(secondary) = call.args.node("secondary_log_colors") {
        let Some(secondary) = secondary.as_map() else {
            return args.expected("secondary_log_colors", secondary, "a mapping");
        };
        let all: Option<Vec<_>> = args.inside("secondary_log_colors", |inner| {
            secondary
                .iter()
                .map(|(name, _)| Some((format!("{}_log_color", name.text), inner.pairs(&name.text)?)))
                .collect()
        })?;
        for (field, levels) in all? {
            add_levels(call, &field, "secondary_log_colors", &levels, &mut colors);
            colors.fields.push(field);
        }
    }
    Some(colors)
}

/// The colours of the levels of one field; what is no colour is reported.
fn add_levels(call: &Call<'_, '_>, field: &str, key: &str, levels: &[(String, String)], colors: &mut Colors) {
    for (level, names) in levels {
        let mut escapes = String::new();
        for name in names.split(',').filter(|_| !names.is_empty()) {
            match escape(name) {
                Some(escape) => escapes += &escape,
                None => {
                    let message = format!("{level}: there is no colour {name:?}");
                    call.args.report(call.args.wrong(key, message).python(crate::text::python_repr(name)));
                }
            }
        }
        colors.of_levels.push((field.to_owned(), level.clone(), escapes));
    }
}

impl OwnNames for Colors {
    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field == name) || escape(name).is_some()
    }

    fn write(&self, name: &str, line: &Line<'_>, out: &mut String) {
        if !self.is_colored {
            return;
        }
        if !self.fields.iter().any(|field| field == name) {
            out.push_str(&escape(name).unwrap_or_default());
            return;
        }
        let start = out.len();
        line.push_level_name(out);
        let of_level = |(field, level, _): &&(String, String, String)| field == name && *level == out[start..];
        let found = self.of_levels.iter().find(of_level);
        out.truncate(start);
        if let Some((_, _, escapes)) = found {
            out.push_str(escapes);
        }
    }

    fn end_line(&self, line: &mut String) {
        if self.is_colored && self.resets && !line.ends_with(RESET) {
            line.push_str(RESET);
        }
    }
}

const RESET: &str = "\x1b[0m";

/// The escape sequence of a colour by name.
fn escape(name: &str) -> Option<String> {
    let colors = ["black", "red", "green", "yellow", "blue", "purple", "cyan", "white"];
    let color = |name: &str| colors.iter().position(|color| *color == name);
    let number = |name: &str| name.parse::<u8>().ok().filter(|number| number.to_string() == name);
    let codes = match name {
        "reset" => "0".to_owned(),
        "bold" => "1".to_owned(),
        "thin" => "2".to_owned(),
        _ => match name.strip_prefix("bg_") {
            Some(name) => match (number(name), name.strip_prefix("light_").or_else(|| name.strip_prefix("bold_"))) {
                (Some(number), _) => format!("48;5;{number}"),
                (_, Some(light)) => (100 + color(light)?).to_string(),
                _ => (40 + color(name)?).to_string(),
            },
            None => {
                let plain = name.strip_prefix("fg_");
                if let Some(number) = plain.and_then(number) {
                    return Some(format!("\x1b[38;5;{number}m"));
                }
                let name = plain.unwrap_or(name);
                let (weight, name) = match (name.strip_prefix("bold_"), name.strip_prefix("thin_")) {
                    (Some(name), _) => ("1;", name),
                    (_, Some(name)) => ("2;", name),
                    _ => ("", name),
                };
                let code = match name.strip_prefix("light_") {
                    Some(light) => 90 + color(light)?,
                    None => 30 + color(name)?,
                };
                format!("{weight}{code}")
            }
        },
    };
    Some(format!("\x1b[{codes}m"))
}

/// A format for each level.
fn make_levels(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    let args = call.args;
    let key = if args.has("format") || !call.by_name { "format" } else { "fmt" };
    args.require(key);
    let node = args.node(key)?;
    if node.as_map().is_none() {
        return args.expected(key, node, "a mapping of level names to formats");
    }
    let formats = args.pairs(key)?;
    let line = line_args(call)?;
    let own: Arc<dyn OwnNames> = Arc::new(colors(call)?);
    let make = |format: String| line.template(call, Takes::All, format, Some(Arc::clone(&own)));
    let default = formats.iter().find(|(level, _)| level == "DEFAULT");
    let default = make(default.map_or_else(|| line.format_or(DEFAULT), |(_, format)| format.clone()))?;
    let mut levels = Vec::new();
    for (level, format) in formats {
        levels.push((level, make(format)?));
    }
    Some(Box::new(ByLevel { levels, default }))
}

struct ByLevel {
    levels: Vec<(String, Template)>,
    default: Template,
}

impl Format for ByLevel {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let level = record.severity().python_name();
        let own = level.and_then(|level| self.levels.iter().find(|(name, _)| name == level));
        own.map_or(&self.default, |(_, template)| template).format(record, out)
    }
}
