//! `$name` and `${name}`: Python's `string.Template`.

use super::{
    attribute::Attribute,
    compiled::{Field, Segment, Spec, push_literal},
};

/// What follows a `$`; a name comes with the length of its placeholder.
enum Placeholder<'f> {
    Escaped,
    Name(&'f str, usize),
    Invalid,
}

fn parse_placeholder(rest: &str) -> Placeholder<'_> {
    if rest.starts_with('$') {
        return Placeholder::Escaped;
    }
    if let Some(inside) = rest.strip_prefix('{') {
        let name = name(inside);
        return match inside[name.len()..].starts_with('}') && !name.is_empty() {
            true => Placeholder::Name(name, name.len() + 2),
            false => Placeholder::Invalid,
        };
    }
    match name(rest) {
        "" => Placeholder::Invalid,
        name => Placeholder::Name(name, name.len()),
    }
}

/// `[_a-zA-Z][_a-zA-Z0-9]*`
fn name(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

pub(super) fn validate(format: &str) -> Result<(), String> {
    let mut rest = format;
    let mut fields = 0;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        match parse_placeholder(rest) {
            Placeholder::Escaped => rest = &rest[1..],
            Placeholder::Name(_, end) => {
                rest = &rest[end..];
                fields += 1;
            }
            Placeholder::Invalid => return Err("invalid format: bare '$' not allowed".into()),
        }
    }
    if fields == 0 { Err("invalid format: no fields".into()) } else { Ok(()) }
}

pub(super) fn compile(format: &str, segments: &mut Vec<Segment>) -> Result<(), String> {
    let mut rest = format;
    while let Some(at) = rest.find('$') {
        push_literal(segments, &rest[..at]);
        rest = &rest[at + 1..];
        match parse_placeholder(rest) {
            Placeholder::Escaped => {
                push_literal(segments, "$");
                rest = &rest[1..];
            }
            Placeholder::Name(name, end) => {
                segments.push(Segment::Field(Field { attribute: Attribute::by_name(name), spec: Spec::Plain }));
                rest = &rest[end..];
            }
            Placeholder::Invalid => {
                let before = &format[..format.len() - rest.len() - 1];
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                return Err(format!("Invalid placeholder in string: line {line}, col {column}"));
            }
        }
    }
    push_literal(segments, rest);
    Ok(())
}
