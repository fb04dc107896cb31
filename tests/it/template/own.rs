//! What is not as in Python.

use tracing_strata::{
    Fields, Record, Severity,
    format::{Buffer, Format, Template, Time},
};

use crate::hostile::{Chain, is_control};

fn line(template: &Template, record: &Record) -> String {
    let mut out = Buffer::new();
    template.format(record, &mut out).unwrap();
    out.to_string()
}

#[test]
fn rule_9_1_exception_text_and_stack_follow_and_cannot_be_taken_for_records() {
    let mut record = Record::new(Severity::ERROR, "shop", "failed\nERROR shop forged");
    record.fields_mut().set_error("error", &Chain::new(&["outer".into(), "inner\nERROR shop forged".into()]));
    record.set_stack("Stack:\n  frame\u{1b}[2J");
    let template = Template::percent("%(levelname)s %(name)s %(message)s").unwrap();
    let expected = "ERROR shop failed\\nERROR shop forged\n    | inner\n    | ERROR shop forged\n    | \n    | The above \
                    exception was the direct cause of the following exception:\n    | \n    | outer\n    | Stack:\n    |   \
                    frame\\u{1b}[2J";
    assert_eq!(line(&template, &record), expected);
    let python = Template::builder("%(message)s").as_python(true).build().unwrap();
    assert!(line(&python, &record).starts_with("failed\nERROR shop forged\ninner\nERROR shop forged\n\nThe above"));
    let none = Template::builder("%(message)s").exceptions(false).build().unwrap();
    assert_eq!(line(&none, &record), "failed\\nERROR shop forged");
}

#[test]
fn t55_values_are_never_expanded() {
    let mut record = Record::new(Severity::INFO, "%(name)s", "%(x)s {x} $x ${env:HOME} ${x:-y}");
    record.set("x", "{message} $message %(message)s");
    for template in [
        Template::percent("%(name)s %(message)s %(x)s"),
        Template::brace("{name} {message} {x}"),
        Template::dollar("$name $message ${x}"),
    ] {
        let expected = "%(name)s %(x)s {x} $x ${env:HOME} ${x:-y} {message} $message %(message)s";
        assert_eq!(line(&template.unwrap(), &record), expected);
    }
}

#[test]
fn fields_come_from_the_event_the_spans_the_application_and_the_defaults() {
    let mut defaults = Fields::new();
    defaults.set("d", "default");
    defaults.set("a", "never");
    let template = Template::builder("{a} {b} {c} {d} {http.method} {spans}")
        .style("{".parse().unwrap())
        .defaults(defaults)
        .build()
        .unwrap();
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set_globals([("c", "global"), ("b", "never")].into_iter().collect());
    record.push_span("outer", [("b", "outer"), ("a", "never")].into_iter().collect());
    record.push_span("inner", [("b", "inner")].into_iter().collect());
    record.set("a", "own");
    record.set("http.method", "GET");
    assert_eq!(line(&template, &record), "own inner global default GET outer:inner");
    assert_eq!(line(&Template::percent("%(funcName)s").unwrap(), &record), "inner");
}

#[test]
fn trace_ids_are_there_where_a_trace_is() {
    let template = Template::percent("%(trace_id)s %(span_id)s").unwrap();
    let mut record = Record::new(Severity::INFO, "t", "m");
    assert!(template.format(&record, &mut Buffer::new()).is_err());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    record.push_span("request", [("traceparent", parent)].into_iter().collect());
    assert_eq!(line(&template, &record), "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331");
    record.set("trace_id", "mine");
    assert_eq!(line(&template, &record), "mine b7ad6b7169203331");
}

#[test]
fn what_never_could_be_filled_in_is_refused_when_it_is_made() {
    for format in ["%(message)s 100%", "%(message)s %s", "%(message)s %(name)y", "%(message)s %(name)*d"] {
        let error = Template::percent(format).unwrap_err();
        assert!(error.is_config() && error.to_string().contains("message"), "{error}");
        assert!(Template::builder(format).as_python(true).build().is_ok());
    }
    assert!(Template::builder("%(message)s").default_msec_format(Some("%d")).build().is_err());
}

#[test]
fn controls_are_escaped_in_every_attribute() {
    let evil = "a\nb\r\u{1b}[1m\u{2028}\u{202e}\0";
    let mut record = Record::new(Severity::INFO, evil, evil);
    record.set_source(evil, 1);
    record.set_function(evil);
    record.set_thread(evil, 1);
    record.set("x", evil);
    for name in ["name", "message", "pathname", "filename", "module", "funcName", "threadName", "x"] {
        for format in [format!("%({name})s"), format!("%({name})300s"), format!("%({name})r")] {
            let line = line(&Template::percent(&format).unwrap(), &record);
            assert!(!line.contains(is_control), "{format}: {line:?}");
        }
    }
}

#[test]
fn utc_and_trace() {
    let template = Template::builder("%(asctime)s %(levelname)s").zone(Time::utc()).build().unwrap();
    let mut record = Record::new(Severity::TRACE, "t", "m");
    record.set_time(std::time::UNIX_EPOCH);
    assert_eq!(line(&template, &record), "1970-01-01 00:00:00,000 TRACE");
}

#[test]
fn widths_beyond_reason_are_bounded() {
    let mut record = Record::new(Severity::INFO, "t", "m");
    record.set("x", 1.5);
    for format in ["%(message)99999999s", "%(x)99999999f", "%(x).99999999f", "%(lineno)099999999d"] {
        assert!(line(&Template::percent(format).unwrap(), &record).len() < 10_000, "{format}");
    }
}
