//! String and bytes literals.

use super::{Reader, value::Value};

impl Reader<'_> {
    /// One or more adjacent literals, each with an optional prefix.
    pub(super) fn texts(&mut self) -> Result<Value, String> {
        let mut all = self.text()?;
        loop {
            self.skip_spaces();
            let prefix = self.rest().find(|c: char| !c.is_ascii_alphabetic()).unwrap_or_default();
            if !self.rest()[prefix..].starts_with(['\'', '"']) {
                return Ok(all);
            }
            all = all.operate("+", self.text()?)?;
        }
    }

    fn text(&mut self) -> Result<Value, String> {
        let end = self.rest().find(['\'', '"']).unwrap_or_default();
        let prefix = &self.rest()[..end];
        let kind = prefix.to_lowercase();
        let (is_raw, is_bytes) = match &*kind {
            "" | "u" | "f" => (false, false),
            "r" | "fr" | "rf" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return Err(format!("expected a literal, got a text with the prefix {prefix:?}")),
        };
        self.at += end;
        let quote = &self.rest()[..1];
        let long = quote.repeat(3);
        let close = if self.rest().starts_with(&long) { &*long } else { quote };
        self.at += close.len();
        let mut out = Vec::new();
        while !self.rest().starts_with(close) {
            let c = self.next().filter(|c| *c != '\n' || close.len() > 1);
            let c = c.ok_or_else(|| format!("expected a closing {close}"))?;
            if is_bytes && !c.is_ascii() {
                return Err(format!("expected bytes below 128, got {c:?}"));
            }
            if kind.contains('f') && matches!(c, '{' | '}') {
                return Err("expected a literal, got a text with expressions in it".into());
            }
            self.at += c.len_utf8();
            match self.next() {
                // Raw: the next character is literal and does not end the string.
                Some(after @ ('\\' | '\'' | '"' | '\n')) if c == '\\' && is_raw => {
                    self.at += 1;
                    push(&mut out, c);
                    push(&mut out, after);
                }
                Some(after) if c == '\\' && !is_raw && (after.is_ascii() || !is_bytes) => {
                    self.escape(after, is_bytes, &mut out)?;
                }
                _ => push(&mut out, c),
            }
        }
        self.at += close.len();
        if is_bytes {
            return Ok(Value::Bytes(out));
        }
        String::from_utf8(out).map(Value::Str).map_err(|_| "expected a text".into())
    }

    /// An escape sequence, after the `\`.
    fn escape(&mut self, c: char, is_bytes: bool, out: &mut Vec<u8>) -> Result<(), String> {
        self.at += c.len_utf8();
        let digits = match c {
            '\n' => return Ok(()),
            'x' => 2,
            'u' if !is_bytes => 4,
            'U' if !is_bytes => 8,
            '0'..='7' => {
                self.at -= 1;
                let octal = self.rest().bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                let code = u32::from_str_radix(&self.rest()[..octal], 8).unwrap_or_default();
                self.at += octal;
                return code_point(code, is_bytes, out).ok_or_else(|| "expected an octal number up to 377".into());
            }
            'N' if !is_bytes => return Err("expected no character by its name".into()),
            _ => {
                let at = "abfnrtv\\'\"".find(c);
                match at.and_then(|at| "\x07\x08\x0c\n\r\t\x0b\\'\"".chars().nth(at)) {
                    Some(meant) => push(out, meant),
                    // Python keeps unknown escapes.
                    None => {
                        push(out, '\\');
                        push(out, c);
                    }
                }
                return Ok(());
            }
        };
        let hexadecimal = self.rest().get(..digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = hexadecimal.and_then(|code| u32::from_str_radix(code, 16).ok());
        code.and_then(|code| code_point(code, is_bytes, out))
            .ok_or_else(|| format!("expected {digits} hexadecimal digits of a character"))?;
        self.at += digits;
        Ok(())
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn code_point(code: u32, is_bytes: bool, out: &mut Vec<u8>) -> Option<()> {
    if is_bytes {
        out.push(u8::try_from(code).ok()?);
    } else {
        push(out, char::from_u32(code)?);
    }
    Some(())
}
