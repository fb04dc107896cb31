//! Python's constant expressions, for `args` and `kwargs` of an INI file: literals, operators and names. Nothing is called;
//! the caller resolves names that are not constants.

mod quoted;
mod value;

use self::value::Value;
use crate::config::node::Node;

/// Evaluates an expression. A name, such as `sys.stdout`, becomes the string `ext://sys.stdout`.
///
/// # Errors
/// The message and the column (in characters, from 1).
pub(in crate::config) fn literal(text: &str) -> Result<Node, (String, usize)> {
    let mut reader = Reader { text, at: 0, depth: 0, brackets: 1, count: 0 };
    // Empty lines may surround it.
    reader.skip_spaces();
    reader.brackets = 0;
    let node = reader.binary(0).and_then(|value| {
        reader.brackets = 1;
        reader.skip_spaces();
        if reader.at == text.len() { value.into_node() } else { Err("expected the end".into()) }
    });
    node.map_err(|error| (error, text[..reader.at.min(text.len())].chars().count() + 1))
}

/// By precedence, lowest first. An operator that is a prefix of another comes after it.
const OPERATORS: &[&[&str]] = &[&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["**", "*", "//", "/", "%"]];

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// The number of open brackets: within them, line ends are whitespace.
    brackets: usize,
    /// The number of values so far.
    count: usize,
}

const MAX_VALUES: usize = 10_000;

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Skips whitespace and comments.
    fn skip_spaces(&mut self) {
        loop {
            let rest = self.rest();
            self.at += match self.next() {
                Some(' ' | '\t' | '\u{c}') => 1,
                Some('\n' | '\r') if self.brackets > 0 => 1,
                Some('#') => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with("\\\n") => 2,
                _ => return,
            };
        }
    }

    fn eat(&mut self, what: &str) -> bool {
        self.skip_spaces();
        let is_next = self.rest().starts_with(what);
        if is_next {
            self.at += what.len();
        }
        is_next
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > super::MAX_DEPTH {
            return Err("expected fewer brackets and signs".into());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Operators of a precedence and above, left to right.
    fn binary(&mut self, precedence: usize) -> Result<Value, String> {
        let Some(operators) = OPERATORS.get(precedence) else { return self.unary() };
        let mut left = self.binary(precedence + 1)?;
        loop {
            self.skip_spaces();
            let rest = self.rest();
            let Some(operator) = operators.iter().find(|operator| rest.starts_with(**operator)) else {
                return Ok(left);
            };
            self.at += operator.len();
            let right = self.binary(precedence + 1)?;
            left = left.operate(operator, right)?;
        }
    }

    fn unary(&mut self) -> Result<Value, String> {
        self.skip_spaces();
        if let Some(sign @ ('-' | '+' | '~')) = self.next() {
            self.at += 1;
            return self.nested(Self::unary)?.signed(sign);
        }
        let base = self.atom()?;
        if !self.eat("**") {
            return Ok(base);
        }
        let exponent = self.nested(Self::unary)?;
        base.operate("**", exponent)
    }

    fn atom(&mut self) -> Result<Value, String> {
        self.count += 1;
        if self.count > MAX_VALUES {
            return Err(format!("expected at most {MAX_VALUES} values, got more"));
        }
        self.skip_spaces();
        match self.next() {
            None => Err("expected a value".into()),
            Some('(') => self.list(")"),
            Some('[') => self.list("]"),
            Some('{') => self.map(),
            Some('\'' | '"') => self.texts(),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.name(),
            Some(c) => Err(format!("expected a literal, got {c:?}")),
        }
    }

    /// Reads what is between brackets.
    fn bracketed<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.at += 1;
        self.brackets += 1;
        let result = self.nested(read);
        self.brackets -= 1;
        result
    }

    /// A tuple or a list; `(x)` is `x`.
    fn list(&mut self, close: &str) -> Result<Value, String> {
        self.bracketed(|reader| {
            let (mut list, mut comma) = (Vec::new(), false);
            while !reader.eat(close) {
                if !list.is_empty() && !comma {
                    return Err(format!("expected ',' or {close:?}"));
                }
                list.push(reader.binary(0)?);
                comma = reader.eat(",");
            }
            Ok(match close {
                "]" => Value::List(list),
                _ if list.len() == 1 && !comma => list.remove(0),
                _ => Value::Tuple(list),
            })
        })
    }

    fn map(&mut self) -> Result<Value, String> {
        self.bracketed(|reader| {
            let (mut map, mut comma): (Vec<(String, Value)>, _) = (Vec::new(), true);
            while !reader.eat("}") {
                if !comma {
                    return Err("expected ',' or \"}\"".into());
                }
                let Value::Str(key) = reader.binary(0)? else { return Err("expected a text as key".into()) };
                if !reader.eat(":") {
                    return Err("expected ':'".into());
                }
                let value = reader.binary(0)?;
                map.retain(|(known, _)| *known != key);
                map.push((key, value));
                comma = reader.eat(",");
            }
            Ok(Value::Map(map))
        })
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let digits_from = |at: usize| {
            let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'_';
            at + rest.as_bytes()[at..].iter().take_while(|byte| is_part(byte)).count()
        };
        let is_based = rest.len() > 1 && rest.starts_with('0') && rest[1..].starts_with(['x', 'X', 'o', 'O', 'b', 'B']);
        let mut end = digits_from(0);
        if is_based {
            end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        } else {
            if rest[end..].starts_with('.') {
                end = digits_from(end + 1);
            }
            let exponent =
                rest[end..].strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
            if let Some(digits) = exponent.filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit())) {
                end = digits_from(rest.len() - digits.len());
            }
            // Includes the rest of `1j` and `12abc`, which are refused.
            end += rest[end..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - end);
        }
        let written = &rest[..end];
        let number = value::number(written).ok_or_else(|| format!("expected a number, got {written:?}"))?;
        self.at += end;
        Ok(number)
    }

    fn name(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let name = &rest[..end];
        if rest[end..].starts_with(['\'', '"']) {
            return self.texts();
        }
        if rest[end..].trim_start().starts_with('(') {
            return Err(format!("expected a literal, got a call of {name:?}"));
        }
        self.at += end;
        Ok(match name {
            "None" => Value::None,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            _ => Value::Name(name.to_owned()),
        })
    }
}
