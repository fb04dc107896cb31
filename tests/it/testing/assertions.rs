//! What assertions accept, and what they say when they fail.

use tracing::{debug, error, field::Empty, info, info_span, warn};
use tracing_strata::{
    Severity,
    testing::{Capture, Pattern, at_least, field, level, matching, message, message_contains, span, target},
};

use super::failure;

fn shop() -> Capture {
    let logs = Capture::start();
    let request = info_span!("request", id = "r-1", status = Empty).entered();
    info!(target: "shop", user = 7_u64, "begun");
    warn!(target: "shop::db", rows = 4, table = %"orders", "slow query");
    let why = std::io::Error::other("no answer");
    error!(target: "shop::pay", error = &why as &(dyn std::error::Error + 'static), ratio = 0.5, "payment failed");
    request.record("status", 502);
    drop(request);
    debug!(target: "shop", "ended");
    logs
}

#[test]
fn every_part_of_a_pattern() {
    let logs = shop();
    for (pattern, count) in [
        (level(Severity::WARN), 1),
        (level(tracing::Level::WARN), 1),
        (at_least(Severity::WARN), 2),
        (target("shop"), 4),
        (target("shop.db"), 1),
        (target("shop::db"), 1),
        (target("sho"), 0),
        (message("slow query"), 1),
        (message("slow"), 0),
        (message_contains("slow"), 1),
        (field("rows", 4), 1),
        (field("rows", 4_u8), 1),
        (field("rows", 4.0), 1),
        (field("rows", "4"), 0),
        (field("rows", -4), 0),
        (field("table", "orders"), 1),
        (field("error", "no answer"), 1),
        (field("ratio", 0.5), 1),
        (field("user", 7_i128), 1),
        (field("id", "r-1"), 3),
        (span("request"), 3),
        (matching("has rows", |record| record.get("rows").is_some()), 1),
        (message("begun").or(message("ended")), 2),
        (target("shop").and(at_least(Severity::ERROR)), 1),
        (!span("request"), 1),
        ((!target("shop.db")).and(!target("shop.pay")), 2),
    ] {
        let text = pattern.to_string();
        assert_eq!(logs.records().iter().filter(|record| pattern.matches(record)).count(), count, "{text}");
        logs.assert_count(pattern, count);
    }
}

#[test]
fn a_missing_record_shows_the_nearest_and_what_differs() {
    let logs = shop();
    let wanted = || level(Severity::ERROR).target("shop.db").message("slow query").field("rows", 3).span("job");
    let text = failure(|| drop(logs.assert_contains(wanted())));
    let expected = "\
no record is level ERROR, target shop.db, message \"slow query\", rows=3, in span job
nearest of 4 records:
    WARN     slow query  rows=4 table=orders  shop::db  request{id=r-1}  at FILE
      - level: expected ERROR, is WARN
      - rows: expected 3, is 4
      - span: expected job, is in request
    ERROR    payment failed";
    assert!(place(&text).starts_with(expected), "{text}");
    assert!(text.ends_with("(all are printed when the capture ends)"), "{text}");
    let other_kind = failure(|| drop(logs.assert_contains(field("rows", "4"))));
    assert!(other_kind.contains("- rows: expected \"4\", is 4\n"), "{other_kind}");
    let missing = failure(|| drop(logs.assert_contains(field("nothing", true))));
    assert!(missing.contains("- nothing: expected true, is missing\n"), "{missing}");
    let negated = failure(|| drop(logs.assert_contains(!target("shop"))));
    assert!(negated.contains("- expected not to be: target shop\n"), "{negated}");
    let either = failure(|| drop(logs.assert_contains(message("a").or(message("b")))));
    assert!(either.contains("- either message: expected \"a\", is \"begun\", or message: expected \"b\""), "{either}");
    logs.clear();
    assert_eq!(
        failure(|| drop(logs.assert_contains(message("x")))),
        "no record is message \"x\"\nnothing was captured\n"
    );
}

/// Without the places of source files, which change.
fn place(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("  at ") {
        Some((record, _)) => format!("{record}  at FILE\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_wrong_number_shows_those_found() {
    let logs = shop();
    let text = failure(|| logs.assert_none(at_least(Severity::WARN)));
    assert!(text.starts_with("expected 0 records, are 2: level WARN or above\n    WARN     slow query"), "{text}");
    assert!(text.contains("\n    ERROR    payment failed"), "{text}");
    let text = failure(|| logs.assert_count(message("begun"), 2));
    assert!(text.starts_with("expected 2 records, are 1: message \"begun\"\n"), "{text}");
    let text = failure(|| logs.assert_count(message("begin"), 1));
    assert!(
        text.starts_with(
            "expected 1 record, but no record is message \"begin\"\nnearest of 4 records:\n    INFO     begun"
        ),
        "{text}"
    );
}

#[test]
fn an_order_may_have_gaps_and_no_swaps() {
    let logs = shop();
    let order = |texts: &[&'static str]| texts.iter().map(|text| message(*text)).collect::<Vec<Pattern>>();
    logs.assert_order(order(&["begun", "payment failed", "ended"]));
    logs.assert_order(order(&[]));
    let text = failure(|| logs.assert_order(order(&["begun", "payment failed", "slow query"])));
    assert!(
        text.starts_with("number 3 of the order: no record after \"payment failed\" is message \"slow query\"\n"),
        "{text}"
    );
    let text = failure(|| logs.assert_order(order(&["nothing"])));
    assert!(text.starts_with("number 1 of the order: no record is message \"nothing\"\n"), "{text}");
    // Twice the same needs two records.
    assert!(failure(|| logs.assert_order(order(&["begun", "begun"]))).contains("no record after \"begun\""));
}

#[test]
fn spans_with_their_late_fields() {
    let logs = shop();
    for id in 1..3 {
        drop(info_span!("job", id, kind = "a"));
    }
    logs.assert_span("request").has_field("id", "r-1").has_field("status", 502);
    logs.assert_span("job").has_field("id", 2).has_field("kind", "a");
    let text = failure(|| drop(logs.assert_span("job").has_field("id", 1).has_field("kind", "b")));
    assert_eq!(
        text,
        "no span job has kind=\"b\"; those that fit until here:\n    job{\"id\": I64(1), \"kind\": Str(\"a\")}\n"
    );
    let text = failure(|| drop(logs.assert_span("jobs")));
    assert_eq!(text, "no span jobs was opened; those opened: job, request");
}

#[test]
fn a_snapshot_is_the_same_in_each_run() {
    let logs = shop();
    info!(target: "shop", at = ?std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap(), "two\nlines, {:p}", &logs);
    assert_eq!(
        logs.snapshot(),
        "\
INFO shop: begun user=7 < request{id=\"r-1\"}
WARN shop.db: slow query rows=4 table=\"orders\" < request{id=\"r-1\"}
ERROR shop.pay: payment failed error=\"no answer\" ratio=0.5 < request{id=\"r-1\"}
DEBUG shop: ended
INFO shop: two\\nlines, [address] at=\"[duration]\"
"
    );
}

#[test]
fn fail_on_looks_at_what_nobody_expected() {
    let logs = Capture::start();
    error!("before it");
    {
        let _strict = logs.fail_on(Severity::WARN).except(target("noisy")).except(message("allowed"));
        info!("low");
        warn!(target: "noisy", "1");
        warn!("allowed");
        error!("asserted");
        logs.assert_contains(message("asserted"));
    }
    let text = failure(|| {
        let _strict = logs.fail_on(Severity::WARN);
        warn!("a surprise");
    });
    assert!(text.starts_with("1 record that nobody expected: level WARN or above\n    WARN     a surprise"), "{text}");
    // Of a test that fails anyway, the first failure is the one to read.
    let text = failure(|| {
        let _strict = logs.fail_on(Severity::WARN);
        warn!("a surprise");
        panic!("{}", "first");
    });
    assert_eq!(text, "first");
}
