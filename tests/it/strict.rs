//! A strict reader of JSON: keys in their order, and none twice.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::hostile::is_control;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum J {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Str(String),
    List(Vec<J>),
    Object(Vec<(String, J)>),
}

impl<'de> de::Deserialize<'de> for J {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Strict;
        impl<'de> Visitor<'de> for Strict {
            type Value = J;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<J, E> {
                Ok(J::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<J, E> {
                Ok(J::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<J, E> {
                Ok(J::I64(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<J, E> {
                Ok(J::U64(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<J, E> {
                Ok(J::F64(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<J, E> {
                Ok(J::Str(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<J, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(J::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<J, A::Error> {
                let mut members: Vec<(String, J)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(de::Error::custom(format!("key {key:?} twice")));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(J::Object(members))
            }
        }
        from.deserialize_any(Strict)
    }
}

/// One line without a control character.
pub(crate) fn strict(line: &str) -> J {
    assert!(!line.chars().any(is_control), "{line:?}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn the_reader_of_these_tests_is_strict() {
    assert!(serde_json::from_str::<J>(r#"{"a":1,"a":2}"#).is_err());
    assert!(serde_json::from_str::<J>(r#"{"a":{"b":1,"\u0062":2}}"#).is_err());
    assert!(serde_json::from_str::<J>(r#"{"a":NaN}"#).is_err());
    assert!(serde_json::from_str::<J>(r#"{"a":1,"b":[{"a":1}]}"#).is_ok());
}
