//! `%(name)-8s`: Python's `%` operator with a mapping.

use super::{
    argument::Argument,
    attribute::Attribute,
    compiled::{Compiled, Field, Segment, Spec, push_literal},
    number,
    tail::{Align, MAX_WIDTH, insert_fill, pad, quote, truncate_chars},
};
use crate::{Record, text::python_repr};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Percent {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

/// Python's check: one conversion that looks right is enough.
pub(super) fn validate(format: &str) -> Result<(), String> {
    let found = format.match_indices("%(").any(|(at, _)| looks_right(&format[at + 2..]));
    if found { Ok(()) } else { Err(format!("Invalid format {} for '%' style", python_repr(format))) }
}

/// `\w+\)[#0+ -]*(\*|\d+)?(\.(\*|\d+))?[diouxefgcrsa%]`, in any case.
fn looks_right(text: &str) -> bool {
    let name = text.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    if name.len() == text.len() {
        return false;
    }
    let Some(rest) = name.strip_prefix(')') else { return false };
    let rest = rest.trim_start_matches(['#', '0', '+', ' ', '-']);
    let rest = star_or_digits(rest).unwrap_or(rest);
    let rest = rest.strip_prefix('.').and_then(star_or_digits).unwrap_or(rest);
    rest.starts_with(|c: char| "diouxefgcrsa%".contains(c.to_ascii_lowercase()))
}

fn star_or_digits(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some(rest);
    }
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

pub(super) fn compile(format: &str, segments: &mut Vec<Segment>) -> Result<(), String> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        push_literal(segments, &rest[..at]);
        rest = &rest[at + 1..];
        let name = match rest.strip_prefix('(') {
            None => None,
            Some(inside) => {
                let end = closing(inside).ok_or("incomplete format key")?;
                rest = &inside[end + 1..];
                Some(&inside[..end])
            }
        };
        if name.is_none() {
            if let Some(after) = rest.strip_prefix('%') {
                push_literal(segments, "%");
                rest = after;
                continue;
            }
        }
        let read = parse_spec(rest, format);
        let Some(name) = name else {
            return Err(read.err().unwrap_or_else(|| "not enough arguments for format string".into()));
        };
        let attribute = Attribute::by_name(name);
        let (spec, after) = match read {
            Ok((spec, after)) if spec == (Percent { conversion: 's', ..Percent::default() }) => (Spec::Plain, after),
            Ok((spec, after)) => (Spec::Percent(spec), after),
            Err(error) => {
                // Python looks the name up first.
                segments.push(Segment::Field(Field { attribute, spec: Spec::Invalid(error.clone()) }));
                return Err(error);
            }
        };
        rest = after;
        segments.push(Segment::Field(Field { attribute, spec }));
    }
    push_literal(segments, rest);
    Ok(())
}

/// Where the bracket that was opened before the text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// Parses what follows the `%` and the name; also returns the rest.
fn parse_spec<'f>(text: &'f str, format: &str) -> Result<(Percent, &'f str), String> {
    let mut spec = Percent::default();
    let rest = text.trim_start_matches(['#', '0', '+', ' ', '-']);
    for flag in text[..text.len() - rest.len()].chars() {
        match flag {
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            '+' => spec.plus = true,
            ' ' => spec.space = true,
            _ => spec.left = true,
        }
    }
    if rest.starts_with('*') {
        return Err("* wants int".into());
    }
    let (width, rest) = digits(rest)?;
    spec.width = width.unwrap_or_default();
    let rest = match rest.strip_prefix('.') {
        None => rest,
        Some(rest) if rest.starts_with('*') => return Err("* wants int".into()),
        Some(rest) => {
            let (precision, rest) = digits(rest)?;
            spec.precision = Some(precision.unwrap_or_default());
            rest
        }
    };
    let rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let conversion = rest.chars().next().ok_or("incomplete format")?;
    if !"diouxXeEfFgGcrsa".contains(conversion) {
        let index = format[..format.len() - rest.len()].chars().count();
        let code = u32::from(conversion);
        return Err(format!("unsupported format character '{conversion}' (0x{code:x}) at index {index}"));
    }
    spec.conversion = conversion;
    Ok((spec, &rest[conversion.len_utf8()..]))
}

fn digits(text: &str) -> Result<(Option<usize>, &str), String> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &text[..text.len() - rest.len()];
    if number.is_empty() {
        return Ok((None, rest));
    }
    // Python's own words; the width is limited later.
    number.parse().map(|number| (Some(number), rest)).map_err(|_| "width too big".into())
}

impl Percent {
    pub(super) fn write(
        &self,
        argument: Argument<'_>,
        compiled: &Compiled,
        record: &Record,
        out: &mut String,
    ) -> Result<(), String> {
        let from = out.len();
        match self.conversion {
            's' | 'r' | 'a' => {
                argument.push(compiled, record, out);
                if self.conversion != 's' && matches!(argument.type_name(), "str") {
                    quote(out, from, self.conversion == 'a');
                }
                if let Some(precision) = self.precision {
                    truncate_chars(out, from, precision);
                }
                self.pad(from, out);
            }
            'c' => {
                match argument {
                    Argument::Int(code) => {
                        let code = u32::try_from(code).ok().and_then(char::from_u32);
                        out.push(code.ok_or("%c arg not in range(0x110000)")?);
                    }
                    Argument::Bool(value) => out.push(char::from(u8::from(value))),
                    argument if argument.type_name() == "str" => {
                        argument.push(compiled, record, out);
                        if out[from..].chars().count() != 1 {
                            return Err("%c requires int or char".into());
                        }
                    }
                    _ => return Err("%c requires int or char".into()),
                }
                self.pad(from, out);
            }
            'd' | 'i' | 'u' | 'x' | 'X' | 'o' => self.write_int(argument, out)?,
            _ => {
                let number = match argument {
                    Argument::Int(number) => number as f64,
                    Argument::Huge(number) => number as f64,
                    Argument::Bool(value) => f64::from(u8::from(value)),
                    Argument::Float(number) => number,
                    other => return Err(format!("must be real number, not {}", other.type_name())),
                };
                number::push_float(number, self.conversion, self.precision.unwrap_or(6), self.alternate, out);
                self.sign_and_pad(from, out);
            }
        }
        Ok(())
    }

