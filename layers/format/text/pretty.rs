//! [`Text::pretty`]: a record as a person reads it.

use std::num::NonZeroU16;

use super::{
    Layout, Text,
    backtrace::{self, Frame, Origin, short_path},
    color::{Paint, Style},
    has_lines,
    pair::{name, write_value},
    parts::Parts,
    quote::{Bare, word},
};
use crate::{
    Record, Severity,
    format::{line::Line, outermost_first},
    record::{Entry, ErrorChain, Value},
};

/// Levels are padded to the longest usual name.
const LEVEL_WIDTH: usize = 8;

impl Text {
    pub(super) fn pretty_record(
        &self,
        record: &Record,
        paint: Paint,
        is_terminal: bool,
        columns: Option<NonZeroU16>,
        line: &mut Line<'_>,
    ) {
        let mut out = Parts::new(line, paint, columns.filter(|_| self.multi_line));
        out.head(|out| {
            self.time_of(record, paint, out);
            self.level_of(record, LEVEL_WIDTH, paint, out);
            self.thread_of(record, out);
        });
        let message = record.message();
        let shown = if self.multi_line { message.lines().next().unwrap_or_default() } else { message };
        if !shown.is_empty() {
            out.text(shown, paint.bold_style());
        }
        let mut space = "  ";
        let mut show = |entry: Entry<'_>| {
            out.part(std::mem::replace(&mut space, " "), |out| match &self.layout {
                Some(layout) => layout.field(entry, is_terminal, paint, out),
                None => field(entry, paint, out),
            });
        };
        let in_line = |entry: &Entry<'_>| !self.multi_line || !is_below(entry.value());
        match &self.layout {
            Some(layout) => layout.entries(record.fields()).filter(in_line).for_each(&mut show),
            None => record.fields().entries().filter(in_line).for_each(&mut show),
        }
        self.globals_of(record).filter(|entry| self.shows(entry.text())).for_each(show);
        if let Some(trace) = if self.trace_ids { record.trace() } else { None } {
            out.part("", |out| Self::ids(trace, paint, out));
        }
        self.place(record, &mut out);
        if self.spans {
            self.span_path(record, &mut out);
        }
        if self.multi_line {
            self.below(record, &mut out);
        }
    }

    /// Target and source; of a panic, the thread.
    fn place(&self, record: &Record, out: &mut Parts<'_, '_>) {
        let paint = out.paint;
        let mut space = "  ";
        let target = record.target();
        if self.target && !target.is_empty() {
            out.part(std::mem::replace(&mut space, " "), |out| {
                paint.dim(out, |out| Layout::target(self.layout.as_deref(), Some(2), target, out));
            });
        }
        if let Some(file) = record.file().filter(|_| self.shows_source(record)) {
            out.part(std::mem::replace(&mut space, " "), |out| {
                paint.dim(out, |out| {
                    word(out, short_path(file), "");
                    if let Some(line) = record.line() {
                        out.byte(b':');
                        out.raw(itoa::Buffer::new().format(line));
                    }
                });
            });
        }
        let thread = record.thread_name();
        if !self.thread && record.severity() >= Severity::CRITICAL && thread != Some("main") {
            out.part(space, |out| {
                paint.dim(out, |out| {
                    out.raw("thread=");
                    match thread {
                        Some(name) => word(out, name, ""),
                        None => out.raw(itoa::Buffer::new().format(record.thread_id())),
                    }
                });
            });
        }
    }

    fn span_path(&self, record: &Record, out: &mut Parts<'_, '_>) {
        let paint = out.paint;
        let mut spans = outermost_first(record).peekable();
        let mut space = "  ";
        while let Some(span) = spans.next() {
            let is_last = spans.peek().is_none();
            out.part(std::mem::take(&mut space), |out| {
                paint.dim(out, |out| {
                    self.span(span, out);
                    if !is_last {
                        out.byte(b':');
                    }
                });
            });
        }
    }
}

