//! Hostile records in every shape of JSON, against a naive model.

use std::fmt::Write as _;

use tracing_strata::{
    Record, Severity, Value,
    format::{Json, Time},
    record::JsonText,
};

use super::{in_halves, line, records};
use crate::{
    hostile::{self, Named, Spec, V},
    json_model::{context, has_trace, object_beside, shown},
    strict::{J, strict},
};

/// What a member shows.
enum Of {
    Time,
    /// By number, from the least.
    Level(&'static [(i32, &'static str)]),
    LevelNumber(&'static [(i32, u64)]),
    LowerLevel,
    UpperLevel,
    Target,
    Message,
    Text(&'static str),
    Number(u64),
    Process,
    Trace,
    Span,
    Flags,
    LowTrace,
    DecimalSpan,
    Sampled,
    Thread,
    ErrorType,
    ErrorMessage,
    ErrorStack,
    /// A global field, by one of its names.
    Global(&'static [&'static str]),
    /// What is inside, if something is.
    Object(&'static [(&'static str, Of)]),
    Reserved,
}

use Of::{
    DecimalSpan, ErrorMessage, ErrorStack, ErrorType, Flags, Global, Level, LevelNumber, LowTrace, LowerLevel, Message,
    Number, Object, Process, Reserved, Sampled, Span, Target, Text, Thread, Trace, UpperLevel,
};

type Model = &'static [(&'static str, Of)];

const SERVICE: &[&str] = &["service", "service.name"];
const ENVIRONMENT: &[&str] = &["env", "environment", "deployment.environment.name", "deployment.environment"];
const VERSION: &[&str] = &["version", "service.version"];
const HOST: &[&str] = &["host", "host.name"];

const ECS: Model = &[
    ("@timestamp", Of::Time),
    ("log.level", LowerLevel),
    ("message", Message),
    ("ecs.version", Text("8.17.0")),
    ("log.logger", Target),
    ("trace.id", Trace),
    ("span.id", Span),
    ("error.type", ErrorType),
    ("error.message", ErrorMessage),
    ("error.stack_trace", ErrorStack),
    ("event.action", Reserved),
    ("service.name", Global(SERVICE)),
    ("service.version", Global(VERSION)),
    ("service.environment", Global(ENVIRONMENT)),
    ("host.name", Global(HOST)),
    ("log", Reserved),
    ("log.origin", Reserved),
    ("log.origin.file", Reserved),
    ("ecs", Reserved),
    ("trace", Reserved),
    ("span", Reserved),
    ("event", Reserved),
    ("process", Reserved),
    ("process.thread", Reserved),
    ("error", Reserved),
    ("service", Reserved),
    ("host", Reserved),
];

const GCP: Model = &[
    ("time", Of::Time),
    (
        "severity",
        Level(&[
            (i32::MIN, "DEBUG"),
            (20, "INFO"),
            (25, "NOTICE"),
            (30, "WARNING"),
            (40, "ERROR"),
            (50, "CRITICAL"),
            (60, "ALERT"),
            (70, "EMERGENCY"),
        ]),
    ),
    ("logger", Target),
    ("message", Message),
    ("logging.googleapis.com/trace", Trace),
    ("logging.googleapis.com/spanId", Span),
    ("logging.googleapis.com/trace_sampled", Sampled),
    ("logging.googleapis.com/sourceLocation", Reserved),
    ("event_name", Reserved),
    ("stack_trace", ErrorStack),
    ("serviceContext", Object(&[("service", Global(&["service.name"])), ("version", Global(&["service.version"]))])),
];

const DATADOG: Model = &[
    ("timestamp", Of::Time),
    (
        "status",
        Level(&[
            (i32::MIN, "trace"),
            (10, "debug"),
            (20, "info"),
            (25, "notice"),
            (30, "warning"),
            (40, "error"),
            (50, "critical"),
            (60, "alert"),
            (70, "emergency"),
        ]),
    ),
    ("logger.name", Target),
    ("message", Message),
    ("dd.trace_id", LowTrace),
    ("dd.span_id", DecimalSpan),
    ("event_name", Reserved),
    ("error.kind", ErrorType),
    ("error.message", ErrorMessage),
    ("error.stack", ErrorStack),
    ("service", Global(&["service.name"])),
    ("dd.env", Global(ENVIRONMENT)),
    ("dd.version", Global(VERSION)),
    ("host", Global(&["host.name"])),
    ("source", Reserved),
    ("ddsource", Reserved),
    ("trace_id", Reserved),
    ("span_id", Reserved),
    ("logger", Reserved),
    ("dd", Reserved),
    ("process", Reserved),
    ("error", Reserved),
];

