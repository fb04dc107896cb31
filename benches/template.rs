//! What a line by a template costs, beside Rust's own `format!` and beside CPython's `logging.Formatter`.
//!
//! ```text
//! cargo bench --bench template              # the table; CPython's column wants python3 in the path
//! cargo bench --bench template -- --quick   # does it run? numbers are rough
//! ```
//!
//! The record is W1's (a message and five fields: `u64`, `&str`, `f64`, `bool`, an address). Each side makes the same
//! bytes; `format!` has its values at hand as Rust variables and gets the time by the same `Time`, and it makes a new
//! `String` for each line, as `format!` does (`write!` into a kept one is the column beside). CPython is asked for
//! `Formatter.format(record)` and nothing else of a logging call, by `benches/template.py`.
//! Time is what the thread has used the processor, the median of nine rounds; only ratios mean anything.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "support/alloc.rs"]
mod alloc;
#[allow(dead_code)]
#[path = "support/clock.rs"]
mod clock;

use std::{
    fmt::Write as _,
    hint::black_box,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing_strata::{
    Record, Severity,
    format::{Buffer, Format, Template, Time},
};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

struct Case {
    name: &'static str,
    template: Template,
    format: fn(&Values, &Time) -> String,
    write: fn(&Values, &Time, &mut String),
}

/// What the application has at hand.
struct Values {
    time: SystemTime,
    level: &'static str,
    name: &'static str,
    thread: &'static str,
    line: u32,
    message: &'static str,
    user: u64,
    route: &'static str,
    ms: f64,
    cached: &'static str,
    client: &'static str,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, lines) = if quick { (3, 2_000) } else { (9, 200_000) };
    let python = python(if quick { 2_000 } else { 100_000 });
    println!("{}", clock::here_and_now());
    println!("| line | Template ns | allocations | write! ns | format! ns | CPython ns | of format! | of CPython |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (index, case) in cases().iter().enumerate() {
        let (record, values, time) = (record(), values(), Time::local().millis());
        let mut out = Buffer::new();
        case.template.format(&record, &mut out).unwrap();
        assert_eq!(out.to_string(), (case.format)(&values, &time), "{}", case.name);

        let mut line = Buffer::new();
        let mut by_template = || {
            line.clear();
            case.template.format(black_box(&record), &mut line).unwrap();
            black_box(&line);
        };
        let template = median(rounds, lines, &mut by_template);
        let before = alloc::allocations();
        (0..1_000).for_each(|_| by_template());
        let allocations = alloc::allocations() - before;
        let format = median(rounds, lines, &mut || {
            black_box((case.format)(black_box(&values), &time));
        });
        let mut line = String::new();
        let write = median(rounds, lines, &mut || {
            line.clear();
            (case.write)(black_box(&values), &time, &mut line);
            black_box(&line);
        });
        let (cpython, of) = match python.get(index) {
            Some(nanos) => (format!("{nanos:.0}"), format!("{:.3}", template / nanos)),
            None => ("no python3".into(), "-".into()),
        };
        println!(
            "| {} | {template:.0} | {} | {write:.0} | {format:.0} | {cpython} | {:.2} | {of} |",
            case.name,
            allocations as f64 / 1_000.0,
            template / format,
        );
    }
}

/// Nanoseconds a line.
fn median(rounds: usize, lines: u32, work: &mut dyn FnMut()) -> f64 {
    let mut all: Vec<f64> = (0..=rounds)
        .map(|_| {
            let before = clock::thread_time();
            (0..lines).for_each(|_| work());
            (clock::thread_time() - before).as_nanos() as f64 / f64::from(lines)
        })
        .skip(1)
        .collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn python(lines: u32) -> Vec<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/template.py");
    let Ok(output) = Command::new("python3").arg(script).arg(lines.to_string()).output() else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse().ok()).collect()
}

const TIME: Duration = Duration::new(1_709_640_000, 62_500_000);

fn values() -> Values {
    Values {
        time: UNIX_EPOCH + TIME,
        level: "INFO",
        name: "shop.web",
        thread: "MainThread",
        line: 10,
        message: "request served",
        user: 4_711,
        route: "/orders",
        ms: 12.375,
        cached: "True",
        client: "10.1.2.3",
    }
}

fn record() -> Record {
    let mut record = Record::new(Severity::INFO, "shop.web", "request served");
    record.set_time(UNIX_EPOCH + TIME);
    record.set_source("/srv/app/src/app.rs", 10);
    record.set_thread("MainThread", 1);
    record.set("user", 4_711_u64);
    record.set("route", "/orders");
    record.set("ms", 12.375);
    record.set("cached", true);
    record.set("client", "10.1.2.3");
    record
}

/// In the order of `template.py`.
fn cases() -> [Case; 3] {
    macro_rules! case {
        ($name:literal, $template:expr, |$v:ident, $t:ident| $($arguments:tt)+) => {
            Case {
                name: $name,
                template: $template,
                format: |$v, $t| format!($($arguments)+),
                write: |$v, $t, out| write!(out, $($arguments)+).unwrap(),
            }
        };
    }
    [
        case!("message alone", Template::new(), |v, _t| "{}", v.message),
        case!(
            "W1 in `%` style",
            Template::percent(
                "%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s:%(lineno)d: %(message)s user=%(user)d \
                 route=%(route)s ms=%(ms).3f cached=%(cached)s client=%(client)s"
            )
            .unwrap(),
            |v, t| "{} {:<8} [{}] {}:{}: {} user={} route={} ms={:.3} cached={} client={}",
            asctime(v.time, t),
            v.level,
            v.thread,
            v.name,
            v.line,
            v.message,
            v.user,
            v.route,
            v.ms,
            v.cached,
            v.client
        ),
        case!(
            "W1 in `{` style",
            Template::brace(
                "{asctime}|{levelname:>8}|{name:^12}|{message}|{user:06d}|{route:<12}|{ms:8.2f}|{cached}|{client}"
            )
            .unwrap(),
            |v, t| "{}|{:>8}|{:^12}|{}|{:06}|{:<12}|{:8.2}|{}|{}",
            asctime(v.time, t),
            v.level,
            v.name,
            v.message,
            v.user,
            v.route,
            v.ms,
            v.cached,
            v.client
        ),
    ]
}

/// `2024-03-05 12:00:00,062`, from the fastest that a Rust program has: our own `Time`.
fn asctime(time: SystemTime, zone: &Time) -> impl std::fmt::Display {
    let mut text = String::with_capacity(40);
    zone.write(time, &mut text);
    text.truncate(23);
    text.replace_range(10..11, " ");
    text.replace_range(19..20, ",");
    text
}
