//! The bytes of RFC 5424 and RFC 3164.

use std::time::{Duration, UNIX_EPOCH};

use tracing_strata::{
    Format, Record, Severity, Value,
    format::{Buffer, Facility, Json, Priority, SyslogFormat, Text, Time},
};

use super::parser::parse;

fn record() -> Record {
    let mut record = Record::new(Severity::INFO, "app", "hello");
    record.set_time(UNIX_EPOCH + Duration::new(1_065_910_455, 3_000_000));
    record
}

pub(super) fn shown(format: &SyslogFormat, record: &Record) -> String {
    let mut out = Buffer::new();
    format.format(record, &mut out).unwrap();
    out.to_str().unwrap().to_owned()
}

fn plain() -> SyslogFormat {
    SyslogFormat::rfc5424().host("h").app("a").process_id("1")
}

/// RFC 5424, 6.5, example 1: but for the digits of the second, of which we always write six.
#[test]
fn rfc_5424_example_1_with_no_structured_data() {
    let mut record = record();
    record.set_severity(Severity::CRITICAL);
    record.set_name("ID47");
    record.set_message("'su root' failed for lonvick on /dev/pts/8");
    let format = SyslogFormat::rfc5424()
        .facility(Facility::Auth)
        .host("mymachine.example.com")
        .app("su")
        .process_id("")
        .no_structured_data()
        .body(Text::plain().time(Time::none()).level(false).target(false));
    assert_eq!(
        shown(&format, &record),
        "<34>1 2003-10-11T22:14:15.003000Z mymachine.example.com su - ID47 - 'su root' failed for lonvick on /dev/pts/8"
    );
    // The example itself has the mark; an ASCII message needs none.
    let with_mark =
        format!("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}{}", record.message());
    assert_eq!(parse(with_mark.as_bytes()).text, parse(shown(&format, &record).as_bytes()).text);
}

/// RFC 5424, 6.5, example 3.
#[test]
fn rfc_5424_example_3_with_structured_data() {
    let mut record = record();
    record.set_severity(Severity::new(25));
    record.set_name("ID47");
    record.set_target("");
    record.set_message("An application event log entry...");
    record.set("iut", "3");
    record.set("eventSource", "Application");
    record.set("eventID", "1011");
    let format = SyslogFormat::rfc5424()
        .facility(Facility::Local4)
        .host("mymachine.example.com")
        .app("evntslog")
        .process_id("")
        .sd_id("exampleSDID@32473");
    assert_eq!(
        shown(&format, &record),
        "<165>1 2003-10-11T22:14:15.003000Z mymachine.example.com evntslog - ID47 \
         [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] An application event log entry..."
    );
}

/// RFC 5424, 6.5, example 4: two elements, and no message.
#[test]
fn rfc_5424_example_4_with_two_elements_and_no_message() {
    let mut record = record();
    record.set_severity(Severity::new(25));
    record.set_name("ID47");
    record.set_target("");
    record.set_message("");
    record.set("class", "high");
    let format = SyslogFormat::rfc5424()
        .facility(Facility::Local4)
        .host("mymachine.example.com")
        .app("evntslog")
        .process_id("")
        .element("exampleSDID@32473", [("iut", "3"), ("eventSource", "Application"), ("eventID", "1011")])
        .sd_id("examplePriority@32473");
    assert_eq!(
        shown(&format, &record),
        "<165>1 2003-10-11T22:14:15.003000Z mymachine.example.com evntslog - ID47 \
         [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]"
    );
}

/// RFC 3164, 5.4, example 1.
#[test]
fn rfc_3164_example_1() {
    let mut record = record();
    record.set_severity(Severity::CRITICAL);
    record.set_message("'su root' failed for lonvick on /dev/pts/8");
    record.set_target("");
    let format = SyslogFormat::rfc3164()
        .facility(Facility::Auth)
        .zone(Time::utc())
        .host("mymachine.example.com")
        .app("su")
        .process_id("230");
    assert_eq!(
        shown(&format, &record),
        "<34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed for lonvick on /dev/pts/8"
    );
    record.set_time(UNIX_EPOCH);
    let berlin = SyslogFormat::local().zone(Time::zone("Europe/Berlin").unwrap()).app("su").process_id("1");
    assert_eq!(shown(&berlin, &record), "<10>Jan  1 01:00:00 su[1]: 'su root' failed for lonvick on /dev/pts/8");
}