const LOGSTASH: Model = &[
    ("@timestamp", Of::Time),
    ("level", UpperLevel),
    (
        "level_value",
        LevelNumber(&[(i32::MIN, 5_000), (10, 10_000), (20, 20_000), (30, 30_000), (40, 40_000), (50, 50_000)]),
    ),
    ("logger_name", Target),
    ("message", Message),
    ("@version", Text("1")),
    ("trace_id", Trace),
    ("span_id", Span),
    ("trace_flags", Flags),
    ("event_name", Reserved),
    ("thread_name", Thread),
    ("stack_trace", ErrorStack),
    ("tags", Reserved),
];

const BUNYAN: Model = &[
    ("time", Of::Time),
    ("level", LevelNumber(&[(i32::MIN, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60)])),
    ("target", Target),
    ("msg", Message),
    ("v", Number(0)),
    ("name", Global(SERVICE)),
    ("hostname", Global(HOST)),
    ("pid", Process),
    ("trace_id", Trace),
    ("span_id", Span),
    ("trace_flags", Flags),
    ("event_name", Reserved),
    ("src", Reserved),
    ("err", Object(&[("name", ErrorType), ("message", ErrorMessage), ("stack", ErrorStack)])),
];

const PYTHON: Model = &[
    ("asctime", Of::Time),
    (
        "levelname",
        Level(&[(i32::MIN, "TRACE"), (10, "DEBUG"), (20, "INFO"), (30, "WARNING"), (40, "ERROR"), (50, "CRITICAL")]),
    ),
    ("name", Target),
    ("message", Message),
    ("trace_id", Trace),
    ("span_id", Span),
    ("trace_flags", Flags),
    ("event_name", Reserved),
    ("exc_info", ErrorStack),
    ("stack_info", Reserved),
];

const OTEL_RESOURCE: Model = &[
    ("service.name", Global(SERVICE)),
    ("service.version", Global(VERSION)),
    ("deployment.environment.name", Global(ENVIRONMENT)),
    ("host.name", Global(HOST)),
    ("process.pid", Global(&["pid"])),
];

const OTEL_ATTRIBUTES: Model =
    &[("exception.type", ErrorType), ("exception.message", ErrorMessage), ("exception.stacktrace", ErrorStack)];

/// The first error: its name, type, message and stack, and the name of its backtrace where that is a text.
struct Failure {
    name: String,
    kind: Option<&'static str>,
    message: String,
    stack: String,
    backtrace: Option<String>,
}

fn failure(spec: &Spec) -> Option<Failure> {
    let fields = hostile::settled(&spec.fields);
    let (name, chain, kind) = fields.iter().find_map(|(name, value)| match value {
        V::Error(chain) => Some((name.clone(), chain.clone(), None)),
        V::Number(error) => Some((name.clone(), vec![error.to_string()], Some("std::num::ParseIntError"))),
        _ => None,
    })?;
    let mut stack = kind.map(|kind| format!("{kind}: ")).unwrap_or_default() + &chain.join("\nCaused by: ");
    let beside = format!("{name}.backtrace");
    let backtrace = fields.iter().find_map(|(other, value)| match value {
        V::Str(text) | V::Rendered(text) | V::Json(text) if *other == beside => Some(text.clone()),
        V::Error(chain) if *other == beside => Some(chain[0].clone()),
        V::Number(error) if *other == beside => Some(error.to_string()),
        _ => None,
    });
    if let Some(text) = &backtrace {
        write!(stack, "\n{text}").unwrap();
    }
    let backtrace = backtrace.map(|_| beside);
    Some(Failure { name, kind, message: chain[0].clone(), stack, backtrace })
}

