//! `output::Journald` before a journal of the tests' own.

pub(crate) mod journal;

use std::{fs, io, time::UNIX_EPOCH};

use proptest::prelude::*;
use tracing_strata::{
    Fields, Outcome, Record, Severity,
    format::{Text, Time},
    ledger::ErrorHandler,
    output::{Journald, Stream},
    prelude::*,
};

use self::journal::{Journal, all, bind, one};
use crate::{
    places::{Dir, in_a_child, remembering},
    support::{Give as _, with_layer},
};

fn journald(journal: &Journal) -> Journald {
    Journald::builder().socket(journal.path()).identifier("test").build_sync().unwrap()
}

#[test]
fn an_event_with_its_context_is_one_entry() {
    let journal = Journal::new();
    let line = line!() + 5;
    with_layer(journald(&journal).into_layer(), || {
        let request = tracing::info_span!("request", user = 7, zone = "eu");
        let _request = request.enter();
        let _query = tracing::info_span!("query", user = 8).entered();
        tracing::warn!(target: "shop::db", rows = 3_u64, slow = true, ratio = 0.5, "slow\nquery");
    });
    let entry = journal.read();
    assert_eq!(one(&entry, "MESSAGE"), "slow\nquery");
    assert_eq!(one(&entry, "PRIORITY"), "4");
    assert_eq!(one(&entry, "LEVEL"), "WARN");
    assert_eq!(one(&entry, "SYSLOG_IDENTIFIER"), "test");
    assert_eq!(one(&entry, "TARGET"), "shop::db");
    assert_eq!(one(&entry, "CODE_FILE"), file!());
    assert_eq!(one(&entry, "CODE_LINE"), line.to_string());
    assert_eq!(one(&entry, "CODE_FUNC"), module_path!());
    assert_eq!(one(&entry, "THREAD_NAME"), std::thread::current().name().unwrap());
    assert!(one(&entry, "TID").parse::<u64>().unwrap() > 0);
    assert_eq!(all(&entry, "SPAN_NAME"), ["request", "query"]);
    assert_eq!(one(&entry, "ROWS"), "3");
    assert_eq!(one(&entry, "SLOW"), "true");
    assert_eq!(one(&entry, "RATIO"), "0.5");
    assert_eq!(one(&entry, "USER"), "8", "the inner span wins");
    assert_eq!(one(&entry, "ZONE"), "eu");
    assert_eq!(all(&entry, "TIMESTAMP"), [""; 0]);
    assert!(journal.is_empty());
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no number")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn ids_names_times_errors_and_odd_numbers() {
    let journal = Journal::new();
    let handler = Journald::builder()
        .socket(journal.path())
        .field("SERVICE", "shop")
        .field("BLOB", b"a\nb")
        .time(Time::utc().seconds())
        .build_sync()
        .unwrap();
    let mut record = Record::new(Severity::new(35), "a", "");
    record.set_time(UNIX_EPOCH);
    record.set_name("order.paid");
    record.set("wide", u128::MAX);
    record.set("low", i128::MIN);
    record.set("infinite", f64::NEG_INFINITY);
    record.set("nan", f64::NAN);
    record.set("raw", &b"\x00\xff\n"[..]);
    record.set("error.type", "mine");
    record.fields_mut().set_error("error", &Outer("disk".parse::<u8>().unwrap_err()));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    record.push_span("s", [("traceparent", trace)].into_iter().collect());
    record.set_globals([("host", "h")].into_iter().collect());
    assert_eq!(handler.give(&record).unwrap(), Outcome::Written);
    let entry = journal.read();
    for (name, value) in [
        ("MESSAGE", ""),
        ("PRIORITY", "4"),
        ("LEVEL", "35"),
        ("EVENT_NAME", "order.paid"),
        ("SERVICE", "shop"),
        ("BLOB", "a\nb"),
        ("TIMESTAMP", "1970-01-01T00:00:00Z"),
        ("WIDE", "340282366920938463463374607431768211455"),
        ("LOW", "-170141183460469231731687303715884105728"),
        ("INFINITE", "-Infinity"),
        ("NAN", "NaN"),
        ("TRACE_ID", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("SPAN_ID", "00f067aa0ba902b7"),
        ("TRACE_FLAGS", "01"),
        ("HOST", "h"),
        ("ERROR", "no number"),
        ("ERROR__TYPE", "mine"),
    ] {
        assert_eq!(one(&entry, name), value, "{name}");
    }
    assert_eq!(all(&entry, "ERROR__CAUSES"), ["invalid digit found in string"]);
    record.fields_mut().remove("error");
    record.fields_mut().set_error("error", &io::Error::other("gone"));
    handler.give(&record).unwrap();
    assert_eq!(one(&journal.read(), "ERROR__TYPE___5F_"), "std::io::Error");
    let raw = entry.iter().find(|(name, _)| name == "RAW").unwrap();
    assert_eq!(raw.1, b"\x00\xff\n");
    assert!(all(&entry, "TRACEPARENT").is_empty() && all(&entry, "CODE_FILE").is_empty());
}

/// T54: the explicit parent's chain, whatever is current, and none where there is none.
#[test]
fn t54_the_explicit_parent() {
    let journal = Journal::new();
    with_layer(journald(&journal).into_layer(), || {
        let there = tracing::info_span!("there", place = "there");
        let _here = tracing::info_span!("here", place = "here").entered();
        tracing::info!(parent: &there, "explicit");
        tracing::info!(parent: None, "none");
        tracing::info!("contextual");
    });
    for (name, chain) in [("explicit", Some("there")), ("none", None), ("contextual", Some("here"))] {
        let entry = journal.read();
        assert_eq!(one(&entry, "MESSAGE"), name);
        assert_eq!(
            (all(&entry, "PLACE"), all(&entry, "SPAN_NAME")),
            (Vec::from_iter(chain.map(String::from)), Vec::from_iter(chain.map(String::from)))
        );
    }
}

#[test]
fn a_record_that_no_datagram_holds_comes_as_a_sealed_file() {
    let journal = Journal::new();
    let handler = journald(&journal);
    for length in [100, 1_000_000, 100, 5_000_000] {
        let text = "x\n".repeat(length / 2);
        assert_eq!(handler.give(&Record::new(Severity::INFO, "a", &text)).unwrap(), Outcome::Written);
        let (entry, was_file) = journal.read_with_way();
        assert_eq!(one(&entry, "MESSAGE"), text);
        assert_eq!(was_file, length > 100);
    }
}

#[test]
fn t20_where_no_journal_is_there_the_error_says_so() {
    let dir = Dir::new();
    let path = dir.path("none");
    let error = Journald::builder().socket(&path).build_sync().unwrap_err();
    assert!(error.is_io() && error.io_kind() == Some(io::ErrorKind::NotFound));
    let told = error.to_string();
    assert!(told.contains("journal") && told.contains(path.to_str().unwrap()), "{told}");
    // A file that is no socket, and a socket nobody listens at.
    fs::write(&path, "").unwrap();
    assert!(Journald::builder().socket(&path).build_sync().unwrap_err().is_io());
    fs::remove_file(&path).unwrap();
    drop(bind(&path));
    let error = Journald::builder().socket(&path).build_sync().unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_journal_that_comes_later_is_found() {
    let journal = Journal::new();
    let path = journal.path();
    let dir = journal.stop();
    let (error_handler, told) = remembering();
    let handler = Journald::builder().socket(&path).open_lazily(true).build_sync().unwrap();
    let shared = tracing_strata::NamedHandler::with_error_handler("journal", handler, error_handler);
    shared.emit(&Record::new(Severity::INFO, "a", "lost"));
    assert_eq!((shared.stats().failed, shared.stats().written), (1, 0));
    let error = told.lock().unwrap().remove(0);
    assert!(error.starts_with("cannot send to the journal at ") && error.contains("none") || error.contains("socket"));
    let socket = bind(&path);
    shared.emit(&Record::new(Severity::INFO, "a", "found"));
    assert_eq!((shared.stats().failed, shared.stats().written), (1, 1));
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    assert_eq!(one(&journal::parse(&bytes[..length]), "MESSAGE"), "found");
    drop(dir);
}

#[test]
fn a_journal_restarted_ten_times_loses_only_what_it_had_not_read() {
    let mut journal = Journal::new();
    let shared = journald(&journal).named("journal");
    for round in 0..10 {
        for number in 0..5 {
            shared.emit(&Record::new(Severity::INFO, "a", &format!("{round}.{number}")));
        }
        assert_eq!(shared.stats().written, (round + 1) * 5);
        for number in 0..5 {
            assert_eq!(one(&journal.read(), "MESSAGE"), format!("{round}.{number}"));
        }
        journal.restart();
    }
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written), (50, 50));
}

