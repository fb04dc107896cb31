//! Secrets planted on every path, looked for in every byte that comes out.

mod canary;
mod configuration;
mod corpus;
mod nested;
mod ordinary;

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_strata::{
    Record, Severity, Value,
    filter::{Action, Pattern, Redact, Transform as _},
    prelude::*,
    record::JsonText,
    sink::Lines,
};

use crate::support::{MemoryBuffer, with_layer};

/// What was written. Clones share it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Sink for Written {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(())
        })
    }
}

/// A message without its secrets.
fn cleaned(redact: &Redact, text: &str) -> String {
    let mut record = Record::new(Severity::INFO, "shop", text);
    redact.transform(&mut record);
    record.message().to_owned()
}

#[test]
fn each_action_leaves_what_it_says() {
    let cleaned = |action, text| cleaned(&Redact::secrets().action(action), text);
    assert_eq!(cleaned(Action::Label, "to ada@example.com, now"), "to [redacted:email], now");
    assert_eq!(cleaned(Action::Remove, "to ada@example.com, now"), "to , now");
    assert_eq!(cleaned(Action::Mask(4), "card 4111111111111111"), "card ***1111");
    assert_eq!(cleaned(Action::Mask(4), "sid=abc"), "sid=***");
    // printf hunter2 | sha256sum
    assert_eq!(cleaned(Action::Hash, "password=hunter2"), "password=[sha256:f52fbd32b2b3b86f]");
    let redact = Redact::secrets().pattern_action(Pattern::Card, Action::Mask(4));
    assert_eq!(super::redact::cleaned(&redact, "4111111111111111 of a@b.co"), "***1111 of [redacted:email]");
    let mut record = Record::new(Severity::INFO, "shop", "");
    record.set("token", "x");
    record.set("user", 7);
    Redact::secrets().action(Action::Remove).transform(&mut record);
    assert_eq!(record.fields().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["user"]);
    assert!(!record.fields().contains("token"));
}

#[test]
fn own_keys_and_patterns() {
    let redact = Redact::new().keys(["user.address.*", "badge"]).own_pattern("badge", r"\bB-([0-9]{4})\b").unwrap();
    assert_eq!(cleaned(&redact, "badge: none, B-1234 and a@b.co"), "badge: none, B-[redacted:badge] and a@b.co");
    let mut record = Record::new(Severity::INFO, "shop", "");
    record.set("user.address.street", "Main 1");
    record.set("address.street", "Main 2");
    record.set("Badge", 77);
    redact.transform(&mut record);
    let shown: Vec<_> = record.fields().iter().map(|(_, value)| value.to_string()).collect();
    assert_eq!(shown, ["[redacted]", "Main 2", "[redacted]"]);
    let error = Redact::new().own_pattern("odd", "a(b").unwrap_err().to_string();
    assert!(error.contains("\"odd\"") && error.contains("a(b"), "{error}");
}

#[test]
fn numbers_and_bytes_are_texts_too() {
    let mut record = Record::new(Severity::INFO, "shop", "");
    record.set("number", 4_111_111_111_111_111_u64);
    record.set("wide", 4_111_111_111_111_111_u128);
    record.set("bytes", &b"to ada@example.com"[..]);
    record.set("plain", 4_111_111_111_111_112_u64);
    Redact::secrets().transform(&mut record);
    let get = |name| record.get(name).unwrap();
    assert_eq!(get("number"), Value::Str("[redacted:card]"));
    assert_eq!(get("wide"), Value::Str("[redacted:card]"));
    assert_eq!(get("bytes"), Value::Str("to [redacted:email]"));
    assert_eq!(get("plain"), Value::U64(4_111_111_111_111_112));
}

