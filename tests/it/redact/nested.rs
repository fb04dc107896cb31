//! Random trees of values with secrets planted anywhere: no byte of one is in any line.

use tracing_strata::{
    Fields, Record, Severity, Value,
    filter::{Pattern, Redact},
    format::{Json, Logfmt, Text},
    json,
    output::Stream,
    prelude::*,
};

use super::{
    Written,
    corpus::{Dice, WORD, true_ones},
};

const SECRET_NAMES: &[&str] =
    &["password", "Api-Key", "user.token", "clientSecret", "authorization", "DB_PASSWORD", "session"];
const PLAIN_NAMES: &[&str] = &["user", "items", "a.b", "note", "inner", "x"];

/// What was planted, and what may not be found of it.
struct Planted<'d> {
    dice: &'d mut Dice,
    secrets: Vec<String>,
}

impl Planted<'_> {
    /// A text that only its name makes secret.
    fn canary(&mut self) -> String {
        let secret = format!("{}!{}", self.dice.of(WORD, 9), self.dice.of(WORD, 9));
        self.secrets.push(secret.clone());
        secret
    }

    /// A text that is secret by its shape, within others.
    fn shaped(&mut self) -> String {
        let patterns = [
            Pattern::Card,
            Pattern::Iban,
            Pattern::Phone,
            Pattern::Jwt,
            Pattern::Aws,
            Pattern::Github,
            Pattern::PrivateKey,
        ];
        let pattern = patterns[self.dice.next(patterns.len() as u64) as usize];
        let all = true_ones(pattern, self.dice);
        let secret = all[self.dice.next(all.len() as u64) as usize].clone();
        // Line breaks are escaped in the output: each line counts.
        self.secrets.extend(secret.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
        format!("before {secret} after")
    }

    fn text(&mut self) -> String {
        match self.dice.next(4) {
            0 => self.shaped(),
            1 => format!("password={} user=ada", self.canary()),
            2 => format!("{:?}", [("token", self.canary())].into_iter().collect::<std::collections::BTreeMap<_, _>>()),
            _ => "nothing \"here\"\n\\ at all".to_owned(),
        }
    }

    fn tree(&mut self, depth: u64) -> serde_json::Value {
        match self.dice.next(if depth == 0 { 3 } else { 6 }) {
            0 => self.text().into(),
            1 => self.dice.next(1000).into(),
            2 => serde_json::Value::Null,
            3 => (0..self.dice.next(4)).map(|_| self.tree(depth - 1)).collect(),
            _ => {
                let mut map = serde_json::Map::new();
                for _ in 0..self.dice.next(4) {
                    if self.dice.next(3) == 0 {
                        let value = self.hidden(depth - 1);
                        map.insert(self.dice.pick(SECRET_NAMES).to_owned(), value);
                    } else {
                        let value = self.tree(depth - 1);
                        map.insert(self.dice.pick(PLAIN_NAMES).to_owned(), value);
                    }
                }
                // One that replaced another was not planted.
                map.into()
            }
        }
    }

    /// Below a secret name everything is secret.
    fn hidden(&mut self, depth: u64) -> serde_json::Value {
        match self.dice.next(if depth == 0 { 1 } else { 3 }) {
            1 => serde_json::json!([self.canary(), {"in": self.canary()}]),
            2 => serde_json::json!({"plain": self.hidden(depth - 1), "b": [true, {}]}),
            _ => self.canary().into(),
        }
    }

    fn fields(&mut self) -> Fields {
        let mut fields = Fields::new();
        for _ in 0..1 + self.dice.next(4) {
            let name = match self.dice.next(3) {
                0 => {
                    let secret = self.canary();
                    fields.set(self.dice.pick(SECRET_NAMES).to_owned(), secret.as_str());
                    continue;
                }
                _ => self.dice.pick(PLAIN_NAMES).to_owned(),
            };
            match self.dice.next(5) {
                0 => fields.set(name, &json(&self.tree(4))),
                1 => fields.set(name, Value::Rendered(&format!("{:?}", self.tree(3)))),
                2 => fields.set_error(name, &Outer(self.text(), Inner(self.text()))),
                3 => fields.set(name, self.text().as_bytes()),
                _ => fields.set(name, self.text().as_str()),
            }
        }
        fields
    }
}

#[derive(Debug)]
struct Outer(String, Inner);

#[derive(Debug)]
struct Inner(String);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Inner {}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

#[test]
fn no_byte_of_a_secret_is_in_any_format() {
    let written = Written::default();
    let handler = tracing_strata::Tee::new()
        .with("json", Stream::sink(written.clone()).format(Json::new()))
        .with("text", Stream::sink(written.clone()).format(Text::plain()))
        .with("pretty", Stream::sink(written.clone()).format(Text::pretty()))
        .with("logfmt", Stream::sink(written.clone()).format(Logfmt::new()))
        .transform(Redact::secrets())
        .named("all");
    let mut planted_at_all = 0;
    for seed in 1..=3_000 {
        let dice = &mut Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut planted = Planted { dice, secrets: Vec::new() };
        let mut record = Record::new(Severity::ERROR, "shop", &planted.text());
        record.fields_mut().extend(&planted.fields());
        record.set_stack(&planted.text());
        record.push_span("outer", planted.fields());
        record.push_span("inner", planted.fields());
        record.set_globals(planted.fields());
        handler.emit(&record);
        let text = written.text();
        written.0.lock().unwrap().clear();
        for secret in &planted.secrets {
            assert!(!text.contains(secret.as_str()), "seed {seed}: {secret:?} of {record:?} is in\n{text}");
        }
        // The record itself, of which outputs keep copies.
        planted_at_all += planted.secrets.len();
    }
    assert!(planted_at_all > 10_000, "{planted_at_all}");
}