fn of_severity<T: Copy>(rows: &[(i32, T)], severity: i32) -> Option<T> {
    rows.iter().rev().find(|(from, _)| *from <= severity).map(|(_, of)| *of)
}

/// The members that a model says, by `value` for those that are fields.
fn members(model: Model, spec: &Spec, globals: &Named, value: fn(&V) -> J) -> Vec<(String, J)> {
    let failure = failure(spec);
    let in_trace = |of: J| has_trace(spec).then_some(of);
    let text = |text: &str| J::Str(text.to_owned());
    let level = || Severity::new(spec.severity).to_string();
    let of = |(key, of): &(&str, Of)| {
        let shown = match of {
            Of::Time => Some(text("2026-11-20T15:17:16.123456Z")),
            Level(rows) => of_severity(rows, spec.severity).map(text),
            LevelNumber(rows) => of_severity(rows, spec.severity).map(J::U64),
            LowerLevel => Some(J::Str(level().to_lowercase())),
            UpperLevel => Some(J::Str(level())),
            Target => Some(text(&spec.target)),
            Message => Some(text(&spec.message)),
            Text(of) => Some(text(of)),
            Number(of) => Some(J::U64(*of)),
            Process => Some(J::U64(Record::default().process_id().into())),
            Trace => in_trace(text("4bf92f3577b34da6a3ce929d0e0e4736")),
            Span => in_trace(text("00f067aa0ba902b7")),
            Flags => in_trace(text("01")),
            LowTrace => in_trace(J::Str(0xa3ce_929d_0e0e_4736_u64.to_string())),
            DecimalSpan => in_trace(J::Str(0x00f0_67aa_0ba9_02b7_u64.to_string())),
            Sampled => in_trace(J::Bool(true)),
            Thread => Some(text(&spec.thread)).filter(|_| !spec.thread.is_empty()),
            ErrorType => failure.as_ref().and_then(|failure| failure.kind).map(text),
            ErrorMessage => failure.as_ref().map(|failure| text(&failure.message)),
            ErrorStack => failure.as_ref().map(|failure| text(&failure.stack)),
            Global(names) => std::iter::once(key)
                .chain(*names)
                .find_map(|name| globals.iter().find(|(of, _)| of == name))
                .map(|(_, of)| value(of)),
            Object(inner) => {
                let inner = members(inner, spec, globals, value);
                (!inner.is_empty()).then_some(J::Object(inner))
            }
            Reserved => None,
        };
        Some(((*key).to_owned(), shown?))
    };
    model.iter().filter_map(of).collect()
}

/// Keys that no field may have.
fn reserved(model: Model, spec: &Spec) -> Vec<&'static str> {
    let is_taken = |of: &Of| match of {
        Trace | Span | Flags | LowTrace | DecimalSpan | Sampled => has_trace(spec),
        ErrorType | ErrorMessage | ErrorStack => failure(spec).is_some(),
        _ => true,
    };
    model.iter().filter(|(_, of)| is_taken(of)).map(|(key, _)| *key).collect()
}

fn moved(model: Model) -> Vec<&'static str> {
    let of = |(key, of): &(&'static str, Of)| match of {
        Global(names) => std::iter::once(*key).chain(names.iter().copied()).collect(),
        Object(inner) => moved(inner),
        _ => Vec::new(),
    };
    model.iter().flat_map(of).collect()
}

/// The sources of the remaining fields: the event's, the spans', the global ones.
fn sources(model: Model, spec: &Spec) -> (Vec<Named>, Named) {
    let failure = failure(spec);
    let mut event = hostile::settled(&spec.fields);
    let hidden: Vec<_> =
        failure.into_iter().flat_map(|failure| [Some(failure.name), failure.backtrace]).flatten().collect();
    // A name that the event has hides those further out, wherever it stands.
    let shadowed: Vec<_> = event.iter().map(|(name, _)| name.clone()).filter(|name| hidden.contains(name)).collect();
    event.retain(|(name, _)| !shadowed.contains(name));
    let mut all = vec![event];
    all.extend(context(spec, true));
    all[1..].iter_mut().for_each(|named| named.retain(|(name, _)| !shadowed.contains(name)));
    let mut globals = spec.globals.as_ref().map(hostile::settled).unwrap_or_default();
    let moved = moved(model);
    globals.retain(|(name, _)| !shadowed.contains(name) && !moved.contains(&name.as_str()));
    globals.retain(|(name, _)| !has_trace(spec) || name != "traceparent");
    (all, globals)
}

