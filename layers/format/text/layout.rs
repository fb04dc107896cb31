//! Which fields a text shows, in which order, and how wide; and how it names targets.

use super::{
    color::Paint,
    pair::{name, put_name, write_value},
    parts::width as columns_of,
    quote::{Bare, is_word, quoted},
};
use crate::{
    Fields, Value,
    format::line::Line,
    record::{Entry, is_below},
};

/// Which fields a [`Text`](super::Text) shows, in which order, and how. It concerns the fields of events and the global ones;
/// spans are shown whole.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Layout, Text, Time}};
///
/// let layout = Layout::new()
///     .first(["status", "path"])
///     .omit(["internal"])
///     .rename("elapsed_ms", "took")
///     .pad("status", 4)
///     .max_width(12);
/// let mut record = Record::new(Severity::INFO, "shop::http", "answered");
/// record.set("path", "/very/long/path/of/a/request");
/// record.set("internal", 1);
/// record.set("elapsed_ms", 1_250);
/// record.set("status", 200);
/// let mut out = Buffer::new();
/// Text::plain().time(Time::none()).layout(layout).format(&record, &mut out).unwrap();
/// assert_eq!(out, "INFO  shop::http: answered status=200  path=/very/long/… took=1250");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layout {
    first: Vec<String>,
    only: bool,
    omitted: Vec<String>,
    renamed: Vec<(String, String)>,
    padded: Vec<(String, usize)>,
    max_width: Option<usize>,
    durations: bool,
    target_names: Option<usize>,
    target_aliases: Vec<(String, String)>,
}

