//! Reports on stderr, for the threads that reload: they have no caller to return an error to.

use std::fmt::Display;

/// Writes a line to stderr, with control characters escaped.
pub(super) fn report(message: impl Display) {
    let mut line = String::new();
    for c in format!("tracing-strata: {message}").chars() {
        match crate::text::is_control(c) && c != '\n' {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    crate::stdio::stderr_line(&line);
}
