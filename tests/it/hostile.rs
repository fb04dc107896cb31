//! Records as an enemy would make them: reserved names, repeated names, controls, quotes, odd numbers, deep spans.

use std::{collections::BTreeSet, error::Error, fmt, time::Duration};

use tracing_strata::{Fields, Record, Severity, Value, record::JsonText};

/// A value, kept apart from the record it goes into.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum V {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Str(String),
    Rendered(String),
    Bytes(Vec<u8>),
    /// The message and the causes.
    Error(Vec<String>),
    /// A list or map.
    Json(String),
    /// One of the standard library, whose type is known.
    Number(std::num::ParseIntError),
}

pub(crate) type Named = Vec<(String, V)>;

/// What is in a record.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) severity: i32,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) thread: String,
    pub(crate) fields: Named,
    /// Outermost first.
    pub(crate) spans: Vec<(&'static str, Named)>,
    pub(crate) globals: Option<Named>,
}

pub(crate) const TIME: Duration = Duration::from_nanos(1_795_187_836_123_456_789);
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

impl Spec {
    pub(crate) fn random(rng: &mut fastrand::Rng) -> Self {
        let depth = match rng.u8(..) {
            0 => rng.usize(..60),
            _ => rng.usize(..4),
        };
        Self {
            severity: *rng.choice([5, 10, 20, 30, 40, 50, 0, 25, -7, i32::MAX].iter()).unwrap(),
            target: text(rng),
            message: text(rng),
            thread: text(rng),
            fields: fields(rng),
            spans: (0..depth).map(|_| (*rng.choice(NAMES).unwrap(), fields(rng))).collect(),
            globals: rng.bool().then(|| fields(rng)),
        }
    }

    pub(crate) fn record(&self, rng: &mut fastrand::Rng) -> Record {
        let mut record = Record::new(Severity::new(self.severity), &self.target, &self.message);
        record.set_time(std::time::UNIX_EPOCH + TIME);
        record.set_thread(&self.thread, 7);
        put(record.fields_mut(), &self.fields, rng);
        for (name, named) in &self.spans {
            let mut fields = Fields::new();
            put(&mut fields, named, rng);
            record.push_span(name, fields);
        }
        if let Some(globals) = &self.globals {
            let mut fields = Fields::new();
            put(&mut fields, globals, rng);
            record.set_globals(fields);
        }
        record
    }
}

/// As `Fields` keeps them: the place of the first, the value of the last.
pub(crate) fn settled(named: &Named) -> Named {
    let mut settled: Named = Vec::new();
    for (name, value) in named {
        match settled.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value.clone(),
            None => settled.push((name.clone(), value.clone())),
        }
    }
    settled
}

fn put(fields: &mut Fields, named: &Named, rng: &mut fastrand::Rng) {
    for (name, value) in named {
        // Names of call sites are `'static`, others are not.
        let name: std::borrow::Cow<'static, str> = match NAMES.iter().find(|known| *known == name) {
            Some(known) if rng.bool() => (*known).into(),
            _ => name.clone().into(),
        };
        match value {
            V::Bool(value) => fields.set(name, *value),
            V::I64(value) => fields.set(name, *value),
            V::U64(value) => fields.set(name, *value),
            V::I128(value) => fields.set(name, *value),
            V::U128(value) => fields.set(name, *value),
            V::F64(value) => fields.set(name, *value),
            V::Str(value) => fields.set(name, value),
            V::Rendered(value) => fields.set(name, Value::Rendered(value)),
            V::Bytes(value) => fields.set(name, value.as_slice()),
            V::Error(chain) => fields.set_error(name, &Chain::new(chain)),
            V::Json(text) => fields.set(name, Value::Json(JsonText::new(text).unwrap())),
            V::Number(error) => fields.set_error(name, error),
        }
    }
}

fn fields(rng: &mut fastrand::Rng) -> Named {
    let field = |rng: &mut fastrand::Rng| match rng.u8(..30) {
        0 => ("traceparent".to_owned(), V::Str(TRACEPARENT.to_owned())),
        _ => (name(rng), value(rng)),
    };
    (0..rng.usize(..6)).map(|_| field(rng)).collect()
}

/// Reserved names, some of them with `_` or generated endings, and names that are not words.
pub(crate) const NAMES: &[&str] = &[
    "timestamp",
    "level",
    "target",
    "message",
    "trace_id",
    "span_id",
    "trace_flags",
    "traceparent",
    "level_",
    "level__",
    "target_",
    "message_",
    "message__",
    "trace_id_",
    "error",
    "error.causes",
    "error.type",
    "error.causes_",
    "error_",
    "error_.causes",
    "level.causes",
    "level_.causes",
    "a",
    "a_",
    "a__",
    "a.b",
    "a.causes",
    "a.type",
    "",
    "_",
    "__",
    "name",
    "name_",
    "fields",
    "span",
    "spans",
    "context",
    "service",
    "service_",
    "ts",
    "ts_",
    "user",
    "line",
    "file",
    "thread_name",
    "two words",
    "k=v",
    "quote\"",
    "back\\slash",
    "new\nline",
    "\u{1b}[31m",
    "\u{2028}",
    "grün",
    "\u{202e}rtl",
    "a:b",
    "{",
];