impl Text {
    fn below(&self, record: &Record, out: &mut Parts<'_, '_>) {
        let message = record.message();
        // Most messages are one line: then nothing is looked for.
        let split = message.contains('\n').then(|| backtrace::split(message)).flatten();
        let (before, trace) = split.filter(|(before, _)| !before.is_empty()).unwrap_or((message, ""));
        for line in before.lines().skip(1) {
            out.new_line(0);
            out.text(line, Style::NONE);
        }
        frames(trace, out);
        let is_shown = |entry: &Entry<'_>| is_below(entry.value()) && self.shows(entry.text());
        for entry in record.fields().entries().filter(is_shown) {
            match entry.value() {
                Value::Error(chain) => error(entry.text(), chain, out),
                value => lines(entry.text(), value.as_str().unwrap_or_default(), out),
            }
        }
        if let Some(stack) = record.stack() {
            lines("stack", stack, out);
        }
    }
}

fn field(entry: Entry<'_>, paint: Paint, out: &mut Line<'_>) {
    paint.dim(out, |out| name(entry, out));
    match entry.value() {
        value @ Value::Error(_) => paint.red(out, |out| write_value(value, out)),
        value => write_value(value, out),
    }
}

/// Whether a value has lines of its own.
fn is_below(value: Value<'_>) -> bool {
    match value {
        Value::Error(chain) => chain.causes().len() > 0 || chain.message().contains('\n'),
        value => has_lines(value),
    }
}

fn label(name: &str, hang: usize, out: &mut Parts<'_, '_>) {
    let paint = out.paint;
    out.new_line(hang);
    out.head(|out| {
        paint.dim(out, |out| {
            Bare(out).push(name);
            out.byte(b':');
        });
    });
}

/// The error, and each of its causes, on a line of its own.
fn error(name: &str, chain: ErrorChain<'_>, out: &mut Parts<'_, '_>) {
    let paint = out.paint;
    label(name, 2, out);
    let mut indent = "  ";
    for message in [chain.message()].into_iter().chain(chain.causes()) {
        if indent.len() > 2 {
            label("  caused by", indent.len(), out);
        }
        for (index, line) in message.lines().enumerate() {
            if index > 0 {
                out.new_line(indent.len());
            }
            out.head(|out| out.raw(if index > 0 { indent } else { " " }));
            out.text(line, paint.red_style());
        }
        indent = "    ";
    }
}

fn lines(name: &str, text: &str, out: &mut Parts<'_, '_>) {
    label(name, 0, out);
    let (before, trace) = backtrace::split(text).unwrap_or((text, ""));
    for line in before.lines() {
        out.new_line(2);
        out.head(|out| out.raw("  "));
        out.text(line, Style::NONE);
    }
    frames(trace, out);
}

/// Each frame on a line; those of std and of runtimes as a number.
fn frames(trace: &str, out: &mut Parts<'_, '_>) {
    let paint = out.paint;
    let mut folded = Folded::default();
    for frame in backtrace::frames(trace) {
        let is_own = match frame.origin() {
            Origin::Runtime(name) => {
                folded.add(name);
                continue;
            }
            origin => origin == Origin::Own,
        };
        std::mem::take(&mut folded).write(out);
        let Frame { symbol, location } = frame;
        out.new_line(4);
        out.head(|out| out.raw("  "));
        out.part("", |out| match is_own {
            true => paint.bold(out, |out| Bare(out).push(symbol)),
            false => paint.dim(out, |out| Bare(out).push(symbol)),
        });
        if let Some(location) = location {
            let place = |out: &mut Line<'_>| Bare(out).push(short_path(location));
            out.part("  ", |out| if is_own { paint.cyan(out, place) } else { paint.dim(out, place) });
        }
    }
    folded.write(out);
}

/// Frames that are not shown.
#[derive(Default)]
struct Folded<'a> {
    count: usize,
    names: Vec<&'a str>,
}

impl<'a> Folded<'a> {
    fn add(&mut self, name: &'a str) {
        self.count += 1;
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    fn write(self, out: &mut Parts<'_, '_>) {
        if self.count == 0 {
            return;
        }
        let paint = out.paint;
        out.new_line(0);
        out.head(|out| {
            out.raw("  ");
            paint.dim(out, |out| {
                out.raw("… ");
                out.raw(itoa::Buffer::new().format(self.count));
                out.raw(if self.count == 1 { " frame of " } else { " frames of " });
                for (index, name) in self.names.iter().enumerate() {
                    out.raw(if index > 0 { ", " } else { "" });
                    out.raw(name);
                }
            });
        });
    }
}
