//! `Text::pretty`: for people at terminals of every width, and enemies.

use std::{
    io,
    num::NonZeroU16,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use tracing_strata::{
    NamedHandler, Record, Severity, Value,
    format::{Buffer, Color, Format, Text, Time},
    output::Stream,
    sink::{Lines, Sink, SinkProperties},
};

use crate::hostile::{Chain, Spec, is_control};

fn pretty() -> Text {
    Text::pretty().time(Time::none()).color(Color::Never)
}

fn shown(text: &Text, columns: u16, record: &Record) -> String {
    let mut out = Buffer::new();
    out.set_terminal(columns > 0);
    out.set_columns(NonZeroU16::new(columns));
    text.format(record, &mut out).unwrap();
    out.to_str().unwrap().to_owned()
}

#[test]
fn an_error_and_its_causes_stand_below() {
    let mut record = Record::new(Severity::ERROR, "shop::pay", "payment failed");
    record.set_source("src/pay.rs", 42);
    record.set("user", 7);
    let causes = ["cannot charge:\nthe card", "no answer", "timed out"];
    record.fields_mut().set_error("error", &Chain::new(&causes.map(Into::into)));
    record.fields_mut().set_error("second", &"x".parse::<i32>().unwrap_err());
    record.push_span("request", [("id", "7f3a")].into_iter().collect());
    let expected = "\
ERROR    payment failed  user=7 second=\"invalid digit found in string\"  shop::pay src/pay.rs:42  request{id=7f3a}
    | error: cannot charge:
    |   the card
    |   caused by: no answer
    |   caused by: timed out";
    assert_eq!(shown(&pretty(), 0, &record), expected);
    let one_line = shown(&pretty().multi_line(false), 40, &record);
    assert!(!one_line.contains('\n') && one_line.contains(r#"error="cannot charge:\nthe card: no answer: timed out""#));
}

#[test]
fn of_a_backtrace_the_frames_of_the_application_are_shown() {
    let trace = "   0: std::panicking::begin_panic
             at /rustc/59807616e1/library/std/src/panicking.rs:1:1
   1: core::panicking::panic
             at /rustc/59807616e1/library/core/src/panicking.rs:1:1
   2: shop::pay::\u{1b}[31mcharge
             at ./src/pay.rs:4:9
   3: serde::de::visit
             at /home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/serde-1.0.1/src/de.rs:7:1
   4: shop::main
             at ./src/main.rs:9:5
   5: tokio::runtime::block_on
   6: main
   7: __libc_start_main
";
    let mut record = Record::new(Severity::CRITICAL, "panic", "index out of bounds");
    record.set_source("./src/pay.rs", 4);
    record.set_thread("main", 1);
    record.set("backtrace", Value::Rendered(trace));
    let expected = "\
CRITICAL index out of bounds  panic src/pay.rs:4
    | backtrace:
    |   … 2 frames of std
    |   shop::pay::\\u{1b}[31mcharge  src/pay.rs:4:9
    |   serde::de::visit  serde-1.0.1/src/de.rs:7:1
    |   shop::main  src/main.rs:9:5
    |   … 3 frames of tokio, std";
    assert_eq!(shown(&pretty(), 0, &record), expected);

    for (name, thread) in [("worker", " thread=worker"), ("", " thread=17")] {
        record.set_thread(name, 17);
        let head = format!("CRITICAL index out of bounds  panic src/pay.rs:4{thread}\n");
        assert!(shown(&pretty(), 0, &record).starts_with(&head));
    }
    let bright = shown(&pretty().color(Color::Always), 0, &record);
    assert!(bright.contains("\x1b[1mshop::main\x1b[0m  \x1b[36msrc/main.rs:9:5\x1b[0m"), "{bright}");
    assert!(bright.contains("\x1b[2mserde::de::visit\x1b[0m"), "{bright}");
    let narrow = shown(&pretty(), 40, &record);
    assert!(narrow.contains("\n    |   serde::de::visit\n    |     serde-1.0.1/src/de.rs:7:1\n"), "{narrow}");
}

/// As `anyhow` and `eyre` print themselves.
#[test]
fn in_a_message_as_in_a_field_a_backtrace_is_told_from_numbered_causes() {
    let report = "cannot answer

Caused by:
    0: cannot read a file whose name is long
    1: No such file

Stack backtrace:
   0: std::backtrace::Backtrace::create
             at /rustc/59807616e1/library/std/src/backtrace.rs:1:1
   1: web::load
             at ./src/main.rs:10:40
   2: main";
    let mut record = Record::new(Severity::ERROR, "web", &format!("failed: {report}"));
    assert_eq!(
        shown(&pretty(), 0, &record),
        "\
ERROR    failed: cannot answer  web
    | 
    | Caused by:
    |     0: cannot read a file whose name is long
    |     1: No such file
    | 
    | Stack backtrace:
    |   … 1 frame of std
    |   web::load  src/main.rs:10:40
    |   … 1 frame of std"
    );
    record.set_message("failed");
    record.set("error", Value::Rendered(report.split("\n\nStack").next().unwrap()));
    assert_eq!(
        shown(&pretty(), 40, &record),
        "\
ERROR    failed  web
    | error:
    |   cannot answer
    |   
    |   Caused by:
    |       0: cannot read a file whose
    |   name is long
    |       1: No such file"
    );
}

#[test]
fn lines_are_as_long_as_the_terminal_where_it_has_forty_columns() {
    let mut record =
        Record::new(Severity::INFO, "shop::orders::cards::gateway", "order placed by a person of some importance");
    record.set("user", 7);
    record.set("name", "Ada Lovelace");
    record.push_span("request", [("id", "7f3a"), ("path", "/orders")].into_iter().collect());
    record.push_span("charge", [("attempt", 2)].into_iter().collect());
    let expected = "\
INFO     order placed by a person of
    | some importance  user=7
    | name=\"Ada Lovelace\"
    | shop::…::gateway
    | request{id=7f3a path=/orders}:
    | charge{attempt=2}";
    assert_eq!(shown(&pretty(), 40, &record), expected);
    let one_line = "INFO     order placed by a person of some importance  user=7 name=\"Ada Lovelace\"  shop::…::gateway  \
                    request{id=7f3a path=/orders}:charge{attempt=2}";
    for columns in [0, 1, 20, 39, 200, u16::MAX] {
        assert_eq!(shown(&pretty(), columns, &record), one_line, "{columns}");
    }
}

#[test]
fn huge_messages_are_whole() {
    for (message, columns) in
        [("word ".repeat(200_000), 80), ("x".repeat(1 << 20), 80), ("a line\n".repeat(10_000), 120)]
    {
        let record = Record::new(Severity::INFO, "app", &message);
        let shown = shown(&pretty(), columns, &record);
        let kept = |text: &str| text.bytes().filter(|byte| byte.is_ascii_lowercase()).count();
        assert_eq!(kept(&shown), kept(&message) + "app".len());
        assert!(shown.lines().skip(1).all(|line| line.starts_with("    | ")));
        let longest = shown.lines().map(str::len).max().unwrap();
        assert!(longest <= usize::from(columns) || message.starts_with('x'), "{longest}");
    }
}

/// Hostile records: no control character, no line that could be another record's, nothing lost where lines are broken.
#[test]
fn t50_hostile_records_forge_nothing() {
    let without_spaces = |text: &str| text.replace("\n    | ", "").replace(' ', "");
    for seed in 0..5_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let spec = Spec::random(&mut rng);
        let record = spec.record(&mut rng);
        let text = pretty().thread(true).globals(true).trace_ids(true).source(true);
        let whole = shown(&text, 0, &record);
        let columns = rng.u16(1..120);
        let broken = shown(&text, columns, &record);
        for text in [&whole, &broken] {
            assert!(!text.chars().any(|c| c != '\n' && is_control(c)), "seed {seed}: {text:?}");
            assert!(text.lines().skip(1).all(|line| line.starts_with("    | ")), "seed {seed}: {text:?}");
        }
        assert_eq!(without_spaces(&broken), without_spaces(&whole), "seed {seed}, {columns} columns");
        let coloured = shown(&text.color(Color::Always), columns, &record);
        assert_eq!(without_colour(&coloured), broken, "seed {seed}, {columns} columns");
    }
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| shown + part.split_once('m').unwrap().1)
}

/// A terminal that says what it is told.
#[derive(Default)]
struct Terminal {
    columns: AtomicU16,
    text: Mutex<String>,
}

impl Sink for Terminal {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(std::str::from_utf8(line).unwrap());
            Ok(())
        })
    }

    fn properties(&self) -> SinkProperties {
        let columns = NonZeroU16::new(self.columns.load(Ordering::Relaxed));
        SinkProperties { is_terminal: true, columns, ..SinkProperties::default() }
    }
}

#[test]
fn a_terminal_may_change_its_width() {
    let terminal = std::sync::Arc::new(Terminal::default());
    let handler = NamedHandler::new("console", Stream::sink(terminal.clone()).format(pretty().target(false)));
    for (second, columns) in [40, 0, 200, 20].into_iter().enumerate() {
        terminal.columns.store(columns, Ordering::Relaxed);
        let mut record = Record::new(Severity::INFO, "app", &"word ".repeat(8));
        record.set_time(UNIX_EPOCH + Duration::from_secs(second as u64 + 1));
        handler.emit(&record);
    }
    let text = terminal.text.lock().unwrap_or_else(PoisonError::into_inner);
    let one = "INFO     word word word word word word word word ";
    assert_eq!(*text, format!("INFO     word word word word word word\n    | word word \n{one}\n{one}\n{one}\n"));
}
