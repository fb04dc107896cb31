//! `{name!r:<8}`: Python's `str.format`.

use super::{
    Attribute, Body, Compiled, Field, Piece, Shown, Side, Spec, cut, insert_fill, number, pad, push_literal, quote,
};
use crate::{Record, text::python_repr};

#[derive(Debug)]
pub(super) struct Brace {
    /// `r`, `s` or `a`.
    conversion: Option<char>,
    spec: Layout,
}

#[derive(Debug)]
enum Layout {
    Fixed(Mini),
    /// With fields in it: `{name:{width}}`.
    Nested(Body),
    /// What Python says about it when it formats.
    Wrong(String),
}

/// `[[fill]align][sign][#][0][width][,|_][.precision][type]`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mini {
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

/// One step through a format, as CPython's parser takes it.
enum Step<'f> {
    Literal(&'f str),
    Field { name: &'f str, conversion: Option<char>, spec: &'f str },
}

struct Steps<'f> {
    rest: &'f str,
    /// A field that follows the literal before it.
    in_field: bool,
}

impl<'f> Steps<'f> {
    fn new(format: &'f str) -> Self {
        Self { rest: format, in_field: false }
    }

    fn next(&mut self) -> Result<Option<Step<'f>>, String> {
        if std::mem::take(&mut self.in_field) {
            return self.field().map(Some);
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some(at) = self.rest.find(['{', '}']) else {
            return Ok(Some(Step::Literal(std::mem::take(&mut self.rest))));
        };
        let (brace, after) = (&self.rest[at..=at], &self.rest[at + 1..]);
        if after.starts_with(brace) {
            let literal = &self.rest[..=at];
            self.rest = &after[1..];
            return Ok(Some(Step::Literal(literal)));
        }
        if brace == "}" || after.is_empty() {
            return Err(format!("Single '{brace}' encountered in format string"));
        }
        let literal = &self.rest[..at];
        self.rest = after;
        self.in_field = true;
        Ok(Some(Step::Literal(literal)))
    }

    fn field(&mut self) -> Result<Step<'f>, String> {
        let text = self.rest;
        let (end, mark) = name_end(text)?.ok_or("expected '}' before end of string")?;
        let name = &text[..end];
        let mut rest = &text[end + 1..];
        let mut conversion = None;
        match mark {
            '}' => {
                self.rest = rest;
                return Ok(Step::Field { name, conversion, spec: "" });
            }
            '!' => {
                let mut characters = rest.chars();
                conversion = Some(characters.next().ok_or("end of string while looking for conversion specifier")?);
                match characters.next() {
                    Some('}') => {
                        self.rest = characters.as_str();
                        return Ok(Step::Field { name, conversion, spec: "" });
                    }
                    None | Some(':') => rest = characters.as_str(),
                    Some(_) => return Err("expected ':' after conversion specifier".into()),
                }
            }
            _ => {}
        }
        let mut depth = 1;
        for (at, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.rest = &rest[at + 1..];
                return Ok(Step::Field { name, conversion, spec: &rest[..at] });
            }
        }
        Err("unmatched '{' in format spec".into())
    }
}

/// Where a field's name ends, and with what; none if it never does.
fn name_end(text: &str) -> Result<Option<(usize, char)>, String> {
    let mut in_index = false;
    for (at, c) in text.char_indices() {
        match c {
            ']' if in_index => in_index = false,
            _ if in_index => {}
            '[' => in_index = true,
            '{' => return Err("unexpected '{' in field name".into()),
            '}' | ':' | '!' => return Ok(Some((at, c))),
            _ => {}
        }
    }
    Ok(None)
}

