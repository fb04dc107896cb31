//! `uvicorn.logging`: level names with their colour, and the lines of requests.

use std::sync::Arc;

use super::{
    Call, Entry, is_stdout_terminal,
    line::{Takes, line_args},
    truth,
};
use crate::{
    Format, Record,
    format::{Line, OwnNames, not_found},
    text::python_repr,
};

pub(super) const FORMATTERS: &[Entry] = &[
    (&["uvicorn.logging.DefaultFormatter", "uvicorn.logging.ColourizedFormatter"], |call| make(call, false)),
    (&["uvicorn.logging.AccessFormatter"], |call| make(call, true)),
];

fn make(call: &Call<'_, '_>, is_access: bool) -> Option<Box<dyn Format>> {
    // With `class`, the fourth argument is `validate`.
    let node = if !call.by_name { call.args.node("validate") } else { call.args.node("use_colors") };
    let has_colors = node.and_then(truth).unwrap_or_else(is_stdout_terminal);
    let own = Arc::new(Uvicorn { has_colors, is_access });
    line_args(call)?.formatter(call, Takes::Style, "%(message)s", Some(own))
}

#[derive(Debug)]
struct Uvicorn {
    has_colors: bool,
    is_access: bool,
}

/// What Python takes from the five arguments of the message.
const REQUEST: [&str; 5] = ["client_addr", "method", "full_path", "http_version", "status_code"];

impl OwnNames for Uvicorn {
    fn has(&self, name: &str) -> bool {
        match name {
            "levelprefix" | "message" => true,
            "client_addr" | "request_line" | "status_code" => self.is_access,
            _ => false,
        }
    }

    fn check(&self, _: &str, record: &Record) -> Result<(), String> {
        if !self.is_access {
            return Ok(());
        }
        if let Some(missing) = REQUEST.iter().find(|name| record.get(name).is_none()) {
            return Err(not_found(missing));
        }
        let text = || record.get("status_code").map(|value| python_repr(&value.to_string())).unwrap_or_default();
        let code = status_code(record).map(drop);
        code.ok_or_else(|| format!("invalid literal for int() with base 10: {}", text()))
    }

    fn write(&self, name: &str, line: &Line<'_>, out: &mut String) {
        let record = line.record();
        match name {
            "levelprefix" => self.push_level(line, out),
            "request_line" => self.paint("1", out, |out| {
                for (index, name) in REQUEST[1..4].iter().enumerate() {
                    out.push_str(["", " ", " HTTP/"][index]);
                    push(name, line, out);
                }
            }),
            "status_code" => push_status(self, line, out),
            "client_addr" => push(name, line, out),
            // Its colours are escapes, which are no one's to send where values are escaped.
            _ => match record.fields().get("color_message").filter(|_| self.has_colors && line.is_as_python()) {
                Some(message) => line.push_value(message, out),
                None => line.push(record.message(), out),
            },
        }
    }
}

fn push(name: &str, line: &Line<'_>, out: &mut String) {
    if let Some(value) = line.record().get(name) {
        line.push_value(value, out);
    }
}

impl Uvicorn {
    fn paint(&self, color: &str, out: &mut String, text: impl FnOnce(&mut String)) {
        if !self.has_colors || color.is_empty() {
            return text(out);
        }
        out.extend(["\x1b[", color, "m"]);
        text(out);
        out.push_str("\x1b[0m");
    }

    /// `INFO:    `, to nine characters.
    fn push_level(&self, line: &Line<'_>, out: &mut String) {
        let color = match line.record().severity().number() {
            5 => "34",
            10 => "36",
            20 => "32",
            30 => "33",
            40 => "31",
            50 => "91",
            _ => "",
        };
        let mut length = 0;
        self.paint(color, out, |out| {
            let start = out.len();
            line.push_level_name(out);
            length = out[start..].chars().count();
        });
        out.push(':');
        out.extend(std::iter::repeat_n(' ', 8_usize.saturating_sub(length)));
    }
}

/// A number, or a text that is one.
fn status_code(record: &Record) -> Option<i64> {
    let value = record.get("status_code")?;
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn push_status(own: &Uvicorn, line: &Line<'_>, out: &mut String) {
    let code = status_code(line.record());
    let color = match code.map(|code| code / 100) {
        Some(1) => "97",
        Some(2) => "32",
        Some(3) => "33",
        Some(4) => "31",
        Some(5) => "91",
        _ => "",
    };
    own.paint(color, out, |out| {
        push("status_code", line, out);
        out.push(' ');
        out.push_str(code.map_or("", phrase));
    });
}

/// Of Python's `http.HTTPStatus`; empty for an unknown code.
fn phrase(code: i64) -> &'static str {
    match code {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a Teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}
