//! `celery.app.log` and `celery.utils.log`: the task in the line, the line in the colour of its level.

use std::sync::Arc;

use super::{
    Call, Entry,
    line::{LineArgs, Takes, line_args},
};
use crate::{
    Error, Format, Record,
    config::node::Node,
    format::{Buffer, Line, OwnNames, Style},
};

pub(super) const FORMATTERS: &[Entry] = &[
    (&["celery.app.log.TaskFormatter"], |call| make(call, true)),
    (&["celery.utils.log.ColorFormatter"], |call| make(call, false)),
];

fn make(call: &Call<'_, '_>, is_of_task: bool) -> Option<Box<dyn Format>> {
    let args = call.args;
    let (line, has_color) = if !call.by_name {
        // Its parameters are `fmt, use_color, datefmt`: by position it gets the date format for the second and the style
        // for the third.
        let line = line_args(call)?;
        let has_color = line.datefmt.as_ref().is_some_and(|format| !format.is_empty());
        let style = match line.style {
            Style::Percent => "%",
            Style::Brace => "{",
            Style::Dollar => "$",
        };
        (LineArgs { datefmt: Some(style.to_owned()), style: Style::Percent, ..line }, has_color)
    } else {
        if args.is_given("style") {
            args.report(args.wrong("style", "ColorFormatter has no such key: the style is \"%\""));
        }
        (line_args(call)?, args.node("use_color").map_or(!args.is_given("use_color"), Node::is_true))
    };
    let own = is_of_task.then(|| Arc::new(Task) as Arc<dyn OwnNames>);
    let template = line.template(call, Takes::Style, line.format_or("%(message)s"), own)?;
    Some(match has_color {
        true => Box::new(Colored(template)),
        false => Box::new(template),
    })
}

#[derive(Debug)]
struct Task;

impl OwnNames for Task {
    fn has(&self, name: &str) -> bool {
        matches!(name, "task_name" | "task_id")
    }

    /// The running task is a span.
    fn write(&self, name: &str, line: &Line<'_>, out: &mut String) {
        let record = line.record();
        let of_task = record.spans().find_map(|span| span.fields().get(name));
        match of_task.or_else(|| record.get(name)) {
            Some(value) => line.push_value(value, out),
            None => out.push_str("???"),
        }
    }
}

struct Colored<F>(F);

impl<F: Format> Format for Colored<F> {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        let color = match record.severity().number() {
            10 => "34",
            30 => "33",
            40 => "31",
            50 => "35",
            _ => return self.0.format(record, out),
        };
        let start = out.len();
        write!(out, "\x1b[1;{color}m")?;
        let result = self.0.format(record, out);
        match result {
            Ok(()) => out.push_str("\x1b[0m"),
            Err(_) => out.truncate(start),
        }
        result
    }
}
