//! How a `{` format is split, and Python's check of it.

use crate::text::python_repr;

/// A literal or a field, as CPython's parser splits a format.
pub(super) enum Token<'f> {
    Literal(&'f str),
    Field { name: &'f str, conversion: Option<char>, spec: &'f str },
}

pub(super) struct Parser<'f> {
    rest: &'f str,
    /// The next token is a field: the literal before it was taken.
    in_field: bool,
}

impl<'f> Parser<'f> {
    pub(super) fn new(format: &'f str) -> Self {
        Self { rest: format, in_field: false }
    }

    pub(super) fn next(&mut self) -> Result<Option<Token<'f>>, String> {
        if std::mem::take(&mut self.in_field) {
            return self.field().map(Some);
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some(at) = self.rest.find(['{', '}']) else {
            return Ok(Some(Token::Literal(std::mem::take(&mut self.rest))));
        };
        let (brace, after) = (&self.rest[at..=at], &self.rest[at + 1..]);
        if after.starts_with(brace) {
            let literal = &self.rest[..=at];
            self.rest = &after[1..];
            return Ok(Some(Token::Literal(literal)));
        }
        if brace == "}" || after.is_empty() {
            return Err(format!("Single '{brace}' encountered in format string"));
        }
        let literal = &self.rest[..at];
        self.rest = after;
        self.in_field = true;
        Ok(Some(Token::Literal(literal)))
    }

    fn field(&mut self) -> Result<Token<'f>, String> {
        let text = self.rest;
        let (end, mark) = name_end(text)?.ok_or("expected '}' before end of string")?;
        let name = &text[..end];
        let mut rest = &text[end + 1..];
        let mut conversion = None;
        match mark {
            '}' => {
                self.rest = rest;
                return Ok(Token::Field { name, conversion, spec: "" });
            }
            '!' => {
                let mut characters = rest.chars();
                conversion = Some(characters.next().ok_or("end of string while looking for conversion specifier")?);
                match characters.next() {
                    Some('}') => {
                        self.rest = characters.as_str();
                        return Ok(Token::Field { name, conversion, spec: "" });
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
                return Ok(Token::Field { name, conversion, spec: &rest[..at] });
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

pub(in crate::format::template) fn validate(format: &str) -> Result<(), String> {
    let wrong = |error: String| format!("invalid format: {error}");
    let mut parser = Parser::new(format);
    let mut fields = 0;
    while let Some(token) = parser.next().map_err(wrong)? {
        let Token::Field { name, conversion, spec } = token else { continue };
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
