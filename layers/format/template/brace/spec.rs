//! What follows the `:` of a field: Python's format specification mini-language.

use crate::format::template::{
    number,
    tail::{Align, MAX_WIDTH, insert_fill, pad, truncate_chars},
};

/// `[[fill]align][sign][#][0][width][,|_][.precision][type]`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FormatSpec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl FormatSpec {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut spec = Self::default();
        let is_align = |c: char| matches!(c, '<' | '>' | '=' | '^');
        let mut characters = text.chars();
        let mut rest = match (characters.next(), characters.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
                characters.as_str()
            }
            (Some(align), _) if is_align(align) => {
                spec.align = Some(align);
                &text[1..]
            }
            _ => text,
        };
        let take = |rest: &mut &str, what: &[char]| {
            let found = rest.chars().next().filter(|c| what.contains(c));
            if let Some(found) = found {
                *rest = &rest[found.len_utf8()..];
            }
            found
        };
        spec.sign = take(&mut rest, &['+', '-', ' ']);
        spec.alternate = take(&mut rest, &['#']).is_some();
        spec.zero = take(&mut rest, &['0']).is_some();
        spec.width = digits(&mut rest)?.unwrap_or_default();
        spec.grouping = take(&mut rest, &[',', '_']);
        if let Some(other) = take(&mut rest, &[',', '_']) {
            return Err(match (spec.grouping, other) {
                (Some(one), two) if one == two => format!("Cannot specify '{one}' with '{two}'."),
                _ => "Cannot specify both ',' and '_'.".into(),
            });
        }
        if take(&mut rest, &['.']).is_some() {
            spec.precision = Some(digits(&mut rest)?.ok_or("Format specifier missing precision")?);
        }
        let mut kind = rest.chars();
        spec.kind = kind.next();
        if kind.next().is_some() {
            return Err(format!("Invalid format specifier '{text}'"));
        }
        Ok(spec)
    }
}

fn digits(rest: &mut &str) -> Result<Option<usize>, String> {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &rest[..rest.len() - after.len()];
    *rest = after;
    if number.is_empty() {
        return Ok(None);
    }
    number.parse().map(Some).map_err(|_| "Too many decimal digits in format string".into())
}

impl FormatSpec {
    pub(super) fn check_grouping(&self, type_name: &str) -> Result<(), String> {
        let Some(separator) = self.grouping else { return Ok(()) };
        match self.kind.or((type_name == "str").then_some('s')) {
            None | Some('d' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => Ok(()),
            Some('b' | 'o' | 'x' | 'X') if separator == '_' => Ok(()),
            Some(kind) => Err(format!("Cannot specify '{separator}' with '{kind}'.")),
        }
    }

    fn unknown(&self, kind: char, type_name: &str) -> String {
        match kind {
            '!'..='~' => format!("Unknown format code '{kind}' for object of type '{type_name}'"),
            _ => format!("Unknown format code '\\x{:x}' for object of type '{type_name}'", u32::from(kind)),
        }
    }

    pub(super) fn text(&self, from: usize, out: &mut String) -> Result<(), String> {
        if let Some(kind) = self.kind.filter(|kind| *kind != 's') {
            return Err(self.unknown(kind, "str"));
        }
        if self.sign.is_some() {
            let space = self.sign == Some(' ');
            return Err(format!("{} not allowed in string format specifier", if space { "Space" } else { "Sign" }));
        }
        if self.alternate {
            return Err("Alternate form (#) not allowed in string format specifier".into());
        }
        if self.align == Some('=') {
            return Err("'=' alignment not allowed in string format specifier".into());
        }
        if let Some(precision) = self.precision {
            truncate_chars(out, from, precision);
        }
        let fill = self.fill.unwrap_or(if self.zero && self.align.is_none() { '0' } else { ' ' });
        let fill = if self.zero && self.fill.is_none() { '0' } else { fill };
        let align = match self.align {
            Some('>') => Align::Right,
            Some('^') => Align::Center,
            _ => Align::Left,
        };
        pad(out, from, self.width, fill, align);
        Ok(())
    }

    pub(super) fn int(&self, negative: bool, magnitude: u128, type_name: &str, out: &mut String) -> Result<(), String> {
        let (base, prefix) = match self.kind {
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
                let number = magnitude as f64;
                return self.float(if negative { -number } else { number }, out);
            }
            Some('b') => (2, "0b"),
            Some('o') => (8, "0o"),
            Some('x') => (16, "0x"),
            Some('X') => (16, "0X"),
            None | Some('d' | 'n') => (10, ""),
            Some('c') => return self.character(negative, magnitude, out),
            Some(kind) => return Err(self.unknown(kind, type_name)),
        };
        if self.precision.is_some() {
            return Err("Precision not allowed in integer format specifier".into());
        }
        let from = out.len();
        if negative {
            out.push('-');
        }
        if self.alternate {
            out.push_str(prefix);
        }
        let prefix = if self.alternate { prefix.len() } else { 0 };
        number::push_radix(magnitude, base, self.kind == Some('X'), out);
        self.group_and_pad(from, prefix, if base == 10 { 3 } else { 4 }, out)
    }