fn names<'s>(of: impl Iterator<Item = &'s Named>) -> impl Iterator<Item = &'s str> {
    of.flatten().map(|(name, _)| name.as_str())
}

fn names_of_record(spec: &Spec) -> impl Iterator<Item = &str> {
    names([&spec.fields].into_iter().chain(spec.spans.iter().map(|(_, named)| named)))
}

fn flat(model: Model, spec: &Spec) -> J {
    let globals = spec.globals.as_ref().map(hostile::settled).unwrap_or_default();
    let mut all = members(model, spec, &globals, shown);
    let (mut sources, globals) = sources(model, spec);
    sources.push(globals);
    let others: Vec<_> = names_of_record(spec).chain(names(spec.globals.iter())).collect();
    all.extend(object_beside(&sources.iter().collect::<Vec<_>>(), &reserved(model, spec), &others));
    J::Object(all)
}

fn sorted(of: J) -> J {
    match of {
        J::Object(mut members) => {
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            J::Object(members.into_iter().map(|(key, of)| (key, sorted(of))).collect())
        }
        other => other,
    }
}

/// With names that are the shape's own, and some behind which they hide.
fn hostile_to(model: Model, rng: &mut fastrand::Rng) -> Spec {
    let mut spec = Spec::random(rng);
    let moved = moved(model);
    let names: Vec<_> = model.iter().map(|(key, _)| *key).chain(moved).collect();
    let spans = spec.spans.iter_mut().flat_map(|(_, named)| named);
    for (name, _) in spec.fields.iter_mut().chain(spans).chain(spec.globals.iter_mut().flatten()) {
        if name != "traceparent" && rng.u8(..4) == 0 {
            *name = (*rng.choice(&names).unwrap()).to_owned() + &"_".repeat(rng.usize(..3));
        }
    }
    if rng.u8(..8) == 0
        && let Some(failure) = failure(&spec)
    {
        spec.fields.push((format!("{}.backtrace", failure.name), hostile::value(rng)));
    }
    spec
}

/// Hostile records: each is one line, strict JSON without a repeated key, and says what the naive model says.
#[test]
fn hostile_records_in_every_shape_are_what_they_were() {
    let time = Time::utc();
    let shapes = [
        (Json::ecs(), ECS),
        (Json::gcp(), GCP),
        (Json::datadog(), DATADOG),
        (Json::logstash(), LOGSTASH),
        (Json::python().time(time.clone()), PYTHON),
        (Json::bunyan().time(time), BUNYAN),
    ];
    in_halves(records(20_000) * shapes.len() as u64, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (json, model) = &shapes[seed as usize / 2 % shapes.len()];
        let mut spec = hostile_to(model, &mut rng);
        if std::ptr::eq(*model, BUNYAN) || model[0].0 == "time" && model[1].0 == "level" {
            // Else they are this machine's.
            let own = spec.globals.get_or_insert_default();
            own.extend([("service".to_owned(), V::Str("shop".into())), ("host".to_owned(), V::Str("h".into()))]);
        }
        let line = line(json, &spec.record(&mut rng));
        assert_eq!(sorted(strict(&line)), sorted(flat(model, &spec)), "seed {seed}: {line}");
    });
}

// --- OTLP

