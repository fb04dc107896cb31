//! `format::Json`: hostile records against a naive model of its rules.

use std::collections::BTreeSet;

use tracing_strata::{
    Severity,
    format::{Json, Key, Time},
};

use crate::{
    format::{in_halves, records},
    hostile::{self, Named, Spec, TRACEPARENT, V},
    json::line,
    strict::{J, strict},
};

/// The rule of the documentation, done the slow way: which members these sources give.
fn object(sources: &[&Named], reserved: &[&str]) -> Vec<(String, J)> {
    object_beside(sources, reserved, &[])
}

/// The same where the record has fields of `other` names, too, which stand elsewhere.
pub(crate) fn object_beside(sources: &[&Named], reserved: &[&str], others: &[&str]) -> Vec<(String, J)> {
    let sources: Vec<Named> = sources.iter().map(|named| hostile::settled(named)).collect();
    let names = sources.iter().flatten().map(|(name, _)| name.as_str());
    let names: BTreeSet<&str> = names.chain(others.iter().copied()).collect();
    let is_known = |name: &str| names.contains(name) || reserved.contains(&name);
    let mut clashing: Vec<&str> = names.iter().copied().filter(|name| reserved.contains(name)).collect();
    clashing.sort_by_key(|name| name.len());
    let mut renamed: Vec<(&str, String)> = Vec::new();
    for name in clashing {
        let mut free = format!("{name}_");
        while is_known(&free) || renamed.iter().any(|(_, taken)| *taken == free) {
            free.push('_');
        }
        renamed.push((name, free));
    }
    let mut members: Vec<(String, J)> = Vec::new();
    let mut written = BTreeSet::new();
    for (name, value) in sources.iter().flatten() {
        if !written.insert(name) {
            continue;
        }
        let key = renamed.iter().find(|(old, _)| old == name).map_or(name.clone(), |(_, new)| new.clone());
        let generated = |suffix: &str| {
            let mut free = format!("{key}{suffix}");
            while is_known(&free) || renamed.iter().any(|(_, taken)| *taken == free) {
                free.push('_');
            }
            free
        };
        members.push((key.clone(), shown(value)));
        match value {
            V::Error(chain) if chain.len() > 1 => {
                let causes = chain[1..].iter().map(|cause| J::Str(cause.clone())).collect();
                members.push((generated(".causes"), J::List(causes)));
            }
            V::Number(_) => members.push((generated(".type"), J::Str("std::num::ParseIntError".into()))),
            _ => {}
        }
    }
    members
}

fn integer(number: i128) -> J {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => J::U64(number),
        (_, Ok(number)) => J::I64(number),
        _ => J::Str(number.to_string()),
    }
}