pub(super) fn validate(format: &str) -> Result<(), String> {
    let wrong = |error: String| format!("invalid format: {error}");
    let mut steps = Steps::new(format);
    let mut fields = 0;
    while let Some(step) = steps.next().map_err(wrong)? {
        let Step::Field { name, conversion, spec } = step else { continue };
        if !name.is_empty() {
            if !is_name(name) {
                return Err(wrong(format!("invalid field name/expression: {}", python_repr(name))));
            }
            fields += 1;
        }
        if let Some(conversion) = conversion.filter(|conversion| !"rsa".contains(*conversion)) {
            return Err(wrong(format!("invalid conversion: {}", python_repr(&conversion.to_string()))));
        }
        if !spec.is_empty() && !is_spec(spec) {
            return Err(wrong(format!("bad specifier: {}", python_repr(spec))));
        }
    }
    if fields == 0 { Err(wrong("no fields".into())) } else { Ok(()) }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `^(\d+|\w+)(\.\w+|\[[^]]+\])*$`
fn is_name(name: &str) -> bool {
    let mut rest = name.trim_start_matches(is_word);
    if rest.len() == name.len() {
        return false;
    }
    while !rest.is_empty() {
        let after = if let Some(part) = rest.strip_prefix('.') {
            let after = part.trim_start_matches(is_word);
            (after.len() < part.len()).then_some(after)
        } else if let Some(part) = rest.strip_prefix('[') {
            part.find(']').filter(|at| *at > 0).map(|at| &part[at + 1..])
        } else {
            None
        };
        let Some(after) = after else { return false };
        rest = after;
    }
    true
}

/// `^(.?[<>=^])?[+ -]?#?0?(\d+|{\w+})?[,_]?(\.(\d+|{\w+}))?[bcdefgnosx%]?$`, in any case.
fn is_spec(spec: &str) -> bool {
    let mut characters = spec.chars();
    let (first, second) = (characters.next(), characters.next());
    let is_align = |c: Option<char>| matches!(c, Some('<' | '>' | '=' | '^'));
    let skip = |count: usize| spec.char_indices().nth(count).map_or("", |(at, _)| &spec[at..]);
    // The expression would try both readings of `<<`.
    let starts = [(is_align(second), 2), (is_align(first), 1), (true, 0)];
    starts.into_iter().any(|(fits, count)| fits && is_spec_after_align(skip(count)))
}

fn is_spec_after_align(spec: &str) -> bool {
    let rest = spec.strip_prefix(['+', ' ', '-']).unwrap_or(spec);
    let rest = rest.strip_prefix('#').unwrap_or(rest);
    let rest = rest.strip_prefix('0').unwrap_or(rest);
    let rest = number_or_field(rest).unwrap_or(rest);
    let rest = rest.strip_prefix([',', '_']).unwrap_or(rest);
    let rest = rest.strip_prefix('.').and_then(number_or_field).unwrap_or(rest);
    let mut kind = rest.chars();
    match (kind.next(), kind.next()) {
        (None, _) => true,
        (Some(kind), None) => "bcdefgnosx%".contains(kind.to_ascii_lowercase()),
        _ => false,
    }
}

/// `\d+|{\w+}`
fn number_or_field(text: &str) -> Option<&str> {
    if let Some(inside) = text.strip_prefix('{') {
        let after = inside.trim_start_matches(is_word);
        return after.strip_prefix('}').filter(|_| after.len() < inside.len());
    }
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

pub(super) fn compile(format: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    compile_to_depth(format, 2, pieces)
}

fn compile_to_depth(format: &str, depth: u8, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else { return Err("Max string recursion exceeded".into()) };
    let mut steps = Steps::new(format);
    while let Some(step) = steps.next()? {
        match step {
            Step::Literal(text) => push_literal(pieces, text),
            Step::Field { name, conversion, spec } => {
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    let index: usize = name.parse().unwrap_or_default();
                    return Err(format!("Replacement index {index} out of range for positional args tuple"));
                }
                let attribute = Attribute::by_name(name);
                if let Some(conversion) = conversion.filter(|conversion| !"rsa".contains(*conversion)) {
                    let error = format!("Unknown conversion specifier {conversion}");
                    // Python looks the name up first.
                    pieces.push(Piece::Field(Field { attribute, spec: Spec::Wrong(error.clone()) }));
                    return Err(error);
                }
                let spec = if conversion.is_none() && spec.is_empty() {
                    Spec::Plain
                } else if spec.contains(['{', '}']) {
                    let nested = Body::make(|pieces| compile_to_depth(spec, depth, pieces));
                    Spec::Brace(Brace { conversion, spec: Layout::Nested(nested) })
                } else {
                    Spec::Brace(Brace { conversion, spec: Mini::read(spec).map_or_else(Layout::Wrong, Layout::Fixed) })
                };
                pieces.push(Piece::Field(Field { attribute, spec }));
            }
        }
    }
    Ok(())
}

impl Mini {
    fn read(text: &str) -> Result<Self, String> {
        let mut mini = Self::default();
        let is_align = |c: char| matches!(c, '<' | '>' | '=' | '^');
        let mut characters = text.chars();
        let mut rest = match (characters.next(), characters.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (mini.fill, mini.align) = (Some(fill), Some(align));
                characters.as_str()
            }
            (Some(align), _) if is_align(align) => {
                mini.align = Some(align);
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
        mini.sign = take(&mut rest, &['+', '-', ' ']);
        mini.alternate = take(&mut rest, &['#']).is_some();
        mini.zero = take(&mut rest, &['0']).is_some();
        mini.width = digits(&mut rest)?.unwrap_or_default();
        mini.grouping = take(&mut rest, &[',', '_']);
        if let Some(other) = take(&mut rest, &[',', '_']) {
            return Err(match (mini.grouping, other) {
                (Some(one), two) if one == two => format!("Cannot specify '{one}' with '{two}'."),
                _ => "Cannot specify both ',' and '_'.".into(),
            });
        }
        if take(&mut rest, &['.']).is_some() {
            mini.precision = Some(digits(&mut rest)?.ok_or("Format specifier missing precision")?);
        }
        let mut kind = rest.chars();
        mini.kind = kind.next();
        if kind.next().is_some() {
            return Err(format!("Invalid format specifier '{text}'"));
        }
        Ok(mini)
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

impl Brace {
    pub(super) fn write(
        &self,
        shown: Shown<'_>,
        compiled: &Compiled,
        record: &Record,
        out: &mut String,
    ) -> Result<(), String> {
        let type_name = if self.conversion.is_some() { "str" } else { shown.type_name() };
        let mini = match &self.spec {
            Layout::Fixed(mini) => Ok(*mini),
            Layout::Nested(body) => Mini::read(&nested(body, compiled, record)?),
            Layout::Wrong(error) => Err(error.clone()),
        };
        if matches!(type_name, "NoneType" | "tuple") && mini != Ok(Mini::default()) {
            return Err(format!("unsupported format string passed to {type_name}.__format__"));
        }
        let mini = mini.map_err(|error| match error.starts_with("Invalid format specifier") {
            true => format!("{error} for object of type '{type_name}'"),
            false => error,
        })?;
        mini.check_grouping(type_name)?;
        let from = out.len();
        let is_text = shown.type_name() == "str";
        if self.conversion.is_some() {
            shown.push(compiled, record, out);
            if is_text && self.conversion != Some('s') {
                quote(out, from, self.conversion == Some('a'));
            }
            return mini.text(from, out);
        }
        match shown {
            Shown::None => out.push_str("None"),
            Shown::Tuple | Shown::Triple => shown.push(compiled, record, out),
            Shown::Bool(value) if mini == Mini::default() => out.push_str(if value { "True" } else { "False" }),
            Shown::Bool(value) => return mini.int(false, value.into(), "bool", out),
            Shown::Int(number) => return mini.int(number < 0, number.unsigned_abs(), "int", out),
            Shown::Huge(number) => return mini.int(false, number, "int", out),
            Shown::Float(number) => return mini.float(number, out),
            text => {
                text.push(compiled, record, out);
                return mini.text(from, out);
            }
        }
        Ok(())
    }
}

fn nested(body: &Body, compiled: &Compiled, record: &Record) -> Result<String, String> {
    let mut text = String::new();
    for piece in &body.pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Field(field) => field.write(compiled, record, &mut text)?,
        }
    }
    body.broken.clone().map_or(Ok(text), Err)
}

impl Mini {
    fn check_grouping(&self, type_name: &str) -> Result<(), String> {
        let Some(separator) = self.grouping else { return Ok(()) };
        let kind = self.kind.or(match type_name {
            "str" => Some('s'),
            _ => None,
        });
        match kind {
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

    fn text(&self, from: usize, out: &mut String) -> Result<(), String> {
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
            cut(out, from, precision);
        }
        let fill = self.fill.unwrap_or(if self.zero && self.align.is_none() { '0' } else { ' ' });
        let fill = if self.zero && self.fill.is_none() { '0' } else { fill };
        let side = match self.align {
            Some('>') => Side::Right,
            Some('^') => Side::Center,
            _ => Side::Left,
        };
        pad(out, from, self.width, fill, side);
        Ok(())
    }

    fn int(&self, negative: bool, magnitude: u128, type_name: &str, out: &mut String) -> Result<(), String> {
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

    fn float(&self, number: f64, out: &mut String) -> Result<(), String> {
        let from = out.len();
        let precision = self.precision.map(|precision| precision.min(super::MAX_WIDTH));
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

    /// What numbers have in common, from the sign on. `prefix` is the length of `0x`.
    fn group_and_pad(&self, from: usize, prefix: usize, size: usize, out: &mut String) -> Result<(), String> {
        if !out[from..].starts_with('-')
            && let Some(sign) = self.sign.filter(|sign| *sign != '-')
        {
            out.insert(from, sign);
        }
        let sign = usize::from(out[from..].starts_with(['-', '+', ' ']));
        let digits = from + sign + prefix;
        let zero_filled = self.zero && self.align.is_none();
        if let Some(separator) = self.grouping {
            if zero_filled {
                self.zeros_for_groups(from, digits, size, out);
            }
            number::group(out, digits, separator, size);
        }
        let (fill, align) =
            if zero_filled { ('0', '=') } else { (self.fill.unwrap_or(' '), self.align.unwrap_or('>')) };
        let fill = if self.zero && self.fill.is_none() { '0' } else { fill };
        match align {
            '=' => {
                let there = out[from..].chars().count();
                insert_fill(out, digits, fill, self.width.min(super::MAX_WIDTH).saturating_sub(there));
            }
            '<' => pad(out, from, self.width, fill, Side::Left),
            '^' => pad(out, from, self.width, fill, Side::Center),
            _ => pad(out, from, self.width, fill, Side::Right),
        }
        Ok(())
    }

    /// Zeros in front are grouped as well, so their number follows from the width.
    fn zeros_for_groups(&self, from: usize, digits: usize, size: usize, out: &mut String) {
        let end = out[digits..].find(|c: char| !c.is_ascii_hexdigit()).map_or(out.len(), |at| digits + at);
        let others = digits - from + out.len() - end;
        let width = self.width.min(super::MAX_WIDTH);
        let mut count = end - digits;
        while others + count + (count.max(1) - 1) / size < width {
            count += 1;
        }
        insert_fill(out, digits, '0', count - (end - digits));
    }
}
