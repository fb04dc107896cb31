//! `output::Journald` before systemd's own journal, read back by `journalctl`.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tracing_strata::{NamedHandler, Record, Severity, ledger::ErrorHandler, output::Journald, prelude::*};

use crate::{hostile, servers::Server};

const NAMESPACE: &str = "strata-it";

fn socket() -> PathBuf {
    format!("/run/systemd/journal.{NAMESPACE}/socket").into()
}

fn journald(identifier: &str) -> NamedHandler {
    let handler = Journald::builder().socket(socket()).identifier(identifier).timeout(Duration::from_secs(60));
    handler.build_sync().unwrap().named("journald")
}

/// All entries with an identifier, once there are so many.
fn read(identifier: &str, count: usize) -> Vec<Json> {
    let began = Instant::now();
    loop {
        let namespace = format!("--namespace={NAMESPACE}");
        let output = Command::new("journalctl")
            .args([&namespace, "--all", "--no-pager", "--output=json", "-t", identifier])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let entries: Vec<Json> = output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        if entries.len() >= count || began.elapsed() > Duration::from_secs(60) {
            assert_eq!(entries.len(), count);
            return entries;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `journalctl` shows what is no printable text as numbers.
fn bytes(value: &Json) -> Vec<u8> {
    match value {
        Json::String(text) => text.as_bytes().to_vec(),
        Json::Array(numbers) => numbers.iter().map(|number| number.as_u64().unwrap() as u8).collect(),
        other => panic!("{other}"),
    }
}

fn text(entry: &Json, name: &str) -> String {
    String::from_utf8(bytes(&entry[name])).unwrap()
}

#[test]
fn ten_thousand_hostile_records_come_back_equal() {
    let _server = Server::start("journald");
    let shared = journald("hostile");
    let records: Vec<Record> = (0..10_000).map(hostile::record).collect();
    records.iter().for_each(|record| shared.emit(record));
    assert_eq!((shared.stats().written, shared.stats().accepted()), (10_000, 10_000));
    let entries = read("hostile", 10_000);
    let own =
        ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "LEVEL", "TARGET", "CODE_FILE", "CODE_LINE", "THREAD_NAME", "TID"];
    // The name of a field → what the journal calls it, and back.
    let (mut called, mut means) = (HashMap::<String, String>::new(), HashMap::<String, String>::new());
    for (record, entry) in records.iter().zip(&entries) {
        assert_eq!(text(entry, "MESSAGE"), record.message());
        assert_eq!(text(entry, "PRIORITY"), record.severity().syslog().to_string());
        assert_eq!(text(entry, "LEVEL"), record.severity().name().unwrap());
        assert_eq!(text(entry, "TARGET"), record.target());
        assert_eq!(text(entry, "CODE_FILE"), record.file().unwrap());
        assert_eq!(text(entry, "CODE_LINE"), "8");
        assert_eq!(
            entry.get("THREAD_NAME").map(bytes).unwrap_or_default(),
            record.thread_name().unwrap_or_default().as_bytes()
        );
        let mut others: HashMap<&str, Vec<u8>> = entry
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| !name.starts_with('_') && !own.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), bytes(value)))
            .collect();
        assert_eq!(others.len(), record.fields().len(), "{entry}\n{record:?}");
        // Which is which is known where the value is the only one of its kind.
        for (name, value) in record.fields().iter() {
            let value = value.as_str().unwrap().as_bytes();
            let with_value: Vec<_> =
                others.iter().filter(|(_, other)| other.as_slice() == value).map(|(name, _)| *name).collect();
            assert!(!with_value.is_empty(), "{name:?} is missing in {entry}");
            if let [journal] = with_value[..] {
                let known = called.entry(name.to_owned()).or_insert_with(|| journal.to_owned());
                assert_eq!(known, journal, "{name:?}");
                let known = means.entry(journal.to_owned()).or_insert_with(|| name.to_owned());
                assert_eq!(known, name, "{journal}");
                others.remove(journal);
            }
        }
    }
    assert!(called.len() > 500, "{}", called.len());
}

#[test]
fn a_record_of_one_megabyte() {
    let _server = Server::start("journald");
    let shared = journald("big");
    let message = "0123456789abcde\n".repeat(65_536);
    shared.emit(&Record::new(Severity::INFO, "a", &message));
    shared.emit(&Record::new(Severity::INFO, "a", "small"));
    assert_eq!(shared.stats().written, 2);
    let entries = read("big", 2);
    assert!(text(&entries[0], "MESSAGE") == message);
    assert_eq!(text(&entries[1], "MESSAGE"), "small");
}

#[test]
fn typed_values_and_fields_for_all_records() {
    let _server = Server::start("journald");
    let handler = Journald::builder().socket(socket()).identifier("typed").field("SERVICE", "shop");
    let layer = handler.build_sync().unwrap().into_layer();
    tracing::subscriber::with_default(
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), layer),
        || {
            let _request = tracing::info_span!("request", http.method = "PUT").entered();
            tracing::warn!(rows = 3, ratio = 0.25, done = false, raw = &b"\x00\xff"[..], "typed");
        },
    );
    let entry = read("typed", 1).remove(0);
    for (name, value) in [
        ("MESSAGE", "typed"),
        ("PRIORITY", "4"),
        ("ROWS", "3"),
        ("RATIO", "0.25"),
        ("DONE", "false"),
        ("HTTP__METHOD", "PUT"),
        ("SPAN_NAME", "request"),
        ("SERVICE", "shop"),
        ("CODE_FUNC", module_path!()),
    ] {
        assert_eq!(text(&entry, name), value, "{name}");
    }
    assert_eq!(bytes(&entry["RAW"]), [0, 255]);
    assert_eq!(text(&entry, "_PID"), std::process::id().to_string());
}

/// Restarted ten times under load: it goes on by itself, and what was counted as written was written, but for what waited
/// in the queue of a journal that was killed.
#[test]
fn a_journal_that_is_restarted_ten_times() {
    let server = Server::start("journald");
    let handler =
        Journald::builder().socket(socket()).identifier("restart").timeout(Duration::from_secs(60)).build_sync();
    let shared = NamedHandler::with_error_handler("journald", handler.unwrap(), ErrorHandler::silent());
    let mut numbers = 0;
    for round in 0..10 {
        for _ in 0..100 {
            shared.emit(&Record::new(Severity::INFO, "a", &numbers.to_string()));
            numbers += 1;
        }
        read("restart", 100 * (round + 1));
        server.restart(&[("KEEP", "1")]);
    }
    shared.emit(&Record::new(Severity::INFO, "a", &numbers.to_string()));
    let stats = shared.stats();
    assert_eq!((stats.accepted(), stats.written, stats.failed), (1_001, 1_001, 0), "{stats}");
    let messages: Vec<_> = read("restart", 1_001).iter().map(|entry| text(entry, "MESSAGE")).collect();
    assert!(messages.iter().enumerate().all(|(number, message)| *message == number.to_string()));
}