impl Layout {
    /// Shows everything as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// These fields first, in this order; the event's others follow in their own, then the global fields.
    pub fn first<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.first = names.into_iter().map(Into::into).collect();
        self
    }

    /// These fields in this order (the event's own before the global ones), and no others.
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = true;
        self.first(names)
    }

    /// Leaves fields out. They are hidden here, not removed: other formats show them.
    pub fn omit<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.omitted.extend(names.into_iter().map(Into::into));
        self
    }

    /// Shows a field under another name.
    pub fn rename(mut self, name: impl Into<String>, shown: impl Into<String>) -> Self {
        self.renamed.push((name.into(), shown.into()));
        self
    }

    /// Pads a field's value with spaces to a width in columns (at most 1,000), so that what follows stands below each other.
    pub fn pad(mut self, name: impl Into<String>, columns: usize) -> Self {
        self.padded.push((name.into(), columns.min(1_000)));
        self
    }

    /// Cuts texts after so many characters, the last of which is `…` (default: no limit; at least 1). Numbers and causes of
    /// errors are not cut.
    pub fn max_width(mut self, characters: usize) -> Self {
        self.max_width = Some(characters.max(1));
        self
    }

    /// On a terminal, shows numbers whose names end with a unit as durations: `wait_ms=93784` is `wait=1m33.784s`. The units
    /// are `_ns`, `_us`, `_ms`, `_s`, `_secs` and `_seconds`. Files keep the number.
    pub fn durations(mut self, on: bool) -> Self {
        self.durations = on;
        self
    }

    /// Shows at most so many names of a target, the first and the last ones: with two, `shop::pay::card::gateway` is
    /// `shop::…::gateway` (default: all; [`Text::pretty`](super::Text::pretty): two).
    pub fn target_names(mut self, max: usize) -> Self {
        self.target_names = Some(max.max(1));
        self
    }

    /// Shows another name for a target, and for what is below it: with `tower_http::trace` as `http`,
    /// `tower_http::trace::make_span` is `http::make_span`. The longest of several counts.
    pub fn target_alias(mut self, target: impl Into<String>, alias: impl Into<String>) -> Self {
        self.target_aliases.push((target.into(), alias.into()));
        self.target_aliases.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        self
    }

    // --- within the format

    pub(super) fn shows(&self, name: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|known| known == name);
        !is_in(&self.omitted) && (!self.only || is_in(&self.first))
    }

    /// The fields to be shown, in order.
    pub(super) fn entries<'f>(&'f self, fields: &'f Fields) -> impl Iterator<Item = Entry<'f>> {
        let first = self.first.iter().filter_map(|name| fields.entries().find(|entry| entry.text() == name));
        let rest = fields.entries().filter(|entry| !self.first.iter().any(|name| name == entry.text()));
        first.chain(rest).filter(|entry| self.shows(entry.text()))
    }

    /// `name=value`
    pub(super) fn field(&self, entry: Entry<'_>, on_terminal: bool, paint: Paint, out: &mut Line<'_>) {
        let value = entry.value();
        let duration = if self.durations && on_terminal { duration(entry.text(), value) } else { None };
        let renamed = self.renamed.iter().find(|(name, _)| name == entry.text()).map(|(_, shown)| &**shown);
        paint.dim(out, |out| match (renamed, duration) {
            (Some(shown), _) | (None, Some((shown, _))) => put_name(shown, out),
            (None, None) => name(entry, out),
        });
        let start = out.len();
        let cut = match value {
            Value::Str(text) | Value::Rendered(text) => self.cut(text),
            _ => None,
        };
        match (value, duration, cut) {
            (_, Some((_, seconds)), _) => humanised(seconds, out),
            (_, _, Some(shown)) if shown.is_empty() || is_word(shown) => {
                out.raw(shown);
                out.raw("…");
            }
            (_, _, Some(shown)) => quoted(out, [shown, "…"]),
            (Value::Error(_), ..) => paint.red(out, |out| write_value(value, out)),
            _ => write_value(value, out),
        }
        if let Some((_, width)) = self.padded.iter().find(|(name, _)| name == entry.text()) {
            let shown = columns_of(&out.bytes()[start..]);
            (shown..*width).for_each(|_| out.byte(b' '));
        }
    }

    /// The beginning of a text that is too long.
    fn cut<'t>(&self, text: &'t str) -> Option<&'t str> {
        let max = self.max_width?;
        text.char_indices().nth(max)?;
        Some(text.char_indices().nth(max - 1).map_or("", |(at, _)| &text[..at]))
    }

    /// Writes a target; `default` is how many of its names are shown if the layout says nothing.
    pub(super) fn target(layout: Option<&Self>, default: Option<usize>, target: &str, out: &mut Line<'_>) {
        let alias = layout.into_iter().flat_map(|layout| &layout.target_aliases);
        let alias = alias.clone().find(|(name, _)| is_below(target, name) && target.is_char_boundary(name.len()));
        let (head, rest) = match alias {
            Some((name, alias)) => (&**alias, target.get(name.len()..).unwrap_or_default()),
            None => ("", target),
        };
        let max = layout.and_then(|layout| layout.target_names).or(default);
        let separator = if target.contains("::") { "::" } else { "." };
        let names = || {
            let rest = rest.strip_prefix(separator).filter(|_| !head.is_empty()).unwrap_or(rest);
            [head]
                .into_iter()
                .filter(|head| !head.is_empty())
                .chain(rest.split(separator).filter(|name| !name.is_empty()))
        };
        let count = names().count();
        let Some(max) = max.filter(|max| count > *max) else {
            for (index, name) in names().enumerate() {
                Bare(out).push(if index > 0 { separator } else { "" });
                Bare(out).push(name);
            }
            return;
        };
        let last = if max == 1 { 1 } else { max - 1 };
        for (index, name) in names().enumerate() {
            if index == 0 && max > 1 {
                Bare(out).push(name);
                Bare(out).push(separator);
                out.raw("…");
            } else if index >= count - last {
                Bare(out).push(if index > 0 && max > 1 || index > count - last { separator } else { "" });
                Bare(out).push(name);
            }
        }
    }
}

/// The name without its unit, and the seconds.
fn duration<'n>(name: &'n str, value: Value<'_>) -> Option<(&'n str, f64)> {
    const UNITS: [(&str, f64); 6] =
        [("_ns", 1e-9), ("_us", 1e-6), ("_ms", 1e-3), ("_s", 1.0), ("_secs", 1.0), ("_seconds", 1.0)];
    let number = match value {
        Value::I64(number) => number as f64,
        Value::U64(number) => number as f64,
        Value::F64(number) => number,
        _ => return None,
    };
    let (name, unit) = UNITS.iter().find_map(|(unit, seconds)| Some((name.strip_suffix(unit)?, seconds)))?;
    (number.is_finite() && number >= 0.0 && !name.is_empty()).then_some((name, number * unit))
}

