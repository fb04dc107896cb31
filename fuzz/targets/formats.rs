//! Any record in every format: one line without controls, JSON that a strict parser reads.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tracing_strata::{
    Fields, Format, Record, Severity, Value,
    format::{Buffer, Color, Gelf, Json, Logfmt, Pickle, SyslogFormat, Text},
};

type Shape = (Box<dyn Format>, fn(&str));

static FORMATS: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let mut all: Vec<Shape> = vec![
        (Box::new(Text::plain().source(true).thread(true).globals(true)), one_line),
        (Box::new(Text::plain().multi_line(true)), lines),
        (Box::new(Text::pretty().color(Color::Never).thread(true).globals(true)), lines),
        (Box::new(Narrow(Text::pretty().color(Color::Never))), lines),
        (Box::new(Logfmt::new().source(true).thread(true)), one_line),
        (Box::new(SyslogFormat::rfc5424().host("h").escape_values(true)), one_line),
        (Box::new(SyslogFormat::rfc3164().host("h")), one_line),
        (Box::new(Gelf::new().host("h")), json),
    ];
    let shapes: [fn() -> Json; 8] = [
        Json::new,
        Json::ecs,
        Json::gcp,
        Json::datadog,
        Json::logstash,
        Json::bunyan,
        Json::otel,
        Json::tracing_subscriber,
    ];
    all.extend(shapes.map(|shape| (Box::new(shape().source(true).thread(true)) as Box<dyn Format>, json as fn(&str))));
    all
});

struct Narrow(Text);

impl Format for Narrow {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), tracing_strata::Error> {
        out.set_columns(std::num::NonZeroU16::new(50));
        self.0.format(record, out)
    }
}

fn one_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn lines(text: &str) {
    text.lines().for_each(one_line);
    assert!(text.lines().skip(1).all(|line| line.starts_with("    | ")), "{text:?}");
}

fn json(text: &str) {
    one_line(text);
    serde_json::from_str::<serde::Strict>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
}

/// JSON without a duplicate key.
mod serde {
    use std::{collections::BTreeSet, fmt};

    use serde_json::Value;

    pub(crate) struct Strict;

    impl<'de> serde_core::Deserialize<'de> for Strict {
        fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Object)
        }
    }

    struct Object;

    impl<'de> serde_core::de::Visitor<'de> for Object {
        type Value = Strict;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object without duplicate keys")
        }

        fn visit_map<A: serde_core::de::MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
            let mut keys = BTreeSet::new();
            while let Some((key, _)) = map.next_entry::<String, Value>()? {
                if !keys.insert(key.clone()) {
                    return Err(serde_core::de::Error::custom(format!("{key:?} twice")));
                }
            }
            Ok(Strict)
        }
    }
}

/// Takes texts and numbers off the data.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn text(&mut self) -> String {
        let (text, rest) = self.0.split_at(self.0.len().min(usize::from(self.byte() % 64)).min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn fields(&mut self) -> Fields {
        const NAMES: [&str; 8] =
            ["message", "level", "traceparent", "error.backtrace", "two words", "user", "", "@timestamp"];
        let mut fields = Fields::new();
        for _ in 0..self.byte() % 5 {
            let name = match self.byte() {
                known @ 0..64 => NAMES[usize::from(known) % NAMES.len()].to_owned(),
                _ => self.text(),
            };
            match self.byte() % 9 {
                0 => fields.set(name, self.byte() % 2 == 0),
                1 => fields.set(name, self.number() as i64),
                2 => fields.set(name, self.number()),
                3 => fields.set(name, f64::from_bits(self.number())),
                4 => fields.set(name, u128::from(self.number()) << 64),
                5 => fields.set(name, Value::Bytes(self.text().as_bytes())),
                6 => fields.set(name, Value::Rendered(&self.text())),
                7 => fields.set_error(name, &std::io::Error::other(self.text())),
                _ => fields.set(name, self.text().as_str()),
            }
        }
        fields
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let severity = [5, 10, 20, 25, 30, 40, 50, i32::MIN, i32::MAX][usize::from(input.byte()) % 9];
    let mut record = Record::new(Severity::new(severity), &input.text(), &input.text());
    let since = std::time::Duration::from_secs(input.number() % 400_000_000_000);
    record.set_time(std::time::UNIX_EPOCH.checked_add(since).unwrap_or(std::time::UNIX_EPOCH));
    record.set_source(&input.text(), 7);
    record.set_thread(&input.text(), 7);
    *record.fields_mut() = {
        let mut fields = std::mem::take(record.fields_mut());
        fields.extend(&input.fields());
        fields
    };
    for name in ["outer", "in ner:{"].iter().take(usize::from(input.byte() % 3)) {
        let fields = input.fields();
        record.push_span(name, fields);
    }
    record.set_globals(input.fields());
    let mut out = Buffer::new();
    for (format, check) in &*FORMATS {
        out.clear();
        format.format(&record, &mut out).unwrap();
        check(out.to_str().unwrap());
    }
    out.clear();
    Pickle::new().format(&record, &mut out).unwrap_or_default();
});