    fn write_int(&self, argument: Argument<'_>, out: &mut String) -> Result<(), String> {
        let is_decimal = matches!(self.conversion, 'd' | 'i' | 'u');
        let (negative, magnitude) = match argument {
            Argument::Int(number) => (number < 0, number.unsigned_abs()),
            Argument::Huge(number) => (false, number),
            Argument::Bool(value) => (false, value.into()),
            Argument::Float(number) if is_decimal => {
                if !number.is_finite() {
                    let what = if number.is_nan() { "NaN" } else { "infinity" };
                    return Err(format!("cannot convert float {what} to integer"));
                }
                if number.abs() >= 2f64.powi(127) {
                    // A float beyond the integers' range has no fraction.
                    let from = out.len();
                    number::push_float(number, 'f', 0, false, out);
                    self.sign_and_pad(from, out);
                    return Ok(());
                }
                (number < 0.0 && number.trunc() != 0.0, number.trunc().abs() as u128)
            }
            other => {
                let wants = if is_decimal { "a real number is required" } else { "an integer is required" };
                return Err(format!("%{} format: {wants}, not {}", self.conversion, other.type_name()));
            }
        };
        let from = out.len();
        if negative {
            out.push('-');
        }
        let (base, prefix) = match self.conversion {
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            'o' => (8, "0o"),
            _ => (10, ""),
        };
        if self.alternate {
            out.push_str(prefix);
        }
        let start = out.len();
        number::push_radix(magnitude, base, self.conversion == 'X', out);
        if let Some(precision) = self.precision {
            number::zeros(out, start, precision);
        }
        self.sign_and_pad(from, out);
        Ok(())
    }

    fn sign_and_pad(&self, from: usize, out: &mut String) {
        if !out[from..].starts_with('-') {
            match (self.plus, self.space) {
                (true, _) => out.insert(from, '+'),
                (false, true) => out.insert(from, ' '),
                _ => {}
            }
        }
        if self.zero && !self.left {
            let sign = usize::from(out[from..].starts_with(['-', '+', ' ']));
            let prefix = if out[from + sign..].starts_with(['0']) && out[from + sign + 1..].starts_with(['x', 'X', 'o'])
            {
                2
            } else {
                0
            };
            let missing = self.width.min(MAX_WIDTH).saturating_sub(out.len() - from);
            insert_fill(out, from + sign + prefix, '0', missing);
        }
        self.pad(from, out);
    }

    fn pad(&self, from: usize, out: &mut String) {
        pad(out, from, self.width, ' ', if self.left { Align::Left } else { Align::Right });
    }
}

/// `default_msec_format`: a `%` format of a text and a number.
#[derive(Clone, Debug)]
pub(super) struct MsecFormat {
    before: Box<str>,
    text: Percent,
    between: Box<str>,
    number: Percent,
    after: Box<str>,
}

impl MsecFormat {
    pub(super) fn new(format: &str) -> Result<Self, String> {
        let mut literals = vec![String::new()];
        let mut specs = Vec::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            let last = literals.len() - 1;
            literals[last].push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                literals[last].push('%');
                rest = after;
                continue;
            }
            let (spec, after) = parse_spec(rest, format)?;
            rest = after;
            specs.push(spec);
            literals.push(String::new());
        }
        let last = literals.len() - 1;
        literals[last].push_str(rest);
        let specs: [Percent; 2] = specs.try_into().map_err(|specs: Vec<_>| {
            if specs.len() > 2 {
                "not enough arguments for format string".to_owned()
            } else {
                "not all arguments converted during string formatting".to_owned()
            }
        })?;
        let [text, number] = specs;
        if !matches!(text.conversion, 's' | 'r' | 'a') {
            return Err(format!("expected a text conversion (%s) first, got %{}", text.conversion));
        }
        if matches!(number.conversion, 'c' | 'x' | 'X' | 'o') {
            return Err(format!("expected a number conversion (%d) second, got %{}", number.conversion));
        }
        let [before, between, after] = [0, 1, 2].map(|index: usize| std::mem::take(&mut literals[index]).into());
        Ok(Self { before, text, between, number, after })
    }

    pub(super) fn write(&self, time: impl FnOnce(&mut String), milliseconds: u32, out: &mut String) {
        out.push_str(&self.before);
        let from = out.len();
        time(out);
        if self.text.conversion != 's' {
            quote(out, from, false);
        }
        if let Some(precision) = self.text.precision {
            truncate_chars(out, from, precision);
        }
        self.text.pad(from, out);
        out.push_str(&self.between);
        let from = out.len();
        match self.number.conversion {
            's' | 'r' | 'a' => {
                number::push_repr(milliseconds.into(), out);
                self.number.pad(from, out);
            }
            'd' | 'i' | 'u' => {
                out.push_str(itoa::Buffer::new().format(milliseconds));
                if let Some(precision) = self.number.precision {
                    number::zeros(out, from, precision);
                }
                self.number.sign_and_pad(from, out);
            }
            conversion => {
                let precision = self.number.precision.unwrap_or(6);
                number::push_float(milliseconds.into(), conversion, precision, self.number.alternate, out);
                self.number.sign_and_pad(from, out);
            }
        }
        out.push_str(&self.after);
    }
}