    fn character(&self, negative: bool, code: u128, out: &mut String) -> Result<(), String> {
        if self.precision.is_some() {
            return Err("Precision not allowed in integer format specifier".into());
        }
        if self.sign.is_some() {
            return Err("Sign not allowed with integer format specifier 'c'".into());
        }
        if self.alternate {
            return Err("Alternate form (#) not allowed with integer format specifier 'c'".into());
        }
        let from = out.len();
        let code = u32::try_from(code).ok().filter(|_| !negative).and_then(char::from_u32);
        out.push(code.ok_or("%c arg not in range(0x110000)")?);
        self.group_and_pad(from, 0, 0, out)
    }

    pub(super) fn float(&self, number: f64, out: &mut String) -> Result<(), String> {
        let from = out.len();
        let precision = self.precision.map(|precision| precision.min(MAX_WIDTH));
        match self.kind {
            None => match precision {
                None => number::push_repr(number, out),
                Some(precision) => number::push_general(number, precision.max(1), 'e', self.alternate, true, out),
            },
            Some('%') => {
                number::push_float(number * 100.0, 'f', precision.unwrap_or(6), self.alternate, out);
                out.push('%');
            }
            Some('n') => number::push_float(number, 'g', precision.unwrap_or(6), self.alternate, out),
            Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')) => {
                number::push_float(number, kind, precision.unwrap_or(6), self.alternate, out);
            }
            Some(kind) => return Err(self.unknown(kind, "float")),
        }
        self.group_and_pad(from, 0, 3, out)
    }

    /// Adds sign, separators and padding to the digits of a number. `prefix` is the length of `0x`.
    fn group_and_pad(&self, from: usize, prefix: usize, size: usize, out: &mut String) -> Result<(), String> {
        if !out[from..].starts_with('-') {
            if let Some(sign) = self.sign.filter(|sign| *sign != '-') {
                out.insert(from, sign);
            }
        }
        let sign = usize::from(out[from..].starts_with(['-', '+', ' ']));
        let digits = from + sign + prefix;
        let zero_filled = self.zero && self.align.is_none();
        if let Some(separator) = self.grouping {
            if zero_filled {
                self.insert_grouped_zeros(from, digits, size, out);
            }
            number::group(out, digits, separator, size);
        }
        let (fill, align) =
            if zero_filled { ('0', '=') } else { (self.fill.unwrap_or(' '), self.align.unwrap_or('>')) };
        let fill = if self.zero && self.fill.is_none() { '0' } else { fill };
        match align {
            '=' => {
                let there = out[from..].chars().count();
                insert_fill(out, digits, fill, self.width.min(MAX_WIDTH).saturating_sub(there));
            }
            '<' => pad(out, from, self.width, fill, Align::Left),
            '^' => pad(out, from, self.width, fill, Align::Center),
            _ => pad(out, from, self.width, fill, Align::Right),
        }
        Ok(())
    }

    /// Zeros in front are grouped as well, so their number follows from the width.
    fn insert_grouped_zeros(&self, from: usize, digits: usize, size: usize, out: &mut String) {
        let end = out[digits..].find(|c: char| !c.is_ascii_hexdigit()).map_or(out.len(), |at| digits + at);
        let others = digits - from + out.len() - end;
        let width = self.width.min(MAX_WIDTH);
        let mut count = end - digits;
        while others + count + (count.max(1) - 1) / size < width {
            count += 1;
        }
        insert_fill(out, digits, '0', count - (end - digits));
    }
}
