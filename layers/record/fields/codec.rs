//! Fields as bytes, and back.

use super::{
    super::bytes::{Reader, put_bytes, put_number, put_text},
    Fields, Link, Name, Stored, Value, Word,
};
use crate::record::JsonText;

/// Fields are found by comparing all: a damaged entry may not have more.
const MAX_FIELDS: usize = 1 << 16;

impl Fields {
    pub(in crate::record) fn encode(&self, out: &mut Vec<u8>) {
        put_number(out, self.len() as u64);
        for (name, value) in self.iter() {
            put_bytes(out, name.as_bytes());
            match value {
                Value::Bool(value) => out.extend_from_slice(&[0, value.into()]),
                Value::I64(number) => put_word(out, 1, number as u64),
                Value::U64(number) => put_word(out, 2, number),
                Value::F64(number) => put_word(out, 3, number.to_bits()),
                Value::I128(number) => put_wide(out, 4, number as u128),
                Value::U128(number) => put_wide(out, 5, number),
                Value::Str(text) => put_part(out, 6, text.as_bytes()),
                Value::Rendered(text) => put_part(out, 7, text.as_bytes()),
                Value::Json(json) => put_part(out, 8, json.as_str().as_bytes()),
                Value::Bytes(bytes) => put_part(out, 9, bytes),
                Value::Error(chain) => {
                    out.push(10);
                    let links = chain.links_with_types();
                    put_number(out, chain.count.into());
                    for (type_name, text) in links {
                        put_text(out, type_name);
                        put_bytes(out, text.as_bytes());
                    }
                }
            }
        }
        put_number(out, self.marked.into());
    }

    /// Into fields that are empty.
    pub(in crate::record) fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        // A name and a value are three bytes at least.
        let count = from.count(3).filter(|count| *count <= MAX_FIELDS)?;
        for _ in 0..count {
            let name = from.str()?;
            let value = match from.byte()? {
                0 => Stored::Bool(from.flag()?),
                1 => Stored::I64(Word::of(u64::from_le_bytes(from.array()?))),
                2 => Stored::U64(Word::of(u64::from_le_bytes(from.array()?))),
                3 => Stored::F64(Word::of(u64::from_le_bytes(from.array()?))),
                4 => Stored::I128(self.push_bytes(&i128::from_le_bytes(from.array()?).to_ne_bytes())),
                5 => Stored::U128(self.push_bytes(&u128::from_le_bytes(from.array()?).to_ne_bytes())),
                6 => Stored::Str(self.push_text(from.str()?)),
                7 => Stored::Rendered(self.push_text(from.str()?)),
                // It goes into lines as it is.
                8 => Stored::Json(self.push_text(JsonText::new(from.str()?)?.as_str())),
                9 => Stored::Bytes(self.push_bytes(from.bytes()?)),
                10 => self.read_error(from)?,
                _ => return None,
            };
            self.put_owned(name, value);
        }
        self.marked = u32::try_from(from.number()?).ok()?;
        Some(())
    }

    fn read_error(&mut self, from: &mut Reader<'_>) -> Option<Stored> {
        let (first, count) = (self.links().len() as u32, from.count(2)?);
        for _ in 0..count {
            let type_name = from.text()?.map(|name| Name::Text(self.push_text(name)));
            let text = self.push_text(from.str()?);
            self.rare().links.push(Link { text, type_name });
        }
        (count > 0).then_some(Stored::Error { first, count: count as u32 })
    }
}

fn put_word(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_wide(out: &mut Vec<u8>, kind: u8, number: u128) {
    out.push(kind);
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_part(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    put_bytes(out, bytes);
}