#[test]
fn one_handler_gets_a_changed_copy_and_only_where_something_matches() {
    let (clean, original) = (MemoryBuffer::default(), MemoryBuffer::default());
    let tee = tracing_strata::Tee::new()
        .with("clean", clean.clone().transform(Redact::secrets()))
        .with("original", original.clone());
    with_layer(tee.into_layer(), || {
        let _span = tracing::info_span!("login", user = "ada", password = "hunter2").entered();
        tracing::info!(step = 1, "done");
        tracing::info!(step = 2, "again");
    });
    let of = |records: Vec<Record>| -> Vec<String> {
        records.iter().map(|record| record.get("password").unwrap().to_string()).collect()
    };
    assert_eq!(of(clean.take()), ["[redacted]", "[redacted]"]);
    assert_eq!(of(original.take()), ["hunter2", "hunter2"]);
}

#[test]
fn two_redactions_of_one_span_do_not_mix() {
    let (one, two) = (MemoryBuffer::default(), MemoryBuffer::default());
    let tee = tracing_strata::Tee::new()
        .with("one", one.clone().transform(Redact::new().key("a")))
        .with("two", two.clone().transform(Redact::new().key("b")));
    with_layer(tee.into_layer(), || {
        let span = tracing::info_span!("s", a = "A", b = "B", c = tracing::field::Empty).entered();
        tracing::info!("early");
        span.record("c", "C");
        tracing::info!("late");
    });
    let of = |memory: MemoryBuffer| memory.take().iter().flat_map(crate::support::spans).collect::<Vec<_>>();
    assert_eq!(of(one), ["s{a=[redacted] b=B}", "s{a=[redacted] b=B c=C}"]);
    assert_eq!(of(two), ["s{a=A b=[redacted]}", "s{a=A b=[redacted] c=C}"]);
}

#[test]
fn a_name_that_is_secret_is_found_within_a_text() {
    let redact = Redact::secrets();
    for (text, clean) in [
        ("password=hunter2 user=ada", "password=[redacted] user=ada"),
        ("GET /login?user=ada&token=abc&x=1", "GET /login?user=ada&token=[redacted]&x=1"),
        (r#"{"user":"ada","password":"hun\"ter2"}"#, r#"{"user":"ada","password":"[redacted]"}"#),
        (r#"body: "{\"password\":\"hunter2\",\"a\":1}""#, r#"body: "{\"password\":\"[redacted]\",\"a\":1}""#),
        (r#"User { name: "ada", password: Some("hunter2") }"#, r#"User { name: "ada", password: [redacted] }"#),
        (r#"Login { api_key: Key { inner: "x, y" }, at: 1 }"#, "Login { api_key: [redacted], at: 1 }"),
        ("Cookie: a=1; b=2\nHost: x", "Cookie: [redacted]\nHost: x"),
        ("Authorization: Basic YWRhOmh1bnRlcjI=", "Authorization: [redacted]"),
        ("curl -H 'X-Api-Key: k1' y", "curl -H 'X-Api-Key: [redacted]' y"),
        ("parse token: unexpected end", "parse token: unexpected end"),
        ("token::parse failed: no number", "token::parse failed: no number"),
        ("12:30:45 a=b", "12:30:45 a=b"),
    ] {
        assert_eq!(cleaned(&redact, text), clean);
    }
}

#[test]
fn names_in_maps_that_are_data_are_found_and_stay_apart() {
    let mut record = Record::new(Severity::INFO, "t", "");
    let given = r#"{"ada@example.com":1,"bob@example.com":{"eve@example.com":2},"a":[{"\u0070assword":"x"}]}"#;
    record.set("people", Value::Json(JsonText::new(given).unwrap()));
    Redact::secrets().transform(&mut record);
    let clean =
        r#"{"[redacted:email]":1,"[redacted:email]_2":{"[redacted:email]_3":2},"a":[{"\u0070assword":"[redacted]"}]}"#;
    assert_eq!(record.get("people").unwrap().to_string(), clean);
}

#[test]
fn a_secret_is_not_printed() {
    let secret = tracing_strata::Secret::new("hunter2".to_owned());
    let json = serde_json::to_string(&(&secret, 1)).unwrap();
    assert_eq!((format!("{secret} {secret:#?}"), json.as_str()), ("[secret] [secret]".to_owned(), r#"["[secret]",1]"#));
    assert_eq!(secret.expose(), "hunter2");
}
