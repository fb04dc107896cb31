//! `{name!r:<8}`: Python's `str.format`.

mod parse;
mod spec;

pub(super) use self::parse::validate;
use self::{
    parse::{Parser, Token},
    spec::FormatSpec,
};
use super::{
    argument::Argument,
    attribute::Attribute,
    compiled::{Body, Compiled, Field, Segment, Spec, push_literal},
    tail::quote,
};
use crate::Record;

/// How one field is written.
#[derive(Debug)]
pub(super) struct BraceField {
    /// `r`, `s` or `a`.
    conversion: Option<char>,
    spec: BraceSpec,
}

#[derive(Debug)]
enum BraceSpec {
    Fixed(FormatSpec),
    /// With fields in it: `{name:{width}}`.
    Nested(Body),
    /// The error of every record, in Python's words.
    Invalid(String),
}

pub(super) fn compile(format: &str, segments: &mut Vec<Segment>) -> Result<(), String> {
    compile_to_depth(format, 2, segments)
}

fn compile_to_depth(format: &str, depth: u8, segments: &mut Vec<Segment>) -> Result<(), String> {
    let Some(depth) = depth.checked_sub(1) else { return Err("Max string recursion exceeded".into()) };
    let mut parser = Parser::new(format);
    while let Some(token) = parser.next()? {
        match token {
            Token::Literal(text) => push_literal(segments, text),
            Token::Field { name, conversion, spec } => {
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    let index: usize = name.parse().unwrap_or_default();
                    return Err(format!("Replacement index {index} out of range for positional args tuple"));
                }
                let attribute = Attribute::by_name(name);
                if let Some(conversion) = conversion.filter(|conversion| !"rsa".contains(*conversion)) {
                    let error = format!("Unknown conversion specifier {conversion}");
                    // Python looks the name up first.
                    segments.push(Segment::Field(Field { attribute, spec: Spec::Invalid(error.clone()) }));
                    return Err(error);
                }
                let spec = if conversion.is_none() && spec.is_empty() {
                    Spec::Plain
                } else if spec.contains(['{', '}']) {
                    let nested = Body::compile(|segments| compile_to_depth(spec, depth, segments));
                    Spec::Brace(BraceField { conversion, spec: BraceSpec::Nested(nested) })
                } else {
                    Spec::Brace(BraceField {
                        conversion,
                        spec: FormatSpec::parse(spec).map_or_else(BraceSpec::Invalid, BraceSpec::Fixed),
                    })
                };
                segments.push(Segment::Field(Field { attribute, spec }));
            }
        }
    }
    Ok(())
}

impl BraceField {
    pub(super) fn write(
        &self,
        argument: Argument<'_>,
        compiled: &Compiled,
        record: &Record,
        out: &mut String,
    ) -> Result<(), String> {
        let type_name = if self.conversion.is_some() { "str" } else { argument.type_name() };
        let spec = match &self.spec {
            BraceSpec::Fixed(spec) => Ok(*spec),
            BraceSpec::Nested(body) => FormatSpec::parse(&body.to_text(compiled, record)?),
            BraceSpec::Invalid(error) => Err(error.clone()),
        };
        if matches!(type_name, "NoneType" | "tuple") && spec != Ok(FormatSpec::default()) {
            return Err(format!("unsupported format string passed to {type_name}.__format__"));
        }
        let spec = spec.map_err(|error| match error.starts_with("Invalid format specifier") {
            true => format!("{error} for object of type '{type_name}'"),
            false => error,
        })?;
        spec.check_grouping(type_name)?;
        let from = out.len();
        let is_text = argument.type_name() == "str";
        if self.conversion.is_some() {
            argument.push(compiled, record, out);
            if is_text && self.conversion != Some('s') {
                quote(out, from, self.conversion == Some('a'));
            }
            return spec.text(from, out);
        }
        match argument {
            Argument::None => out.push_str("None"),
            Argument::Args | Argument::ExcInfo => argument.push(compiled, record, out),
            Argument::Bool(value) if spec == FormatSpec::default() => {
                out.push_str(if value { "True" } else { "False" })
            }
            Argument::Bool(value) => return spec.int(false, value.into(), "bool", out),
            Argument::Int(number) => return spec.int(number < 0, number.unsigned_abs(), "int", out),
            Argument::Huge(number) => return spec.int(false, number, "int", out),
            Argument::Float(number) => return spec.float(number, out),
            text => {
                text.push(compiled, record, out);
                return spec.text(from, out);
            }
        }
        Ok(())
    }
}