pub(crate) fn shown(value: &V) -> J {
    match value {
        V::Bool(value) => J::Bool(*value),
        V::I64(number) => integer((*number).into()),
        V::U64(number) => J::U64(*number),
        V::I128(number) => integer(*number),
        V::U128(number) => u64::try_from(*number).map_or_else(|_| J::Str(number.to_string()), J::U64),
        V::F64(number) if number.is_nan() => J::Str("NaN".into()),
        V::F64(f64::INFINITY) => J::Str("Infinity".into()),
        V::F64(f64::NEG_INFINITY) => J::Str("-Infinity".into()),
        V::F64(number) => J::F64(*number),
        V::Str(text) | V::Rendered(text) => J::Str(text.clone()),
        V::Bytes(bytes) => J::Str(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        V::Error(chain) => J::Str(chain[0].clone()),
        V::Number(error) => J::Str(error.to_string()),
        V::Json(text) => strict(text),
    }
}

fn level(severity: i32) -> J {
    J::Str(Severity::new(severity).to_string())
}

fn string(key: &str, text: &str) -> (String, J) {
    (key.into(), J::Str(text.into()))
}

/// The fields of the spans, innermost first. With `hides`, without the headers that are understood, and without what
/// such a header shadows.
pub(crate) fn context(spec: &Spec, hides: bool) -> Vec<Named> {
    let mut shadowed = false;
    let spans = spec.spans.iter().rev().map(|(_, named)| hostile::settled(named));
    let mut visible = |mut named: Named| {
        shadowed |= hides && named.iter().any(is_header);
        named.retain(|(name, _)| !shadowed || name != "traceparent");
        named
    };
    spans.map(&mut visible).collect()
}

fn is_header((name, value): &(String, V)) -> bool {
    name == "traceparent" && matches!(value, V::Str(text) | V::Rendered(text) if text == TRACEPARENT)
}

pub(crate) fn has_trace(spec: &Spec) -> bool {
    context(spec, false).iter().flatten().any(is_header)
}

fn trace_members(spec: &Spec) -> Vec<(String, J)> {
    if !has_trace(spec) {
        return Vec::new();
    }
    let ids = [("trace_id", &TRACEPARENT[3..35]), ("span_id", &TRACEPARENT[36..52]), ("trace_flags", "01")];
    ids.map(|(key, id)| string(key, id)).to_vec()
}

const IDS: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// Flat, with the default names.
fn flat(spec: &Spec) -> J {
    let mut members = vec![string("timestamp", "2026-11-20T15:17:16.123456Z"), ("level".into(), level(spec.severity))];
    members.extend([string("target", &spec.target), string("message", &spec.message)]);
    members.extend(trace_members(spec));
    let mut reserved = vec!["timestamp", "level", "target", "message"];
    reserved.extend(IDS.iter().filter(|_| has_trace(spec)));
    // What is written as ids shadows global fields, too.
    let mut globals = spec.globals.clone();
    globals.iter_mut().for_each(|named| named.retain(|(name, _)| !has_trace(spec) || name != "traceparent"));
    let context = context(spec, true);
    let sources = [&spec.fields].into_iter().chain(&context).chain(&globals);
    members.extend(object(&sources.collect::<Vec<_>>(), &reserved));
    J::Object(members)
}

/// Flat, with names that are somebody else's.
fn crossed_json() -> Json {
    Json::new()
        .time(Time::unix_seconds().millis())
        .rename(Key::Timestamp, "error.causes")
        .rename(Key::Level, "a")
        .rename(Key::Target, "a_")
        .rename(Key::Message, "a.type")
        .omit(Key::TraceId)
        .omit(Key::SpanId)
        .omit(Key::TraceFlags)
        .thread(true)
        .field("service", "shop")
        .field("\n", 1)
}

fn crossed(spec: &Spec) -> J {
    let mut members = vec![("error.causes".into(), J::F64(1_795_187_836.123)), ("a".into(), level(spec.severity))];
    members.extend([string("a_", &spec.target), string("a.type", &spec.message)]);
    members.extend(Some(string("thread_name", &spec.thread)).filter(|_| !spec.thread.is_empty()));
    members.push(("thread_id".into(), J::U64(7)));
    let reserved = ["error.causes", "a", "a_", "a.type", "thread_name", "thread_id", "service", "\n"];
    let context = context(spec, false);
    let sources = [&spec.fields].into_iter().chain(&context).chain(&spec.globals);
    members.extend(object(&sources.collect::<Vec<_>>(), &reserved));
    members.extend([string("service", "shop"), ("\n".into(), J::U64(1))]);
    J::Object(members)
}

fn nested_json() -> Json {
    Json::new().time(Time::none()).nest_fields("a").nest_context("error").span_list(true).current_span(true)
}

fn nested(spec: &Spec) -> J {
    let span = |(name, named): &(&'static str, Named)| {
        let named: Named = hostile::settled(named).into_iter().filter(|field| !is_header(field)).collect();
        J::Object([string("name", name)].into_iter().chain(object(&[&named], &["name"])).collect())
    };
    let mut members = vec![("level".into(), level(spec.severity))];
    members.extend([string("target", &spec.target), string("message", &spec.message)]);
    members.extend(trace_members(spec));
    members.push(("a".into(), J::Object(object(&[&spec.fields], &[]))));
    if let Some(leaf) = spec.spans.last() {
        members.push(("span".into(), span(leaf)));
        members.push(("spans".into(), J::List(spec.spans.iter().map(span).collect())));
    }
    members.push(("error".into(), J::Object(object(&context(spec, true).iter().collect::<Vec<_>>(), &[]))));
    let mut reserved = vec!["level", "target", "message", "a", "error", "span", "spans"];
    reserved.extend(IDS.iter().filter(|_| has_trace(spec)));
    members.extend(object(&spec.globals.iter().collect::<Vec<_>>(), &reserved));
    J::Object(members)
}

fn subscriber(spec: &Spec) -> J {
    let span = |(name, named): &(&'static str, Named)| {
        J::Object([string("name", name)].into_iter().chain(object(&[named], &["name"])).collect())
    };
    let mut members = vec![string("timestamp", "2026-11-20T15:17:16.123456Z"), ("level".into(), level(spec.severity))];
    let message = Some(string("message", &spec.message)).filter(|_| !spec.message.is_empty());
    let fields = message.into_iter().chain(object(&[&spec.fields], &["message"])).collect();
    members.extend([("fields".into(), J::Object(fields)), string("target", &spec.target)]);
    if let Some(leaf) = spec.spans.last() {
        members.push(("span".into(), span(leaf)));
        members.push(("spans".into(), J::List(spec.spans.iter().map(span).collect())));
    }
    let reserved = ["timestamp", "level", "fields", "target", "span", "spans"];
    members.extend(object(&spec.globals.iter().collect::<Vec<_>>(), &reserved));
    J::Object(members)
}

/// Hostile records: each is one line, strict JSON without a repeated key, and says what the naive model says.
#[test]
fn t53_hostile_records_are_strict_json() {
    type Model = fn(&Spec) -> J;
    let shapes: [(Json, Model); 4] = [
        (Json::new(), flat),
        (crossed_json(), crossed),
        (nested_json(), nested),
        (Json::tracing_subscriber(), subscriber),
    ];
    in_halves(records(25_000) * shapes.len() as u64, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let spec = Spec::random(&mut rng);
        let (json, model) = &shapes[seed as usize / 2 % shapes.len()];
        let line = line(json, &spec.record(&mut rng));
        let (got, wanted) = (strict(&line), model(&spec));
        assert_eq!(got, wanted, "seed {seed}: {line}");
    });
}
