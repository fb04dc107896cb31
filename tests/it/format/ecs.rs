//! `Json::ecs` against the published field definitions.

use std::collections::BTreeMap;

use tracing_strata::{Record, Severity, format::Json};

use super::line;
use crate::{
    hostile::{TIME, TRACEPARENT},
    strict::{J, strict},
};

/// The type of each field in ECS 8.17.
fn definitions() -> BTreeMap<&'static str, &'static str> {
    let rows = include_str!("ecs_fields.csv").lines().filter(|row| !row.starts_with('#'));
    rows.map(|row| {
        let mut columns = row.split(',');
        let (name, in_8, in_9) = (columns.next().unwrap(), columns.next().unwrap(), columns.next().unwrap());
        assert!(in_8 == in_9 || in_9 == "-", "{row}");
        (name, in_8)
    })
    .collect()
}

/// With all that the shape has members for.
fn everything() -> Record {
    let mut record = Record::new(Severity::ERROR, "shop::pay", "refused");
    record.set_time(std::time::UNIX_EPOCH + TIME);
    record.set_source("src/pay.rs", 42);
    record.set_function("pay");
    record.set_name("order.refused");
    record.set_thread("worker", 12);
    record.fields_mut().set_error("error", &"x".parse::<i32>().unwrap_err());
    record.push_span("request", [("traceparent", TRACEPARENT)].into_iter().collect());
    let globals = [("service", "shop"), ("version", "1.2.0"), ("env", "test"), ("host", "web-1")];
    record.set_globals(globals.into_iter().collect());
    record
}

#[test]
fn every_member_is_a_field_of_ecs_and_has_its_type() {
    let definitions = definitions();
    let json = Json::ecs().source(true).thread(true).process(true);
    let J::Object(members) = strict(&line(&json, &everything())) else { panic!() };
    for (name, value) in &members {
        let of_type = definitions.get(name.as_str()).unwrap_or_else(|| panic!("{name} is no field of ECS"));
        let fits = match (*of_type, value) {
            ("date", J::Str(text)) => text.parse::<jiff::Timestamp>().is_ok(),
            ("keyword" | "match_only_text" | "wildcard", J::Str(_)) => true,
            ("long", J::U64(_) | J::I64(_)) => true,
            _ => false,
        };
        assert!(fits, "{name} is {value:?}, not {of_type}");
    }
    // One for each row of the documentation.
    assert_eq!(members.len(), 22, "{members:?}");
    let J::Object(members) = strict(&line(&json, &Record::default())) else { panic!() };
    for required in ["@timestamp", "log.level", "message", "ecs.version"] {
        assert!(members.iter().any(|(name, _)| name == required), "{required}");
    }
}

/// Elasticsearch reads `log.logger` as an object `log`, and refuses a record that has a text of that name.
#[test]
fn no_field_stands_where_ecs_has_an_object() {
    let json = Json::ecs().source(true).thread(true).process(true);
    let mut record = everything();
    let J::Object(members) = strict(&line(&json, &record)) else { panic!() };
    let objects = || {
        let dots = |name: &'static str| name.match_indices('.').map(move |(at, _)| &name[..at]);
        definitions().into_keys().filter(|name| members.iter().any(|(of, _)| of == name)).flat_map(dots)
    };
    for name in objects() {
        record.set(name, "mine");
    }
    let J::Object(members) = strict(&line(&json, &record)) else { panic!() };
    for name in objects() {
        assert!(!members.iter().any(|(of, _)| of == name), "{name}");
    }
    let renamed = members.iter().filter(|(_, value)| *value == J::Str("mine".to_owned())).count();
    assert_eq!(renamed, objects().collect::<std::collections::BTreeSet<_>>().len());
}