fn base64(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".as_bytes();
    let groups: Vec<char> = bits.chars().collect();
    let digit = |group: &[char]| {
        let group: String = group.iter().collect();
        char::from(digits[usize::from_str_radix(&format!("{group:0<6}"), 2).unwrap()])
    };
    let text: String = groups.chunks(6).map(digit).collect();
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

/// As a value of OTLP.
fn any(value: &V) -> J {
    let one = |kind: &str, of: J| J::Object(vec![(kind.to_owned(), of)]);
    match (value, shown(value)) {
        (V::Bytes(bytes), _) => one("bytesValue", J::Str(base64(bytes))),
        (V::F64(_), of) => one("doubleValue", of),
        (V::Json(_), of) => any_json(of),
        (_, J::I64(number)) => one("intValue", J::Str(number.to_string())),
        (_, J::U64(number)) if i64::try_from(number).is_ok() => one("intValue", J::Str(number.to_string())),
        (_, J::U64(number)) => one("stringValue", J::Str(number.to_string())),
        (_, J::Bool(value)) => one("boolValue", J::Bool(value)),
        (_, of) => one("stringValue", of),
    }
}

/// The same of a list or map. Numbers with a point or an exponent are floats.
fn any_json(of: J) -> J {
    let one = |kind: &str, of: J| J::Object(vec![(kind.to_owned(), of)]);
    let values = |kind: &str, list| one(kind, one("values", J::List(list)));
    match of {
        J::Null => J::Object(Vec::new()),
        J::F64(_) => one("doubleValue", of),
        J::Bool(_) => one("boolValue", of),
        J::Str(_) => one("stringValue", of),
        J::I64(number) => one("intValue", J::Str(number.to_string())),
        J::U64(number) if i64::try_from(number).is_ok() => one("intValue", J::Str(number.to_string())),
        J::U64(number) => one("stringValue", J::Str(number.to_string())),
        J::List(list) => values("arrayValue", list.into_iter().map(any_json).collect()),
        J::Object(members) => {
            let pair = |(key, of)| J::Object(vec![("key".to_owned(), J::Str(key)), ("value".to_owned(), any_json(of))]);
            values("kvlistValue", members.into_iter().map(pair).collect())
        }
    }
}

fn pairs(of: &J) -> Vec<(String, J)> {
    let J::List(list) = of else { panic!("{of:?}") };
    let pair = |pair: &J| match pair {
        J::Object(pair) => match pair.as_slice() {
            [(key, J::Str(name)), (value, of)] if key == "key" && value == "value" => (name.clone(), of.clone()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let mut all: Vec<_> = list.iter().map(pair).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(all.windows(2).all(|two| two[0].0 != two[1].0), "{all:?}");
    all
}

/// As [`object_beside`], with values of OTLP.
fn any_object(sources: &[&Named], reserved: &[&str], others: &[&str]) -> Vec<(String, J)> {
    let plain = object_beside(sources, reserved, others);
    let settled: Vec<_> = sources.iter().map(|named| hostile::settled(named)).collect();
    let mut values = settled.iter().flatten();
    let mut seen: Vec<&String> = Vec::new();
    let mut typed = Vec::new();
    let mut rest = plain.into_iter().peekable();
    // In the same order: each first of its name, and what an error adds behind it.
    while let Some((key, of)) = rest.next() {
        let (name, value) = values.find(|(name, _)| !seen.contains(&name)).unwrap();
        seen.push(name);
        drop(of);
        typed.push((key, any(value)));
        match value {
            V::Error(chain) if chain.len() > 1 => {
                let (key, causes) = rest.next().unwrap();
                let J::List(causes) = causes else { panic!() };
                let text = |cause| J::Object(vec![("stringValue".to_owned(), cause)]);
                let list = J::List(causes.into_iter().map(text).collect());
                let values = J::Object(vec![("values".to_owned(), list)]);
                typed.push((key, J::Object(vec![("arrayValue".to_owned(), values)])));
            }
            V::Number(_) => {
                let (key, of) = rest.next().unwrap();
                typed.push((key, J::Object(vec![("stringValue".to_owned(), of)])));
            }
            _ => {}
        }
    }
    typed
}

fn get<'j>(of: &'j J, path: &[&str]) -> &'j J {
    path.iter().fold(of, |of, key| match of {
        J::Object(members) => {
            &members.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key}: {of:?}")).1
        }
        J::List(list) => &list[key.parse::<usize>().unwrap()],
        other => panic!("{key}: {other:?}"),
    })
}

#[test]
fn hostile_records_in_otlp_are_what_they_were() {
    let json = Json::otel();
    let texts = |members: Vec<(String, J)>| {
        let text = |of| J::Object(vec![("stringValue".to_owned(), of)]);
        members.into_iter().map(|(key, of)| (key, text(of))).collect::<Vec<_>>()
    };
    in_halves(records(20_000), |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let model = if rng.bool() { OTEL_RESOURCE } else { OTEL_ATTRIBUTES };
        let spec = hostile_to(model, &mut rng);
        let line = line(&json, &spec.record(&mut rng));
        let got = strict(&line);
        let given = spec.globals.as_ref().map(hostile::settled).unwrap_or_default();
        let mut resource = members(OTEL_RESOURCE, &spec, &given, any);
        let (all, _) = sources(OTEL_RESOURCE, &spec);
        // The resource is the application's: nothing of the event hides it.
        let mut globals = given.clone();
        globals.retain(|(name, _)| !moved(OTEL_RESOURCE).contains(&name.as_str()));
        let others: Vec<_> = names(spec.globals.iter()).collect();
        resource.extend(any_object(&[&globals], &reserved(OTEL_RESOURCE, &spec), &others));
        resource.sort_by(|(one, _), (other, _)| one.cmp(other));
        assert_eq!(pairs(get(&got, &["resourceLogs", "0", "resource", "attributes"])), resource, "seed {seed}: {line}");
        let mut attributes = texts(members(OTEL_ATTRIBUTES, &spec, &given, any));
        let others: Vec<_> = names_of_record(&spec).collect();
        let sources: Vec<_> = all.iter().collect();
        attributes.extend(any_object(&sources, &reserved(OTEL_ATTRIBUTES, &spec), &others));
        attributes.sort_by(|(one, _), (other, _)| one.cmp(other));
        let scope = get(&got, &["resourceLogs", "0", "scopeLogs", "0"]);
        assert_eq!(get(scope, &["scope", "name"]), &J::Str(spec.target.clone()));
        let record = get(scope, &["logRecords", "0"]);
        assert_eq!(pairs(get(record, &["attributes"])), attributes, "seed {seed}: {line}");
        assert_eq!(get(record, &["timeUnixNano"]), &J::Str(hostile::TIME.as_nanos().to_string()));
        assert_eq!(get(record, &["severityNumber"]), &J::U64(Severity::new(spec.severity).otel().into()));
        assert_eq!(get(record, &["severityText"]), &J::Str(Severity::new(spec.severity).to_string()));
        assert_eq!(get(record, &["body", "stringValue"]), &J::Str(spec.message.clone()));
        if has_trace(&spec) {
            assert_eq!(get(record, &["traceId"]), &J::Str("4bf92f3577b34da6a3ce929d0e0e4736".into()));
            assert_eq!(get(record, &["spanId"]), &J::Str("00f067aa0ba902b7".into()));
            assert_eq!(get(record, &["flags"]), &J::U64(1));
        }
    });
}