fn name(rng: &mut fastrand::Rng) -> String {
    match rng.u8(..10) {
        0 => text(rng),
        _ => (*rng.choice(NAMES).unwrap()).to_owned(),
    }
}

pub(crate) fn value(rng: &mut fastrand::Rng) -> V {
    match rng.u8(..15) {
        0 => V::Bool(rng.bool()),
        1 => V::I64(*rng.choice(&[0, -1, 7, i64::MIN, i64::MAX]).unwrap()),
        2 => V::U64(*rng.choice(&[0, 1, 12_345, u64::MAX]).unwrap()),
        3 => V::I128(*rng.choice(&[0, -5, i128::MIN, i128::MAX, i64::MIN.into(), i64::MIN as i128 - 1]).unwrap()),
        4 => V::U128(*rng.choice(&[0, u64::MAX.into(), u64::MAX as u128 + 1, u128::MAX]).unwrap()),
        5 => V::F64(*rng.choice(&[0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 1e21, 12.345, -2.5e-7]).unwrap()),
        6 => V::F64(*rng.choice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).unwrap()),
        7 => V::F64(f64::from_bits(rng.u64(..))),
        8 => V::Bytes((0..rng.usize(..9)).map(|_| rng.u8(..)).collect()),
        9 => V::Error((0..=rng.usize(..3)).map(|_| text(rng)).collect()),
        10 => V::Number(["x", "", "99999999999"][rng.usize(..3)].parse::<i32>().unwrap_err()),
        11 => V::Rendered(text(rng)),
        14 => V::Json(json(rng, 0)),
        12 if rng.u8(..) == 0 => V::Str(text(rng).repeat(rng.usize(..200))),
        _ => V::Str(text(rng)),
    }
}

/// Compact JSON as `JsonText` wants it: no key twice, control characters escaped.
fn json(rng: &mut fastrand::Rng, depth: u32) -> String {
    let quoted = |text: &str| {
        let escaped = |c: char| if is_control(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
        let plain = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", plain.chars().map(escaped).collect::<String>())
    };
    match rng.u8(if depth == 0 { 5 } else { 0 }..if depth < 4 { 8 } else { 5 }) {
        0 => (*rng.choice(&["null", "true", "false"]).unwrap()).to_owned(),
        1 => rng.i64(..).to_string(),
        2 => (*rng.choice(&["0", "-7", "1.5", "18446744073709551615", "1e300", "-0.5"]).unwrap()).to_owned(),
        3 | 4 => quoted(&text(rng)),
        5 => {
            let items: Vec<_> = (0..rng.usize(..4)).map(|_| json(rng, depth + 1)).collect();
            format!("[{}]", items.join(","))
        }
        _ => {
            let names: BTreeSet<_> = (0..rng.usize(..4)).map(|_| name(rng)).collect();
            let pairs: Vec<_> = names.iter().map(|name| format!("{}:{}", quoted(name), json(rng, depth + 1))).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

/// Parts that break lines, quotes, terminals and parsers.
const PARTS: &[&str] = &[
    "plain",
    "two words",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\0",
    "\u{8}",
    "\u{b}",
    "\u{c}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{9b}31m",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{200f}",
    "\u{61c}",
    "\"",
    "\\",
    "\\n",
    "'",
    "=",
    "{",
    "}",
    "{}",
    "k=v",
    ",\"level\":\"x\"",
    "ü",
    "中文",
    "🦀",
    "\u{10ffff}",
    " ",
    "  ",
    ":",
    "::",
    "/path/to",
    "%s",
    "${x}",
    "request{id=1}",
    "    | ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "",
];

pub(crate) fn text(rng: &mut fastrand::Rng) -> String {
    (0..rng.usize(..4)).map(|_| *rng.choice(PARTS).unwrap()).collect()
}

#[derive(Debug)]
pub(crate) struct Chain {
    message: String,
    cause: Option<Box<Chain>>,
}

impl Chain {
    pub(crate) fn new(messages: &[String]) -> Self {
        let (message, causes) = messages.split_first().unwrap();
        Self { message: message.clone(), cause: (!causes.is_empty()).then(|| Box::new(Self::new(causes))) }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Chain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// What may not stand in a line as it is, by this test's own list: Unicode's controls, separators and bidi controls.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x61c | 0x200e | 0x200f | 0x2028 | 0x2029 | 0x202a..=0x202e | 0x2066..=0x2069 | 0xfeff)
}

#[test]
fn a_record_whose_fields_are_taken_away_is_a_record_still() {
    let record = || {
        let mut record = Record::new(Severity::INFO, "shop", "paid");
        record.set("user", 7);
        record.set("card", "4111");
        record
    };
    let mut cleared = record();
    cleared.fields_mut().clear();
    cleared.set("user", 8);
    assert_eq!((cleared.message(), cleared.target(), cleared.fields().len()), ("paid", "shop", 1));
    assert_eq!(cleared.get("card"), None);
    // Whoever replaces the fields replaces the texts that are with them; nothing panics.
    let mut replaced = record();
    *replaced.fields_mut() = Fields::new();
    assert_eq!((replaced.message(), replaced.fields().len()), ("", 0));
    replaced.set_message("again");
    replaced.set("user", "Ann");
    assert_eq!((replaced.message(), replaced.get("user").unwrap().as_str()), ("again", Some("Ann")));
}
