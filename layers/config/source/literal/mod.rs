//! Python's constant expressions, as `args` and `kwargs` of an INI file have them: literals, operators and names. Nothing
//! is called: a name stands for itself, and whoever asked knows which names there are.

mod quoted;
mod value;

use self::value::Value;
use crate::config::node::Node;

/// A name with dots, such as `sys.stdout`, comes as the text `ext://sys.stdout`.
///
/// # Errors
/// What was expected, and the column (in characters, from 1).
pub(in crate::config) fn literal(text: &str) -> Result<Node, (String, usize)> {
    let mut reader = Reader { text, at: 0, depth: 0, brackets: 1, made: 0 };
    // Before it, and after it, there may be empty lines.
    reader.spaces();
    reader.brackets = 0;
    let node = reader.binary(0).and_then(|value| {
        reader.brackets = 1;
        reader.spaces();
        if reader.at == text.len() { value.into_node() } else { Err("expected the end".into()) }
    });
    node.map_err(|error| (error, text[..reader.at.min(text.len())].chars().count() + 1))
}

/// From those that bind least; of two that begin alike the longer one comes first.
const OPERATORS: &[&[&str]] = &[&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["**", "*", "//", "/", "%"]];

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// How many are open: within them, the end of a line is a space.
    brackets: usize,
    /// Values so far.
    made: usize,
}

/// More than anybody has to say in one line.
const MAX_VALUES: usize = 10_000;

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Spaces and comments.
    fn spaces(&mut self) {
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

    fn take(&mut self, what: &str) -> bool {
        self.spaces();
        let is_next = self.rest().starts_with(what);
        if is_next {
            self.at += what.len();
        }
        is_next
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > super::MAX_DEPTH {
            return Err("expected fewer brackets and signs".into());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Operators of a rank and of those above it, from left to right.
    fn binary(&mut self, rank: usize) -> Result<Value, String> {
        let Some(operators) = OPERATORS.get(rank) else { return self.unary() };
        let mut left = self.binary(rank + 1)?;
        loop {
            self.spaces();
            let rest = self.rest();
            let Some(operator) = operators.iter().find(|operator| rest.starts_with(**operator)) else {
                return Ok(left);
            };
            self.at += operator.len();
            let right = self.binary(rank + 1)?;
            left = left.operate(operator, right)?;
        }
    }

    fn unary(&mut self) -> Result<Value, String> {
        self.spaces();
        if let Some(sign @ ('-' | '+' | '~')) = self.next() {
            self.at += 1;
            return self.deeper(Self::unary)?.signed(sign);
        }
        let base = self.atom()?;
        if !self.take("**") {
            return Ok(base);
        }
        let exponent = self.deeper(Self::unary)?;
        base.operate("**", exponent)
    }

    fn atom(&mut self) -> Result<Value, String> {
        self.made += 1;
        if self.made > MAX_VALUES {
            return Err(format!("expected at most {MAX_VALUES} values, got more"));
        }
        self.spaces();
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

    /// What is between brackets, up to the one that closes.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.at += 1;
        self.brackets += 1;
        let result = self.deeper(read);
        self.brackets -= 1;
        result
    }

    /// A tuple or a list; `(x)` is x itself.
    fn list(&mut self, close: &str) -> Result<Value, String> {
        self.inside(|reader| {
            let (mut list, mut comma) = (Vec::new(), false);
            while !reader.take(close) {
                if !list.is_empty() && !comma {
                    return Err(format!("expected ',' or {close:?}"));
                }
                list.push(reader.binary(0)?);
                comma = reader.take(",");
            }
            Ok(match close {
                "]" => Value::List(list),
                _ if list.len() == 1 && !comma => list.remove(0),
                _ => Value::Tuple(list),
            })
        })
    }

    fn map(&mut self) -> Result<Value, String> {
        self.inside(|reader| {
            let (mut map, mut comma): (Vec<(String, Value)>, _) = (Vec::new(), true);
            while !reader.take("}") {
                if !comma {
                    return Err("expected ',' or \"}\"".into());
                }
                let Value::Str(key) = reader.binary(0)? else { return Err("expected a text as key".into()) };
                if !reader.take(":") {
                    return Err("expected ':'".into());
                }
                let value = reader.binary(0)?;
                map.retain(|(known, _)| *known != key);
                map.push((key, value));
                comma = reader.take(",");
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
            // `1j` and `12abc` are no numbers of ours.
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
