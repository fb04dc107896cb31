use std::{
    fmt,
    io::{self, ErrorKind},
    sync::Mutex,
    time::{Duration, UNIX_EPOCH},
};

use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::{
    Delivery, Error, Format, Handler, HandlerExt as _, Outcome, Value,
    format::{Buffer, Json, Logfmt, Template, Text},
    record::JsonText,
};

const NAMES: &[&str] = &[
    "",
    "user",
    "message",
    "error",
    "error.type",
    "error.backtrace",
    "traceparent",
    "baggage",
    "trace_id",
    "level",
    "@timestamp",
    "a.b",
    "a",
    "ключ",
    "new\nline",
    "\u{0}\u{1b}[31m",
    "\u{202e}",
    "log.level",
    "span",
    "host",
];
const TEXTS: &[&str] = &[
    "",
    "paid",
    "\"quoted\"",
    "a\r\nb",
    "\u{1b}[2J",
    "\u{2028}",
    "{0}%s",
    "日本語",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "k=v,x=%20",
    "\\",
    "true",
    "-1",
];
const SPANS: &[&str] = &["request", "db", "", "sp an\n", "große"];

/// An error with causes.
#[derive(Debug)]
struct Chain(&'static str, Option<Box<Chain>>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Chain {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

fn one<T: Copy>(dice: &mut fastrand::Rng, of: &[T]) -> T {
    of[dice.usize(..of.len())]
}

fn fill(fields: &mut Fields, dice: &mut fastrand::Rng) {
    for _ in 0..dice.usize(..6) {
        let (name, text) = (one(dice, NAMES), one(dice, TEXTS));
        match dice.u32(..13) {
            0 => fields.set(name, dice.bool()),
            1 => fields.set(name, dice.i64(..)),
            2 => fields.set(name, dice.u64(..)),
            3 => fields.set(name, dice.i128(..)),
            4 => fields.set(name, dice.u128(..)),
            5 => fields.set(name, one(dice, &[0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, 1e300])),
            6 => fields.set(name, &*vec![dice.u8(..); dice.usize(..9)]),
            7 => fields.set_display(name, format_args!("<{text}>")),
            8 => fields
                .set(name, Value::Json(JsonText::new(one(dice, &["[1,{\"a\":null}]", "{}", "\"x\"", "7"])).unwrap())),
            9 => fields.set_error(name, &Chain(text, Some(Box::new(Chain(one(dice, TEXTS), None))))),
            10 => fields.set_error(name, &io::Error::new(ErrorKind::NotFound, text)),
            11 => fields.set(name.to_owned(), text.repeat(dice.usize(..50)).as_str()),
            _ => fields.set(name.to_owned(), text),
        }
    }
    if dice.bool() {
        fields.remove(one(dice, NAMES));
    }
}

/// Any record that can be made by hand.
pub(crate) fn random(dice: &mut fastrand::Rng) -> Record {
    let mut record = Record::new(Severity::new(dice.i32(-5..60)), one(dice, TEXTS), one(dice, TEXTS));
    let since = Duration::new(dice.u64(..4_000_000_000), dice.u32(..1_000_000_000));
    record.set_time(if dice.u32(..8) == 0 { UNIX_EPOCH - since } else { UNIX_EPOCH + since });
    fill(record.fields_mut(), dice);
    for set in [Record::set_name, Record::set_module_path, Record::set_function, Record::set_stack] {
        if dice.bool() {
            set(&mut record, one(dice, TEXTS));
        }
    }
    if dice.bool() {
        record.set_source(one(dice, TEXTS), dice.u32(..));
    }
    if dice.bool() {
        record.set_thread(one(dice, TEXTS), dice.u64(..));
    }
    for _ in 0..dice.usize(..4) {
        let mut fields = Fields::new();
        fill(&mut fields, dice);
        record.push_span(one(dice, SPANS), fields);
    }
    if dice.bool() {
        let mut globals = Fields::new();
        fill(&mut globals, dice);
        record.set_globals(globals);
    }
    if dice.bool() {
        record.set_id(dice.u128(..));
    }
    record
}

/// What every format says about it.
fn formatted(record: &Record) -> Vec<String> {
    let everything =
        "{asctime} {levelname} {name} {process} {thread} {threadName} {funcName} {pathname} {lineno} {message}";
    let formats: Vec<Box<dyn Format>> = vec![
        Box::new(Json::new().source(true).thread(true).event_name(true).span_list(true).level_number(true)),
        Box::new(Json::new().process(true).nest_context("context")),
        Box::new(Json::tracing_subscriber()),
        Box::new(Json::ecs()),
        Box::new(Json::otel()),
        Box::new(Json::gcp()),
        Box::new(Json::python()),
        Box::new(Text::plain().source(true).thread(true).globals(true).trace_ids(true)),
        Box::new(Text::pretty()),
        Box::new(Logfmt::new()),
        Box::new(Template::brace(everything).unwrap()),
    ];
    let text = |format: &dyn Format| {
        let mut out = Buffer::new();
        match format.format(record, &mut out) {
            Ok(()) => String::from_utf8_lossy(out.as_bytes()).into_owned(),
            Err(error) => error.to_string(),
        }
    };
    formats.iter().map(|format| text(&**format)).collect()
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn check(record: &Record) {
    let bytes = encoded(record);
    let again = OwnedRecord::decode(&bytes).unwrap();
    assert_eq!(formatted(&again), formatted(record), "{record:?}");
    let facts = |record: &Record| (record.id(), record.marked_values(), record.trace(), format!("{record:?}"));
    assert_eq!(facts(&again), facts(record));
    let spans = |record: &Record| {
        record.spans().map(|span| (span.name(), span.target(), span.trace(), span.parent_span_id())).collect::<Vec<_>>()
    };
    assert_eq!(spans(&again), spans(record));
    assert_eq!(encoded(&again), bytes, "{record:?}");
}

#[test]
fn a_record_comes_back_equal_in_every_format() {
    let cases = std::env::var("STRATA_CASES").map_or(300, |cases| cases.parse().unwrap());
    (0..cases).for_each(|seed| check(&random(&mut fastrand::Rng::with_seed(seed))));
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl Handler for Kept {
    fn handle(&self, delivery: Delivery<'_>) -> Result<Outcome, Error> {
        self.0.lock().unwrap().push(delivery.clone());
        Ok(Outcome::Written)
    }
}

#[test]
fn events_of_call_sites_come_back_equal() {
    let kept = Kept::default();
    let globals = crate::Globals::new().service("shop").pid();
    let layer = kept.clone().into_layer().globals(globals).trace_ids();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let header = TEXTS[8];
        let request = tracing::info_span!(target: "shop::http", "request", id = 7, traceparent = header, late = tracing::field::Empty);
        let _request = request.enter();
        request.record("late", "yes");
        let _query = tracing::debug_span!("query", sql = %"select 1", baggage = "tier=gold").entered();
        let error: &dyn std::error::Error = &Chain("no", Some(Box::new(Chain("because", None))));
        tracing::error!(error, total = 12.5, tags = ?[1, 2], "failed");
        tracing::info!(name: "order.paid", { wide = u128::MAX }, "paid {}", 1);
        crate::logger::Logger::new("py.logger").info("made at run time");
        tracing::warn!(target: "other", "x");
    });
    let records = kept.0.lock().unwrap();
    assert_eq!(records.len(), 4);
    records.iter().for_each(check);
}

/// Any bytes: no panic, and no more memory than they are worth.
#[test]
fn damaged_entries_are_refused_or_read() {
    let mut dice = fastrand::Rng::with_seed(1);
    let mut refused = 0;
    for seed in 0..1_000 {
        let mut bytes = encoded(&random(&mut fastrand::Rng::with_seed(seed)));
        for _ in 0..dice.usize(1..4) {
            let at = dice.usize(..bytes.len());
            match dice.u32(..4) {
                0 => bytes[at] = dice.u8(..),
                1 => bytes[at] ^= 1 << dice.u32(..8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, one(&mut dice, &[0xff, 0x80, 0])),
            }
        }
        match OwnedRecord::decode(&bytes) {
            Some(record) => {
                assert!(record.held_bytes() < 100_000, "{}", record.held_bytes());
                drop(formatted(&record));
            }
            None => refused += 1,
        }
    }
    assert!(refused > 300, "{refused}");
    for length in 0..200 {
        assert!(OwnedRecord::decode(&vec![0xff; length]).is_none());
    }
}
