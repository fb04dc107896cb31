//! `structlog.dev.ConsoleRenderer`, without Rich.

use super::super::{
    attributes::exception,
    value::{Dict, Py},
};
use crate::{
    Record,
    config::{handler_args::HandlerArgs, node::Node},
    text::{is_control, push_python_repr},
};

const RESET: &str = "\x1b[0m";
const BRIGHT: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[34m";
const MAGENTA: &str = "\x1b[35m";
const CYAN: &str = "\x1b[36m";
const RED_BACKGROUND: &str = "\x1b[41m";

const LEVEL_STYLES: &[(&str, &str)] = &[
    ("critical", RED),
    ("exception", RED),
    ("error", RED),
    ("warn", YELLOW),
    ("warning", YELLOW),
    ("info", GREEN),
    ("debug", GREEN),
    ("notset", RED_BACKGROUND),
];

pub(super) struct Console {
    colors: bool,
    pad_event_to: usize,
    pad_level: bool,
    level_styles: Vec<(String, String)>,
    repr_native_str: bool,
    sort_keys: bool,
    event_key: String,
    timestamp_key: String,
    as_python: bool,
}

impl Console {
    pub(super) fn read(args: &HandlerArgs<'_>, as_python: bool) -> Self {
        let is_true = |key: &str, default: bool| args.node(key).map_or(default, Node::is_true);
        let default = || LEVEL_STYLES.iter().map(|(name, style)| ((*name).to_owned(), (*style).to_owned())).collect();
        // Only for Windows.
        args.accept(&["force_colors"]);
        let pad_event = if args.has("pad_event_to") { "pad_event_to" } else { "pad_event" };
        Self {
            colors: is_true("colors", true),
            pad_event_to: args.size(pad_event).unwrap_or(30).min(MAX_WIDTH),
            pad_level: is_true("pad_level", true),
            level_styles: args.pairs("level_styles").unwrap_or_else(default),
            repr_native_str: is_true("repr_native_str", false),
            sort_keys: is_true("sort_keys", true),
            event_key: args.str("event_key").unwrap_or_else(|| "event".to_owned()),
            timestamp_key: args.str("timestamp_key").unwrap_or_else(|| "timestamp".to_owned()),
            as_python,
        }
    }

    fn style<'s>(&self, style: &'s str) -> &'s str {
        if self.colors { style } else { "" }
    }

    pub(super) fn push(&self, mut event: Dict<'_>, record: &Record, out: &mut String) {
        let stack = event.remove("stack");
        let info = event.remove("exc_info");
        let text = event.remove("exception").or_else(|| info.and_then(|_| exception(record).map(Py::from)));
        let line = out.len();
        self.columns(event, out);
        out.truncate(line + out[line..].trim_end_matches(' ').len());
        if let Some(stack) = &stack {
            out.push('\n');
            self.push_text(stack, true, out);
            if text.is_some() {
                out.push_str("\n\n");
                (0..79).for_each(|_| out.push('='));
            }
        }
        if let Some(text) = &text {
            out.push('\n');
            self.push_text(text, true, out);
        }
    }

    fn columns(&self, mut event: Dict<'_>, out: &mut String) {
        let reset = self.style(RESET);
        let line = out.len();
        let begin = |out: &mut String| out.push_str(if out.len() > line { " " } else { "" });
        if let Some(time) = event.remove(&self.timestamp_key) {
            begin(out);
            out.push_str(self.style(DIM));
            self.push_text(&time, false, out);
            out.push_str(reset);
        }
        if let Some(level) = event.remove("level") {
            begin(out);
            self.push_level(level.as_str().unwrap_or_default(), out);
        }
        if let Some(message) = event.remove(&self.event_key) {
            begin(out);
            out.push_str(self.style(BRIGHT));
            let from = out.len();
            self.push_text(&message, false, out);
            pad(out, from, self.pad_event_to);
            out.push_str(reset);
        }
        if let Some(logger) = event.remove("logger").or_else(|| event.remove("logger_name")) {
            begin(out);
            out.push('[');
            [RESET, BRIGHT, BLUE].iter().for_each(|style| out.push_str(self.style(style)));
            self.push_text(&logger, false, out);
            out.push_str(reset);
            out.push(']');
            out.push_str(reset);
        }
        if self.sort_keys {
            event.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        for (name, value) in &event.0 {
            begin(out);
            out.push_str(self.style(CYAN));
            out.push_str(name);
            out.push_str(reset);
            out.push('=');
            out.push_str(self.style(MAGENTA));
            self.push_value(value, out);
            out.push_str(reset);
        }
    }

    fn push_level(&self, level: &str, out: &mut String) {
        let style = self.level_styles.iter().find(|(name, _)| name == level);
        let width = self.level_styles.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        out.push('[');
        if let Some((_, style)) = style {
            out.push_str(self.style(style));
            out.push_str(self.style(BRIGHT));
        }
        let from = out.len();
        out.push_str(level);
        if self.pad_level {
            pad(out, from, width);
        }
        out.push_str(self.style(RESET));
        out.push(']');
    }

    fn push_value(&self, value: &Py<'_>, out: &mut String) {
        match value {
            Py::Str(text) if self.repr_native_str || text.contains([' ', '\t', '=', '\r', '\n', '"', '\'']) => {
                push_python_repr(text, false, out);
            }
            value => self.push_text(value, false, out),
        }
    }

    /// As `str()` has it, with controls escaped unless Python's own look was asked for; line feeds stay if `lines`.
    fn push_text(&self, value: &Py<'_>, lines: bool, out: &mut String) {
        if self.as_python {
            return value.push_str(out);
        }
        let mut text = String::new();
        value.push_str(&mut text);
        push_escaped(&text, lines, out);
    }
}

/// With controls escaped; line feeds stay if `lines`.
pub(super) fn push_escaped(text: &str, lines: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\n' if lines => out.push('\n'),
            c if is_control(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
}

/// Blanks up to a width.
fn pad(out: &mut String, from: usize, width: usize) {
    let missing = width.saturating_sub(out[from..].chars().count());
    out.extend(std::iter::repeat_n(' ', missing));
}

const MAX_WIDTH: usize = 4_096;