/// EAGAIN has a deadline, and who came too late does not make the next one wait.
#[test]
fn a_journal_that_reads_nothing_blocks_nobody_for_long() {
    let journal = Journal::new();
    let deadline = std::time::Duration::from_millis(20);
    let handler = Journald::builder().socket(journal.path()).timeout(deadline).build_sync().unwrap();
    let shared = tracing_strata::NamedHandler::with_error_handler("journal", handler, ErrorHandler::silent());
    let big = "x".repeat(50_000);
    for number in 0..200 {
        shared.emit(&Record::new(Severity::INFO, "a", &format!("{number} {big}")));
    }
    let stats = shared.stats();
    assert_eq!(stats.accepted(), 200);
    assert!(stats.written > 0 && stats.failed > 0, "{stats}");
    for number in 0..stats.written {
        assert!(one(&journal.read(), "MESSAGE").starts_with(&format!("{number} ")));
    }
    shared.emit(&Record::new(Severity::INFO, "a", "there is room"));
    assert_eq!(one(&journal.read(), "MESSAGE"), "there is room");
    assert!(journal.is_empty());
}

#[test]
fn more_fields_than_the_journal_takes_are_counted_in_the_entry() {
    let journal = Journal::new();
    let mut record = Record::new(Severity::INFO, "a", "many");
    for number in 0..1_200 {
        record.set(format!("f{number}"), number);
    }
    journald(&journal).give(&record).unwrap();
    let entry = journal.read();
    assert!(entry.len() < 1_024);
    assert_eq!(one(&entry, "FIELDS_LEFT_OUT"), "200");
    assert_eq!(one(&entry, "F999"), "999");
}

