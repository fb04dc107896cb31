//! When to colour, and how.

use std::ffi::OsString;

use crate::{Severity, format::line::Line};

/// When [`Text`](super::Text) is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise, in this order: `NO_COLOR` (not empty) means never,
    /// `FORCE_COLOR` or `CLICOLOR_FORCE` (not empty, not `0`) always, `CLICOLOR=0` and `TERM=dumb` never. On Windows only in
    /// terminals that show colours whatever the mode of the console: Windows Terminal (`WT_SESSION`), Visual Studio Code
    /// (`TERM_PROGRAM`), ConEmu (`ConEmuANSI=ON`), and where `TERM` is set. Others would print the escape sequences.
    ///
    /// The environment is read once, when the format is made. Sources:
    /// [no-color.org](https://no-color.org), [force-color.org](https://force-color.org),
    /// [bixense.com/clicolors](https://bixense.com/clicolors/),
    /// [Windows](https://learn.microsoft.com/windows/console/console-virtual-terminal-sequences).
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

fn wanted(color: Color, terminal: bool, is_windows: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is = |name, wanted: &str| variable(name).is_some_and(|value| value == *wanted);
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if is_set("NO_COLOR") => false,
        Color::Auto if ["FORCE_COLOR", "CLICOLOR_FORCE"].iter().any(|name| is_set(name) && !is(name, "0")) => true,
        Color::Auto if !terminal || is("TERM", "dumb") || is("CLICOLOR", "0") => false,
        Color::Auto if is_windows => {
            ["WT_SESSION", "TERM_PROGRAM", "TERM"].into_iter().any(is_set) || is("ConEmuANSI", "ON")
        }
        Color::Auto => true,
    }
}

/// Whether to colour on a terminal, and elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colors {
    on_terminal: bool,
    elsewhere: bool,
}

impl Colors {
    pub(super) fn new(color: Color) -> Self {
        let wanted = |terminal| wanted(color, terminal, cfg!(windows), |name| std::env::var_os(name));
        Self { on_terminal: wanted(true), elsewhere: wanted(false) }
    }

    #[inline]
    pub(super) fn paint(self, is_terminal: bool) -> Paint {
        Paint { on: if is_terminal { self.on_terminal } else { self.elsewhere } }
    }
}

/// Writes with colour, or without.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paint {
    on: bool,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";

/// What begins and ends a colour.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) begin: &'static str,
    pub(super) end: &'static str,
}

impl Style {
    pub(super) const NONE: Self = Self { begin: "", end: "" };
}

impl Paint {
    pub(super) fn dim(self, out: &mut Line<'_>, write: impl FnOnce(&mut Line<'_>)) {
        self.with("\x1b[2m", out, write);
    }

    pub(super) fn red(self, out: &mut Line<'_>, write: impl FnOnce(&mut Line<'_>)) {
        self.with(RED, out, write);
    }

    pub(super) fn cyan(self, out: &mut Line<'_>, write: impl FnOnce(&mut Line<'_>)) {
        self.with("\x1b[36m", out, write);
    }

    /// The bytes around bold text.
    pub(super) fn bold_style(self) -> Style {
        self.style(BOLD)
    }

    pub(super) fn red_style(self) -> Style {
        self.style(RED)
    }

    fn style(self, begin: &'static str) -> Style {
        if self.on { Style { begin, end: RESET } } else { Style::NONE }
    }

    pub(super) fn bold(self, out: &mut Line<'_>, write: impl FnOnce(&mut Line<'_>)) {
        self.with(BOLD, out, write);
    }

    pub(super) fn is_on(self) -> bool {
        self.on
    }

    pub(super) fn level(self, out: &mut Line<'_>, severity: Severity, write: impl FnOnce(&mut Line<'_>)) {
        self.with(level_color(severity), out, write);
    }

    /// How many bytes the colour adds to a level.
    pub(super) fn level_width(self, severity: Severity) -> usize {
        if self.on { level_color(severity).len() + RESET.len() } else { 0 }
    }

    fn with(self, color: &str, out: &mut Line<'_>, write: impl FnOnce(&mut Line<'_>)) {
        if !self.on {
            return write(out);
        }
        out.raw(color);
        write(out);
        out.raw(RESET);
    }
}

fn level_color(severity: Severity) -> &'static str {
    match severity.number() {
        50.. => "\x1b[1;31m",
        40.. => "\x1b[31m",
        30.. => "\x1b[33m",
        20.. => "\x1b[32m",
        10.. => "\x1b[34m",
        _ => "\x1b[35m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_in_order() {
        let on = |is_windows, terminal, variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            wanted(Color::Auto, terminal, is_windows, value)
        };
        let decide = |terminal, variables: &[(&str, &str)]| on(false, terminal, variables);
        assert!(decide(true, &[]));
        assert!(!decide(false, &[]));
        assert!(!decide(true, &[("NO_COLOR", "1")]));
        assert!(!decide(true, &[("NO_COLOR", "0")]));
        assert!(decide(true, &[("NO_COLOR", "")]));
        assert!(!decide(true, &[("TERM", "dumb")]));
        assert!(decide(true, &[("TERM", "xterm")]));
        assert!(!decide(true, &[("CLICOLOR", "0")]));
        assert!(decide(true, &[("CLICOLOR", "1")]));
        assert!(!decide(false, &[("CLICOLOR", "1")]));
        assert!(decide(false, &[("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")]));
        assert!(decide(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!decide(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!decide(false, &[("CLICOLOR_FORCE", "")]));
        assert!(decide(true, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")]));
        assert!(!decide(true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(decide(false, &[("FORCE_COLOR", "1")]) && !decide(false, &[("FORCE_COLOR", "0")]));
        assert!(!decide(true, &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
        let windows = |variables: &[(&str, &str)]| on(true, true, variables);
        assert!(!windows(&[]) && !windows(&[("WT_SESSION", "")]) && !windows(&[("ConEmuANSI", "OFF")]));
        for variable in [("WT_SESSION", "6ba2"), ("TERM_PROGRAM", "vscode"), ("TERM", "xterm"), ("ConEmuANSI", "ON")] {
            assert!(windows(&[variable]) && !windows(&[variable, ("NO_COLOR", "1")]), "{variable:?}");
        }
        assert!(!windows(&[("WT_SESSION", "6ba2"), ("TERM", "dumb")]) && windows(&[("FORCE_COLOR", "1")]));
        assert!(!on(true, false, &[("WT_SESSION", "6ba2")]));
        let no_color = |_: &str| Some("1".into());
        assert!(wanted(Color::Always, false, false, no_color) && !wanted(Color::Never, true, false, |_| None));
    }
}