/// `450µs`, `12.3ms`, `1.25s`, `1m33.784s`, `2h05m`: at most three digits, or whole minutes from an hour on.
fn humanised(seconds: f64, out: &mut Line<'_>) {
    let mut number = |number: f64, unit: &str| {
        let digits = if number < 10.0 {
            100.0
        } else if number < 100.0 {
            10.0
        } else {
            1.0
        };
        let rounded = (number * digits).round() / digits;
        if rounded.fract() == 0.0 && rounded < 1e15 {
            out.raw(itoa::Buffer::new().format(rounded as u64));
        } else {
            out.raw(zmij::Buffer::new().format(rounded));
        }
        out.raw(unit);
    };
    match seconds {
        0.0 => out.raw("0s"),
        ..1e-6 => number(seconds * 1e9, "ns"),
        ..1e-3 => number(seconds * 1e6, "µs"),
        ..1.0 => number(seconds * 1e3, "ms"),
        ..60.0 => number(seconds, "s"),
        _ => {
            let millis = (seconds * 1e3).round();
            let (hours, minutes) = ((millis / 3.6e6).floor(), (millis / 6e4).floor() % 60.0);
            if hours > 0.0 {
                number(hours, "h");
            }
            out.raw(if hours > 0.0 && minutes < 10.0 { "0" } else { "" });
            out.raw(itoa::Buffer::new().format(minutes as u64));
            out.raw("m");
            if hours == 0.0 {
                let rest = millis % 6e4 / 1e3;
                out.raw(if rest < 10.0 { "0" } else { "" });
                out.raw(zmij::Buffer::new().format(rest).trim_end_matches(".0"));
                out.raw("s");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::line::Fragment;

    fn written(write: impl FnOnce(&mut Line<'_>)) -> String {
        String::from_utf8(Fragment::of(false, write).text().to_vec()).unwrap_or_default()
    }

    #[test]
    fn durations_in_three_digits() {
        let rows = [
            (0.0, "0s"),
            (3e-9, "3ns"),
            (450e-6, "450µs"),
            (0.0123, "12.3ms"),
            (1.25, "1.25s"),
            (59.94, "59.9s"),
            (93.784, "1m33.784s"),
            (125.0, "2m05s"),
            (7_500.0, "2h05m"),
            (360_000.0, "100h00m"),
        ];
        for (seconds, shown) in rows {
            assert_eq!(written(|out| humanised(seconds, out)), shown, "{seconds}");
        }
        assert_eq!(duration("wait_ms", Value::U64(5)), Some(("wait", 0.005)));
        assert_eq!(duration("wait_s", Value::I64(-5)), None);
        assert_eq!(duration("_ms", Value::U64(5)), None);
        assert_eq!(duration("items", Value::U64(5)), None);
    }

    #[test]
    fn targets_are_shortened_and_renamed() {
        let of = |layout: Option<&Layout>, default, target| written(|out| Layout::target(layout, default, target, out));
        assert_eq!(of(None, None, "a::b::c::d"), "a::b::c::d");
        assert_eq!(of(None, Some(2), "a::b::c::d"), "a::…::d");
        assert_eq!(of(None, Some(2), "a.b"), "a.b");
        assert_eq!(of(None, Some(2), "shop.db.pool"), "shop.….pool");
        let layout = Layout::new().target_alias("a::b", "x").target_alias("a", "y").target_names(3);
        assert_eq!(of(Some(&layout), Some(2), "a::b::c::d"), "x::c::d");
        assert_eq!(of(Some(&layout), None, "a::b::c::d::e"), "x::…::d::e");
        assert_eq!(of(Some(&layout), None, "a::bc"), "y::bc");
        assert_eq!(of(Some(&layout), None, "a"), "y");
        assert_eq!(of(Some(&Layout::new().target_names(1)), None, "a::b::c"), "c");
    }
}