#[test]
fn lists_and_maps_in_otlp() {
    let shown = |text: &str| {
        let mut record = Record::new(Severity::INFO, "t", "m");
        record.set("x", Value::Json(JsonText::new(text).unwrap()));
        let line = line(&Json::otel(), &record);
        let (_, rest) = line.split_once(r#"{"key":"x","value":"#).unwrap();
        rest.strip_suffix("}]}]}]}]}").unwrap().to_owned()
    };
    for (text, expected) in [
        ("null", "{}"),
        ("true", r#"{"boolValue":true}"#),
        ("-7", r#"{"intValue":"-7"}"#),
        ("18446744073709551615", r#"{"stringValue":"18446744073709551615"}"#),
        ("1.5e3", r#"{"doubleValue":1.5e3}"#),
        (r#""a\"b""#, r#"{"stringValue":"a\"b"}"#),
        ("[]", r#"{"arrayValue":{"values":[]}}"#),
        (
            r#"[1,["a"]]"#,
            r#"{"arrayValue":{"values":[{"intValue":"1"},{"arrayValue":{"values":[{"stringValue":"a"}]}}]}}"#,
        ),
        (
            r#"{"a,":null,"b":{"c":false}}"#,
            r#"{"kvlistValue":{"values":[{"key":"a,","value":{}},{"key":"b","value":{"kvlistValue":{"values":[{"key":"c","value":{"boolValue":false}}]}}}]}}"#,
        ),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
    let deep = "[".repeat(30) + &"]".repeat(30);
    assert!(shown(&deep).contains(&format!("\"{}{}\"", "[".repeat(6), "]".repeat(6))), "{}", shown(&deep));
}
