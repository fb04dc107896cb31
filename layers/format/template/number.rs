//! Numbers as Python writes them.

use std::fmt::{self, Write as _};

use super::tail::{MAX_WIDTH, insert_fill};

pub(super) fn push_int(number: i128, out: &mut String) {
    match i64::try_from(number) {
        Ok(number) => out.push_str(itoa::Buffer::new().format(number)),
        Err(_) => out.push_str(itoa::Buffer::new().format(number)),
    }
}

/// A short text on the stack.
struct StackString {
    bytes: [u8; 64],
    len: usize,
}

impl StackString {
    fn new(text: fmt::Arguments<'_>) -> Self {
        let mut small = Self { bytes: [0; 64], len: 0 };
        // Numbers in scientific notation always fit.
        small.write_fmt(text).unwrap_or_default();
        small
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for StackString {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// `repr()`: the shortest text that reads back, with an exponent from 1e16 on and below 1e-4.
pub(crate) fn push_repr(number: f64, out: &mut String) {
    if !number.is_finite() {
        return push_non_finite(number, false, out);
    }
    let text = StackString::new(format_args!("{number:e}"));
    let (digits, exponent) = text.as_str().split_once('e').unwrap_or((text.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        out.push_str(digits);
        return push_exponent(exponent, 'e', out);
    }
    let start = out.len();
    // Writing to a text does not fail.
    write!(out, "{number}").unwrap_or_default();
    if !out[start..].contains('.') {
        out.push_str(".0");
    }
}

fn push_non_finite(number: f64, upper: bool, out: &mut String) {
    let text = match (number.is_nan(), upper) {
        (true, false) => "nan",
        (true, true) => "NAN",
        (false, false) => "inf",
        (false, true) => "INF",
    };
    if number.is_sign_negative() && !number.is_nan() {
        out.push('-');
    }
    out.push_str(text);
}

/// At least two digits.
fn push_exponent(exponent: i32, letter: char, out: &mut String) {
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "{letter}{sign}{:02}", exponent.unsigned_abs()).unwrap_or_default();
}

/// A float as C's `%e`, `%f` or `%g` (or the capital letter) writes it.
pub(super) fn push_float(number: f64, conversion: char, precision: usize, alternate: bool, out: &mut String) {
    let precision = precision.min(MAX_WIDTH);
    let upper = conversion.is_ascii_uppercase();
    if !number.is_finite() {
        return push_non_finite(number, upper, out);
    }
    let letter = if upper { 'E' } else { 'e' };
    match conversion.to_ascii_lowercase() {
        'f' => {
            write!(out, "{number:.precision$}").unwrap_or_default();
            if alternate && precision == 0 {
                out.push('.');
            }
        }
        'e' => push_scientific(number, precision, letter, alternate, out),
        _ => push_general(number, precision.max(1), letter, alternate, false, out),
    }
}

fn push_scientific(number: f64, precision: usize, letter: char, alternate: bool, out: &mut String) {
    let start = out.len();
    write!(out, "{number:.precision$e}").unwrap_or_default();
    let exponent = take_exponent(out, start);
    if alternate && precision == 0 {
        out.push('.');
    }
    push_exponent(exponent, letter, out);
}

/// Removes Rust's exponent and returns it.
fn take_exponent(out: &mut String, start: usize) -> i32 {
    let Some(at) = out[start..].find('e').map(|at| start + at) else { return 0 };
    let exponent = out[at + 1..].parse().unwrap_or_default();
    out.truncate(at);
    exponent
}

/// `precision` significant digits without trailing zeros, with an exponent where that is shorter. With `point` there is
/// always a digit after a point (Python's form for a precision without a type).
pub(super) fn push_general(
    number: f64,
    precision: usize,
    letter: char,
    alternate: bool,
    point: bool,
    out: &mut String,
) {
    if !number.is_finite() {
        return push_non_finite(number, letter == 'E', out);
    }
    let start = out.len();
    let digits = precision - 1;
    write!(out, "{number:.digits$e}").unwrap_or_default();
    let exponent = take_exponent(out, start);
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    // As `repr()`, the form without a type never has all digits before the point.
    if exponent < -4 || exponent >= limit - i32::from(point) {
        if !alternate {
            trim_zeros(out, start);
        } else if !out[start..].contains('.') {
            out.push('.');
        }
        return push_exponent(exponent, letter, out);
    }
    out.truncate(start);
    let after = usize::try_from(limit - 1 - exponent).unwrap_or_default();
    write!(out, "{number:.after$}").unwrap_or_default();
    if !alternate {
        trim_zeros(out, start);
    }
    if alternate && !out[start..].contains('.') {
        out.push('.');
    }
    if point && !out[start..].contains('.') {
        out.push_str(".0");
    }
}

fn trim_zeros(out: &mut String, start: usize) {
    if out[start..].contains('.') {
        let kept = out[start..].trim_end_matches('0').trim_end_matches('.').len();
        out.truncate(start + kept);
    }
}

/// The digits of an integer's magnitude in a base.
pub(super) fn push_radix(magnitude: u128, base: u32, upper: bool, out: &mut String) {
    let written = match (base, upper) {
        (2, _) => write!(out, "{magnitude:b}"),
        (8, _) => write!(out, "{magnitude:o}"),
        (16, true) => write!(out, "{magnitude:X}"),
        (16, false) => write!(out, "{magnitude:x}"),
        _ => {
            out.push_str(itoa::Buffer::new().format(magnitude));
            Ok(())
        }
    };
    written.unwrap_or_default();
}

/// Inserts a separator between groups of digits, from the point (or the end) to the left.
pub(super) fn group(out: &mut String, digits_from: usize, separator: char, size: usize) {
    let end = out[digits_from..].find(|c: char| !c.is_ascii_hexdigit()).map_or(out.len(), |at| digits_from + at);
    let mut at = end;
    while at > digits_from + size {
        at -= size;
        out.insert(at, separator);
    }
}

/// Inserts leading zeros up to a number of digits.
pub(super) fn zeros(out: &mut String, digits_from: usize, digits: usize) {
    let there = out.len() - digits_from;
    insert_fill(out, digits_from, '0', digits.min(MAX_WIDTH).saturating_sub(there));
}