#[test]
fn a_form_without_structured_data_has_the_fields_in_the_message() {
    let mut record = record();
    record.set("user", "Ada L");
    record.push_span("request", [("id", 7)].into_iter().collect());
    let local = SyslogFormat::local().zone(Time::utc()).app("a b").process_id("1");
    assert_eq!(shown(&local, &record), "<14>Oct 11 22:14:15 a%20b[1]: app: hello user=\"Ada L\" request{id=7}");
    let json = SyslogFormat::local().zone(Time::utc()).app("a").process_id("1").body(Json::new().time(Time::none()));
    assert!(
        shown(&json, &record)
            .ends_with(r#"a[1]: {"level":"INFO","target":"app","message":"hello","user":"Ada L","id":7}"#)
    );
}

#[test]
fn priorities_by_number_and_by_name() {
    let pri = |format: &SyslogFormat, severity: i32| {
        let mut record = record();
        record.set_severity(Severity::new(severity));
        parse(shown(format, &record).as_bytes()).pri
    };
    let format = plain().facility(Facility::Local7);
    let table =
        [(0, 7), (5, 7), (10, 7), (20, 6), (25, 5), (30, 4), (35, 4), (40, 3), (50, 2), (60, 1), (70, 0), (99, 0)];
    for (severity, code) in table {
        assert_eq!(pri(&format, severity), 23 * 8 + code, "{severity}");
    }
    Severity::add_name(33, "SYSLOG_AUDIT").unwrap();
    let format = plain().facility(Facility::Kern).priority_of(Severity::INFO, Priority::Notice);
    let format = format.priority_of(Severity::new(33), Priority::Debug).priority("syslog_audit", Priority::Alert);
    assert_eq!((pri(&format, 20), pri(&format, 33), pri(&format, 34)), (5, 1, 4));
}

#[test]
fn every_kind_of_value_and_where_fields_come_from() {
    let mut record = record();
    record.set("text", r#"a "b" \c] [d] é"#);
    record.set("number", -7);
    record.set("wide", u128::MAX);
    record.set("float", 0.5);
    record.set("nan", f64::NAN);
    record.set("yes", true);
    record.set("bytes", &[0_u8, 255][..]);
    record.fields_mut().set_error("error", &std::io::Error::other("no paper"));
    record.set("shadowed", "event");
    record.push_span("outer", [("shadowed", "outer"), ("outer", "1")].into_iter().collect());
    record.push_span("inner", [("outer", "2")].into_iter().collect());
    record.set_globals([("service", "shop")].into_iter().collect());
    let message = parse(shown(&plain(), &record).as_bytes());
    let expected = [
        ("text", r#"a "b" \c] [d] é"#),
        ("number", "-7"),
        ("wide", "340282366920938463463374607431768211455"),
        ("float", "0.5"),
        ("nan", "NaN"),
        ("yes", "true"),
        ("bytes", "00ff"),
        ("error", "no paper"),
        ("error.type", "std::io::Error"),
        ("shadowed", "event"),
        ("outer", "2"),
        ("service", "shop"),
    ];
    let found: Vec<_> = message.parameters().iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(found, expected);
    assert_eq!(message.elements[0].0, "strata@32473");
}

#[test]
fn our_own_parameters_and_fields_that_have_their_names() {
    let mut record = record();
    record.set_name("order.paid");
    record.set_source("src/main.rs", 7);
    record.set_thread("worker", 9);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    record.push_span("request", [("traceparent", trace)].into_iter().collect());
    for name in ["target", "trace_id", "line", "line_", "thread_id", "cut_fields"] {
        record.set(name, "mine");
    }
    let message = parse(shown(&plain().source(true).thread(true), &record).as_bytes());
    assert_eq!(message.id, "order.paid");
    for (name, value) in [
        ("target", "app"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id", "00f067aa0ba902b7"),
        ("trace_flags", "01"),
        ("file", "src/main.rs"),
        ("line", "7"),
        ("thread_name", "worker"),
        ("thread_id", "9"),
        ("target_", "mine"),
        ("trace_id_", "mine"),
        ("line__", "mine"),
        ("line_", "mine"),
        ("thread_id_", "mine"),
        ("cut_fields_", "mine"),
    ] {
        assert_eq!(message.get(name), Some(value), "{name}");
    }
    // Where they are not written, the names are free.
    record.set_name("");
    let message = parse(shown(&plain(), &record).as_bytes());
    assert_eq!((message.get("line"), message.get("thread_id")), (Some("mine"), Some("mine")));
}

#[test]
fn a_long_target_is_whole_in_structured_data() {
    let mut record = record();
    record.set_target("a_crate::with_a::rather_long_path::inside");
    let message = parse(shown(&plain(), &record).as_bytes());
    assert!(message.id.starts_with("a_crate::with_a") && message.id.len() == 32, "{}", message.id);
    assert_eq!(message.get("target"), Some(record.target()));
    record.set_target("");
    assert_eq!(parse(shown(&plain(), &record).as_bytes()).id, "-");
}

#[test]
fn the_byte_order_mark_stands_before_what_is_not_ascii() {
    let mut record = record();
    assert!(!parse(shown(&plain(), &record).as_bytes()).has_bom);
    record.set_message("größe");
    let message = parse(shown(&plain(), &record).as_bytes());
    assert!(message.has_bom && message.text == "größe");
    assert!(!parse(shown(&plain().bom(false), &record).as_bytes()).has_bom);
    // One that came with the message is data.
    record.set_message("\u{feff}x");
    assert_eq!(parse(shown(&plain(), &record).as_bytes()).text, "\\u{feff}x");
}

#[test]
fn line_breaks_are_kept_where_that_was_asked_for() {
    let mut record = record();
    record.set_message("one\ntwo\tthree\r\x1b[31m C:\\dir");
    assert_eq!(parse(shown(&plain(), &record).as_bytes()).text, r"one\ntwo\tthree\r\u{1b}[31m C:\\dir");
    let lines = shown(&plain().multi_line(true), &record);
    assert_eq!(parse(lines.as_bytes()).text, "one\ntwo\tthree\\r\\u{1b}[31m C:\\\\dir");
}

#[test]
fn values_are_escaped_where_that_was_asked_for() {
    let mut record = record();
    record.set("lines", "a\n\"b\"");
    record.set("path", r"C:\dir");
    let message = parse(shown(&plain().escape_values(true), &record).as_bytes());
    assert_eq!((message.get("lines"), message.get("path")), (Some(r#"a\n"b""#), Some(r"C:\dir")));
    let message = parse(shown(&plain(), &record).as_bytes());
    assert_eq!(message.get("lines"), Some("a\n\"b\""));
}

#[test]
fn t56_what_is_too_long_is_cut_on_a_character_boundary_with_a_mark() {
    for limit in [480, 600, 1_400] {
        for message_length in [0, 1, 100, 300, 5_000] {
            for (count, length) in [(0, 0), (1, 5_000), (3, 200), (50, 30), (2, 390)] {
                let mut record = record();
                record.set_message(&"é".repeat(message_length));
                for index in 0..count {
                    record.set(format!("field{index}"), "\"\\]€".repeat(length / 6).as_str());
                }
                let whole = parse(shown(&plain(), &record).as_bytes());
                let message = shown(&plain().max_bytes(limit), &record);
                assert!(message.len() <= limit, "{} > {limit}", message.len());
                let cut = parse(message.as_bytes());
                if shown(&plain(), &record).len() <= limit {
                    assert_eq!(cut, whole);
                    continue;
                }
                let marked = |text: &str, whole: &str| {
                    text.split_once("…[").is_some_and(|(kept, mark)| {
                        let number: usize = mark.strip_suffix(" bytes cut]").unwrap().parse().unwrap();
                        number > 0 && whole.starts_with(kept)
                    })
                };
                if cut.text != whole.text {
                    assert!(marked(&cut.text, &whole.text), "{:?}", cut.text);
                }
                let mut lost = count - cut.parameters().iter().filter(|(name, _)| name != "cut_fields").count();
                for ((name, value), (_, whole)) in cut.parameters().iter().zip(whole.parameters()) {
                    if name != "cut_fields" && value != whole {
                        assert!(marked(value, whole), "{value:?}");
                        lost += 1;
                    }
                }
                assert_eq!(cut.get("cut_fields").map_or(0, |number| number.parse().unwrap()), lost);
                assert!(cut.text != whole.text || lost > 0);
            }
        }
    }
    // Of 3164, the message alone.
    let mut record = record();
    record.set_message(&"é".repeat(5_000));
    let message = shown(&SyslogFormat::local().max_bytes(1_024), &record);
    assert!(message.len() <= 1_024 && message.len() > 1_020 && message.ends_with(" bytes cut]"), "{message}");
}

#[test]
fn a_token_stands_before_everything_and_is_nobodys_business() {
    let format = plain().token("s3cret").unwrap().element("t0ken@41058", [("tag", "hidden")]);
    let text = shown(&format, &record());
    let message = text.strip_prefix("s3cret ").unwrap();
    assert_eq!(parse(message.as_bytes()).elements[0], ("t0ken@41058".into(), vec![("tag".into(), "hidden".into())]));
    let debug = format!("{format:?}");
    assert!(!debug.contains("s3cret") && !debug.contains("t0ken") && !debug.contains("hidden"), "{debug}");
    for wrong in ["", "s3cret key", "s3cret\n"] {
        let error = plain().token(wrong).unwrap_err();
        assert!(error.is_config() && !error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn times_outside_of_the_calendar_are_still_times() {
    let mut record = record();
    record.set_time(UNIX_EPOCH + Duration::from_secs(1 << 40));
    parse(shown(&plain(), &record).as_bytes());
    assert!(shown(&SyslogFormat::local().zone(Time::utc()), &record).starts_with("<14>Dec 31 23:59:59 "));
}

/// What is made of a span is kept on it from the second record on: each rendering is the same as the first of a span that
/// nobody has seen.
#[test]
fn what_is_kept_of_a_span_changes_nothing() {
    let spans: [&[(&'static str, &str)]; 6] = [
        &[("request_id", "7f3a"), ("tenant", "blue")],
        &[("user", "shadowed"), ("zone", "eu")],
        &[("target", "t"), ("cut_fields", "c"), ("trace_id", "x"), ("file", "f")],
        &[("line", "a\nb\u{1b}"), ("quoted", "\"]\\")],
        &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("a b=]", "é")],
        &[("", ""), ("a_name_that_is_just_33_bytes_long", "x")],
    ];
    let made = |fields: &[(&'static str, &str)], target: &str| {
        let mut record = record();
        record.set_target(target);
        record.set("user", 7);
        record.push_span("outer", [("zone", "us"), ("of", "outer")].into_iter().collect());
        let fields = fields.iter().map(|(name, text)| (*name, Value::Str(text.to_string().leak())));
        record.push_span("span", fields.collect());
        record
    };
    let formats: [(&str, Box<dyn Format>); 8] = [
        ("5424", Box::new(plain())),
        ("lines", Box::new(plain().escape_values(true))),
        ("source", Box::new(plain().source(true).thread(true))),
        ("short", Box::new(plain().max_bytes(480).source(true))),
        ("local", Box::new(SyslogFormat::local().app("a").process_id("1"))),
        ("text", Box::new(Text::plain())),
        ("ids", Box::new(Text::plain().trace_ids(true))),
        ("json", Box::new(Json::new())),
    ];
    for fields in spans {
        for target in ["app", "", "a target with spaces"] {
            let kept = made(fields, target);
            for _ in 0..4 {
                for (name, format) in &formats {
                    let shown = |record: &Record| {
                        let mut out = Buffer::new();
                        format.format(record, &mut out).unwrap();
                        out.to_string()
                    };
                    assert_eq!(shown(&kept), shown(&made(fields, target)), "{name}");
                }
            }
        }
    }
}
