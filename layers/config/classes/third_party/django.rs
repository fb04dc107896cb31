//! `django.utils.log`.

use std::sync::Arc;

use super::{
    Call, Entry, MakeFilter, is_stdout_terminal,
    line::{LineArgs, Takes, line_args},
};
use crate::{
    Format, Record,
    config::config_filter::ConfigFilter,
    format::{Line, OwnNames, TemplateBuilder},
};

pub(super) const FORMATTERS: &[Entry] = &[(&["django.utils.log.ServerFormatter"], make_server)];

pub(super) const FILTERS: &[(&[&str], MakeFilter)] = &[
    (&["django.utils.log.RequireDebugFalse"], |call| Some(debug(call, false))),
    (&["django.utils.log.RequireDebugTrue"], |call| Some(debug(call, true))),
    (&["django.utils.log.CallbackFilter"], make_callback),
];

/// Django's `settings.DEBUG`: the registered object of that name, else whether this is a debug build.
fn debug(call: &Call<'_, '_>, expected: bool) -> ConfigFilter {
    // Without effect, as in Python.
    call.args.str("name");
    let registered = call.setup.objects().find("django.conf.settings.DEBUG");
    let is_debug = registered.and_then(|object| object.downcast_ref::<bool>().copied());
    let passes = is_debug.unwrap_or(cfg!(debug_assertions)) == expected;
    ConfigFilter::decides(move |_: &Record| passes)
}

fn make_callback(call: &Call<'_, '_>) -> Option<ConfigFilter> {
    call.args.require("callback");
    let callback = call.args.registered::<ConfigFilter>("callback")?;
    Some(ConfigFilter::clone(&callback))
}

fn make_server(call: &Call<'_, '_>) -> Option<Box<dyn Format>> {
    let with: fn(TemplateBuilder) -> TemplateBuilder = |builder| builder.default_time_format("%d/%b/%Y %H:%M:%S");
    let line = LineArgs { with, ..line_args(call)? };
    let has_time = line.format.as_ref().is_some_and(|format| format.contains("{server_time}"));
    let has_colors = is_stdout_terminal();
    line.formatter(call, Takes::All, "%(message)s", Some(Arc::new(Server { has_time, has_colors })))
}

#[derive(Debug)]
struct Server {
    has_time: bool,
    has_colors: bool,
}

impl OwnNames for Server {
    fn has(&self, name: &str) -> bool {
        match name {
            "server_time" => self.has_time,
            "message" => self.has_colors,
            _ => false,
        }
    }

    fn write(&self, name: &str, line: &Line<'_>, out: &mut String) {
        let record = line.record();
        if name == "server_time" {
            match record.fields().get(name) {
                Some(time) => line.push_value(time, out),
                None => line.push_asctime(out),
            }
            return;
        }
        let color = record.fields().get("status_code").and_then(|code| color(code.as_i64()?));
        if let Some(color) = color {
            out.extend(["\x1b[", color, "m"]);
        }
        line.push(record.message(), out);
        if color.is_some() {
            out.push_str("\x1b[0m");
        }
    }
}

/// The colours of Django's dark palette.
fn color(status_code: i64) -> Option<&'static str> {
    Some(match status_code {
        0 => return None,
        200..300 => "",
        100..200 => "1",
        304 => "36",
        300..400 => "32",
        404 => "33",
        400..500 => "31;1",
        _ => "35;1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Severity, format::Template};

    #[test]
    fn messages_have_the_colour_of_their_status_on_a_terminal() {
        let template =
            Template::builder("%(message)s").own_names(Arc::new(Server { has_time: false, has_colors: true }));
        let template = template.build().unwrap();
        let line = |code: i64| {
            let mut record = Record::new(Severity::INFO, "django.server", "GET /\x1b");
            record.set("status_code", code);
            super::super::text_of(&template, &record).unwrap()
        };
        for (code, color) in
            [(200, ""), (204, ""), (101, "1"), (302, "32"), (304, "36"), (404, "33"), (400, "31;1"), (500, "35;1")]
        {
            assert_eq!(line(code), format!("\x1b[{color}mGET /\\u{{1b}}\x1b[0m"));
        }
        assert_eq!(line(0), "GET /\\u{1b}");
    }
}
