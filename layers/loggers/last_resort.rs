//! The handler for records that reach no other.
//!
//! Python: `logging.lastResort`.

use std::sync::LazyLock;

use crate::{Delivery, Error, Handler, HandlerExt as _, NamedHandler, Outcome, Record, Severity, text::is_control};

/// What happens to records that reach no handler.
#[derive(Clone)]
pub(super) enum LastResort {
    Stderr,
    Custom(NamedHandler),
    Off,
}

impl LastResort {
    pub(super) fn handler(&self) -> Option<NamedHandler> {
        match self {
            Self::Stderr => Some(stderr()),
            Self::Custom(handler) => Some(handler.clone()),
            Self::Off => None,
        }
    }
}

/// One for the whole process.
fn stderr() -> NamedHandler {
    static STDERR: LazyLock<NamedHandler> = LazyLock::new(|| {
        let handler = BareStderr.named("last resort");
        handler.set_level(Severity::WARN);
        handler
    });
    STDERR.clone()
}

/// Writes the bare message, and the error if there is one, as a line on stderr.
struct BareStderr;

impl Handler for BareStderr {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        crate::stdio::stderr_line(&bare_line(&delivery));
        Ok(Outcome::Written)
    }
}

fn bare_line(record: &Record) -> String {
    let mut line = String::new();
    let mut add = |text: &str| {
        for c in text.chars() {
            if is_control(c) {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
    };
    add(record.message());
    if let Some(error) = record.error() {
        add(": ");
        add(&error.to_string());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn the_bare_line_is_one_line() {
        let mut record = Record::new(Severity::ERROR, "a", "one\r\ntwo\u{1b}[31m\u{2028}\u{202e}ä");
        assert_eq!(bare_line(&record), "one\\r\\ntwo\\u{1b}[31m\\u{2028}\\u{202e}ä");
        record.set("error", Value::from("text, not an error"));
        assert!(bare_line(&record).ends_with('ä'));
    }
}