#[test]
fn fields_for_all_records_need_names_that_fit() {
    for name in ["", "lower", "_X", "1X", "A-B", "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", &"A".repeat(65)] {
        let error = Journald::builder().open_lazily(true).field(name, "x").build_sync().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    for name in ["SERVICE", "SYSLOG_FACILITY", "MESSAGE_ID", &"A".repeat(64)] {
        assert!(Journald::builder().open_lazily(true).field(name, "x").build_sync().is_ok(), "{name}");
    }
}

#[test]
fn debug_shows_no_values() {
    let handler = Journald::builder().open_lazily(true).field("TOKEN", "s3cret").build_sync().unwrap();
    assert!(!format!("{handler:?}").contains("s3cret"));
    let builder = Journald::builder().field("TOKEN", "s3cret");
    assert!(!format!("{builder:?}").contains("s3cret"), "{builder:?}");
}

proptest! {
    /// T56: whatever stands in whichever part, it is one entry, with the fields it should have and no other.
    #[test]
    fn t56_nothing_forges_a_field_or_an_entry(
        message in hostile(), target in hostile(), thread in hostile(), file in hostile(),
        fields in proptest::collection::btree_map(hostile(), hostile(), 0..6),
    ) {
        let journal = Journal::new();
        let mut record = Record::new(Severity::INFO, &target, &message);
        record.set_thread(&thread, 7);
        record.set_source(&file, 8);
        for (name, value) in &fields {
            record.set(name.clone(), value.as_str());
        }
        journald(&journal).give(&record).unwrap();
        let entry = journal.read();
        prop_assert!(journal.is_empty());
        prop_assert_eq!(one(&entry, "MESSAGE"), message);
        prop_assert_eq!(one(&entry, "PRIORITY"), "6");
        prop_assert_eq!(one(&entry, "TARGET"), target);
        prop_assert_eq!(one(&entry, "CODE_FILE"), file);
        prop_assert_eq!(all(&entry, "THREAD_NAME"), Vec::from_iter((!thread.is_empty()).then_some(thread)));
        let own = ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "LEVEL", "TARGET", "CODE_FILE", "CODE_LINE", "THREAD_NAME", "TID"];
        let others: Vec<_> = entry.iter().filter(|(name, _)| !own.contains(&name.as_str())).collect();
        prop_assert_eq!(others.len(), fields.len());
        for ((name, value), expected) in others.iter().zip(record.fields().iter()) {
            prop_assert_eq!(value.as_slice(), expected.1.as_str().unwrap().as_bytes(), "{}", name);
        }
        let mut names: Vec<_> = others.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), fields.len());
    }
}

