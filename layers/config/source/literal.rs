//! Python's literals, as `args` and `kwargs` of an INI file have them. Nothing is evaluated: a name stands for itself, and
//! whoever asked knows which names there are.

use crate::config::node::{Data, Key, Map, Node};

/// A name with dots, such as `sys.stdout`, comes as the text `ext://sys.stdout`.
///
/// # Errors
/// What was expected, and the column (in characters, from 1).
pub(in crate::config) fn literal(text: &str) -> Result<Node, (String, usize)> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let node = reader.value().and_then(|node| {
        reader.spaces();
        if reader.at == text.len() { Ok(node) } else { Err("expected the end".into()) }
    });
    node.map_err(|error| (error, text[..reader.at.min(text.len())].chars().count() + 1))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, what: &str) -> bool {
        self.spaces();
        let is_next = self.rest().starts_with(what);
        if is_next {
            self.at += what.len();
        }
        is_next
    }

    fn value(&mut self) -> Result<Node, String> {
        self.spaces();
        self.depth += 1;
        if self.depth > super::MAX_DEPTH {
            return Err("expected fewer brackets".into());
        }
        let data = match self.rest().chars().next() {
            None => return Err("expected a value".into()),
            Some('(') => self.list('(', ")")?,
            Some('[') => self.list('[', "]")?,
            Some('{') => self.map()?,
            Some('\'' | '"') => Data::Str(self.string()?),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number()?,
            Some(c) if c.is_alphabetic() || c == '_' => self.name()?,
            Some(c) => return Err(format!("expected a literal, got {c:?}")),
        };
        self.depth -= 1;
        Ok(Node::new(data))
    }

    /// A tuple or a list; `(x)` is x itself.
    fn list(&mut self, open: char, close: &str) -> Result<Data, String> {
        self.at += 1;
        let mut list = Vec::new();
        let mut comma = false;
        while !self.take(close) {
            if !list.is_empty() && !comma {
                return Err(format!("expected ',' or {close:?}"));
            }
            list.push(self.value()?);
            comma = self.take(",");
        }
        match list.pop() {
            Some(only) if open == '(' && list.is_empty() && !comma => Ok(only.data),
            last => {
                list.extend(last);
                Ok(Data::List(list))
            }
        }
    }

    fn map(&mut self) -> Result<Data, String> {
        self.at += 1;
        let mut map = Map::default();
        let mut comma = true;
        while !self.take("}") {
            if !comma {
                return Err("expected ',' or \"}\"".into());
            }
            self.spaces();
            let key = match self.value()?.data {
                Data::Str(text) => text,
                _ => return Err("expected a text as key".into()),
            };
            if !self.take(":") {
                return Err("expected ':'".into());
            }
            let node = self.value()?;
            match map.get_mut(&key) {
                Some(known) => *known = node,
                None => map.0.push((Key { text: key, at: None }, node)),
            }
            comma = self.take(",");
        }
        Ok(Data::Map(map))
    }

    /// One or several beside each other.
    fn string(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            self.spaces();
            match self.rest().chars().next() {
                Some(quote @ ('\'' | '"')) => self.one_string(quote, &mut text)?,
                _ => return Ok(text),
            }
        }
    }

    fn one_string(&mut self, quote: char, out: &mut String) -> Result<(), String> {
        self.at += 1;
        loop {
            let Some(c) = self.rest().chars().next() else { return Err(format!("expected a closing {quote}")) };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(()),
                '\\' => self.escape(out)?,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let Some(c) = self.rest().chars().next() else { return Err("expected something after '\\'".into()) };
        self.at += c.len_utf8();
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => {
                match c {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    '\n' => {}
                    '\\' | '\'' | '"' => out.push(c),
                    // As Python leaves what is no escape.
                    c => out.extend(['\\', c]),
                }
                return Ok(());
            }
        };
        let code = self.rest().get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let code = code.and_then(char::from_u32).ok_or_else(|| format!("expected {digits} hexadecimal digits"))?;
        self.at += digits;
        out.push(code);
        Ok(())
    }

    fn number(&mut self) -> Result<Data, String> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let digits = rest[..end].replace('_', "");
        let (sign, bare) = match digits.strip_prefix('-') {
            Some(bare) => (-1, bare),
            None => (1, digits.strip_prefix('+').unwrap_or(&digits)),
        };
        let based = |prefix, base| bare.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, base).ok());
        let whole = based("0x", 16).or_else(|| based("0o", 8)).or_else(|| based("0b", 2)).map(|number| sign * number);
        let data = match (whole.or_else(|| digits.parse().ok()), digits.parse::<f64>()) {
            (Some(number), _) => Data::Int(number),
            (None, Ok(number)) if !bare.starts_with(['i', 'n']) => Data::Float(number),
            _ => return Err(format!("expected a number, got {:?}", &rest[..end])),
        };
        self.at += end;
        Ok(data)
    }

    fn name(&mut self) -> Result<Data, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        let after = rest[end..].trim_start();
        if after.starts_with('(') {
            return Err(format!("expected a literal, got a call of {name:?}"));
        }
        self.at += end;
        Ok(match &*name {
            "None" => Data::Null,
            "True" => Data::Bool(true),
            "False" => Data::Bool(false),
            _ => Data::Str(format!("ext://{name}")),
        })
    }
}
