//! Records as they come from the outside.

use crate::{Fields, Record, Severity};

/// Ordinary ones, and what somebody might send to break a format.
pub(super) fn hostile() -> Vec<(&'static str, Record)> {
    let record = |message: &str| Record::new(Severity::INFO, "conformance", message);
    let mut all = vec![
        ("an ordinary record", record("paid")),
        ("an empty message", record("")),
        ("line breaks in the message", record("one\r\ntwo\n\u{2028}three\u{85}")),
        ("control characters in the message", record("\u{0}\u{1b}[31mred\u{7}\u{9b}\u{202e}")),
        ("quotes and braces in the message", record("\"'{}%s{0}\\")),
        ("a long message", record(&"x".repeat(100_000))),
        ("a message of other scripts", record("Grüße, 世界 👍")),
        ("no target", Record::new(Severity::ERROR, "", "m")),
        ("a target with line breaks", Record::new(Severity::WARN, "a\nb", "m")),
        ("the lowest severity", Record::new(Severity::new(1), "conformance", "m")),
        ("the highest severity", Record::new(Severity::new(i32::MAX - 1), "conformance", "m")),
    ];
    let mut values = record("all kinds of values");
    values.set("flag", true);
    values.set("int", i64::MIN);
    values.set("unsigned", u64::MAX);
    values.set("wide", i128::MIN);
    values.set("widest", u128::MAX);
    values.set("float", 0.1);
    values.set("nan", f64::NAN);
    values.set("infinite", f64::NEG_INFINITY);
    values.set("text", "a \"quoted\"\ntext");
    values.set("bytes", &[0_u8, 255, 10][..]);
    values.set("name with\nbreaks", "v");
    values.fields_mut().set_error("error", &std::io::Error::other("no\nanswer"));
    all.push(("all kinds of values", values));
    let mut many = record("many fields");
    (0..200).for_each(|n| many.set(format!("field {n}"), n));
    all.push(("many fields", many));
    let mut deep = record("deep");
    let fields = |n: i32| -> Fields { [("depth", n)].into_iter().collect() };
    (0..200).for_each(|n| deep.push_span("span", fields(n)));
    all.push(("200 spans", deep));
    let mut early = record("before 1970");
    early.set_time(std::time::UNIX_EPOCH - std::time::Duration::from_secs(86_400));
    all.push(("a time before 1970", early));
    all
}
