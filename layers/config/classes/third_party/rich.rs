//! `rich.logging.RichHandler`: lines in columns.

use std::sync::{Mutex, PoisonError};

use super::{
    append,
    columns::{markup, push_padded, width_of, wrap},
    text_of,
};
use crate::{
    Error, Format, Record,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
        node::Node,
    },
    format::{Buffer, Template},
    output::Stream,
    sink::StdStream,
};

pub(in crate::config::classes) const HANDLERS: &[&Class] = &[&RICH];

const RICH: Class = Class {
    names: &["rich.logging.RichHandler"],
    keys: &[
        "level",
        "console",
        "show_time",
        "omit_repeated_times",
        "show_level",
        "show_path",
        "enable_link_path",
        "highlighter",
        "markup",
        "rich_tracebacks",
        "log_time_format",
        "keywords",
        "tracebacks_width",
        "tracebacks_code_width",
        "tracebacks_extra_lines",
        "tracebacks_theme",
        "tracebacks_word_wrap",
        "tracebacks_show_locals",
        "tracebacks_suppress",
        "tracebacks_max_frames",
        "locals_max_length",
        "locals_max_string",
    ],
    make,
    ..DEFAULTS
};

/// What is for colours, links and tracebacks with source lines, which are not there.
const WITHOUT_EFFECT: &[&str] = &[
    "enable_link_path",
    "highlighter",
    "keywords",
    "rich_tracebacks",
    "tracebacks_width",
    "tracebacks_code_width",
    "tracebacks_extra_lines",
    "tracebacks_theme",
    "tracebacks_word_wrap",
    "tracebacks_show_locals",
    "tracebacks_suppress",
    "tracebacks_max_frames",
    "locals_max_length",
    "locals_max_string",
];

fn make(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
    let args = context.args;
    let stream = args.stream("console").unwrap_or(StdStream::stdout());
    for name in WITHOUT_EFFECT {
        args.node(name);
    }
    let flag = |name: &str, default| args.node(name).map_or(default, Node::is_true);
    let time_format = args.str("log_time_format").unwrap_or_else(|| "[%x %X]".to_owned());
    // Where there is a formatter, its date format counts.
    let time_format = context.formatting.datefmt().unwrap_or(time_format);
    let rich = Rich {
        message: context.formatting.texts(),
        time: Template::builder("%(asctime)s").as_python(true).datefmt(time_format).exceptions(false).build()?,
        shows_time: flag("show_time", true),
        shows_repeated_times: !flag("omit_repeated_times", true),
        shows_level: flag("show_level", true),
        shows_path: flag("show_path", true),
        has_markup: flag("markup", false),
        width: width(),
        has_colors: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        last_time: Mutex::default(),
    };
    Ok(Output::plain(Stream::sink(stream).name(stream.name()).format(rich)))
}

/// Of the terminal, as far as the shell tells it.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.filter(|columns| *columns > 0).unwrap_or(80)
}

struct Rich {
    message: Box<dyn Format>,
    time: Template,
    shows_time: bool,
    shows_repeated_times: bool,
    shows_level: bool,
    shows_path: bool,
    has_markup: bool,
    width: usize,
    /// On a terminal.
    has_colors: bool,
    last_time: Mutex<String>,
}

impl Format for Rich {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let has_colors = self.has_colors && out.is_terminal();
        append(out, |out| self.push(record, has_colors, out))
    }
}

impl Rich {
    fn push(&self, record: &Record, has_colors: bool, out: &mut String) -> Result<(), Error> {
        let mut message = text_of(&self.message, record)?;
        let has_markup = record.fields().get("markup").map_or(self.has_markup, |value| value.as_bool() == Some(true));
        if has_markup {
            message = markup(&message).map_err(Error::format)?;
        }
        let path = self.path(record);
        self.push_left(record, has_colors, out)?;
        let left = width_of(&plain(out));
        let right = if path.is_empty() { 0 } else { width_of(&path) + 1 };
        let room = self.width.saturating_sub(left + right).max(1);
        for (index, line) in wrap(&message, room).into_iter().enumerate() {
            if index > 0 {
                out.push('\n');
                push_padded("", left, out);
            }
            push_padded(line, room, out);
            match index {
                _ if path.is_empty() => {}
                0 => {
                    out.push(' ');
                    paint("2", &path, has_colors, out);
                }
                _ => push_padded("", right, out),
            }
        }
        Ok(())
    }

    fn path(&self, record: &Record) -> String {
        match (record.file_name(), record.line()) {
            (Some(file), _) if !self.shows_path || file.is_empty() => String::new(),
            (Some(file), Some(line)) if line > 0 => format!("{file}:{line}"),
            (Some(file), _) => file.to_owned(),
            (None, _) => String::new(),
        }
    }

    /// Time and level, each with a blank behind.
    fn push_left(&self, record: &Record, has_colors: bool, out: &mut String) -> Result<(), Error> {
        if self.shows_time {
            let time = text_of(&self.time, record)?;
            let mut last = self.last_time.lock().unwrap_or_else(PoisonError::into_inner);
            if *last == time && !self.shows_repeated_times {
                push_padded("", width_of(&time), out);
            } else {
                paint("2;36", &time, has_colors, out);
                *last = time;
            }
            out.push(' ');
        }
        if self.shows_level {
            let severity = record.severity();
            let name = severity.python_name().map_or_else(|| format!("Level {}", severity.number()), str::to_owned);
            let mut padded = String::new();
            push_padded(&name, 8, &mut padded);
            let color = match severity.number() {
                10 => "32",
                20 => "34",
                30 => "33",
                40 => "1;31",
                50 => "1;7;31",
                _ => "",
            };
            paint(color, &padded, has_colors, out);
            out.push(' ');
        }
        Ok(())
    }
}

fn paint(color: &str, text: &str, has_colors: bool, out: &mut String) {
    if has_colors && !color.is_empty() {
        out.extend(["\x1b[", color, "m", text, "\x1b[0m"]);
    } else {
        out.push_str(text);
    }
}

/// Without the escapes of [`paint`].
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}