/// Texts made of what the protocol is made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\0".to_owned()),
        Just("=".to_owned()),
        Just("\nPRIORITY=0\n".to_owned()),
        Just("MESSAGE".to_owned()),
        Just("message".to_owned()),
        Just("\nMESSAGE\n\x04\0\0\0\0\0\0\0evil\n".to_owned()),
        Just("_PID".to_owned()),
        Just("\r\n\r\n".to_owned()),
        "[a-z_.]{1,8}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

// --- JOURNAL_STREAM

/// The file that standard error is, as `JOURNAL_STREAM` writes it.
fn named(file: &fs::File) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata().unwrap();
    format!("{}:{}", metadata.dev(), metadata.ino())
}

/// Runs a test's child with standard error in a file, which `JOURNAL_STREAM` names or not.
fn child_with_stderr(test: &str, journal: &Journal, is_named: bool) -> (String, String) {
    let dir = Dir::new();
    let stderr = fs::File::create(dir.path("stderr")).unwrap();
    let name = if is_named { named(&stderr) } else { "1:2".to_owned() };
    let report = in_a_child(
        test,
        |command| {
            command.env("JOURNAL_STREAM", name).env("STRATA_TEST_SOCKET", journal.path()).stderr(stderr);
        },
        |report| {
            let socket = std::env::var_os("STRATA_TEST_SOCKET").unwrap();
            let console = Stream::stderr().format(Text::plain()).or_journal(Journald::builder().socket(socket));
            let told = format!("{} {} {}", Journald::is_stderr(), Journald::is_stdout(), console.is_journal());
            console.give(&Record::new(Severity::WARN, "a", "where to?")).unwrap();
            fs::write(report, told).unwrap();
        },
    );
    (report, fs::read_to_string(dir.path("stderr")).unwrap())
}

#[test]
fn a_stderr_that_is_the_journal_hands_over() {
    let journal = Journal::new();
    let test = "journald::a_stderr_that_is_the_journal_hands_over";
    let (told, stderr) = child_with_stderr(test, &journal, true);
    assert_eq!((told.as_str(), stderr.as_str()), ("true false true", ""));
    let entry = journal.read();
    assert_eq!((one(&entry, "MESSAGE").as_str(), one(&entry, "PRIORITY").as_str()), ("where to?", "4"));
}

#[test]
fn a_stderr_that_was_redirected_stays() {
    let journal = Journal::new();
    let (told, stderr) = child_with_stderr("journald::a_stderr_that_was_redirected_stays", &journal, false);
    assert_eq!(told, "false false false");
    assert!(stderr.ends_with("where to?\n"), "{stderr}");
    assert!(journal.is_empty());
}

#[test]
fn a_journal_that_cannot_be_reached_leaves_the_stream() {
    let mut journal = Journal::new();
    fs::remove_file(journal.path()).unwrap();
    let test = "journald::a_journal_that_cannot_be_reached_leaves_the_stream";
    let (told, stderr) = child_with_stderr(test, &journal, true);
    assert_eq!(told, "true false false");
    assert!(stderr.ends_with("where to?\n"), "{stderr}");
    fs::write(journal.path(), "").unwrap();
    journal.restart();
}

#[test]
fn fields_of_a_record_by_hand_are_not_renamed_twice() {
    let journal = Journal::new();
    let mut record = Record::new(Severity::INFO, "a", "m");
    let fields: Fields =
        [("message", "1"), ("MESSAGE", "2"), ("message_", "3"), ("http.method", "4"), ("MESSAGE_ID", "5")]
            .into_iter()
            .collect();
    record.fields_mut().extend(&fields);
    journald(&journal).give(&record).unwrap();
    let entry = journal.read();
    assert_eq!(one(&entry, "MESSAGE"), "m");
    for (name, value) in
        [("MESSAGE_", "1"), ("MESSAGE__", "2"), ("MESSAGE___5F_", "3"), ("HTTP__METHOD", "4"), ("MESSAGE_ID", "5")]
    {
        assert_eq!(one(&entry, name), value);
    }
}
