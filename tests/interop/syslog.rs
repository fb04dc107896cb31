//! Syslog: rsyslog and syslog-ng read what we send.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracing_strata::{
    Format, Handler, HandlerExt as _, Record, Severity,
    format::{Buffer, Facility, SyslogFormat as Form, Text, Time},
    output::{Syslog, SyslogBuilder},
    sink::net::{Address, Backoff, Connection, ConnectionBuilder, Framing, Tls},
};

use crate::give::Give as _;
use crate::{dice::Dice, servers::Server};

/// The lines of a file of JSON, once there are enough of them.
fn lines(path: &Path, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= count && text.ends_with('\n') {
            return text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
                .collect();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{} of {count} lines:\n{text}", text.lines().count());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn form() -> Form {
    Form::rfc5424().facility(Facility::Local3).host("web1").app("shop").process_id("42").sd_id("shop@32473")
}

fn direct(to: impl Into<ConnectionBuilder>, form: Form) -> impl Handler {
    let builder: SyslogBuilder = Syslog::builder(to).format(form);
    builder.build_sync().unwrap()
}

const MESSAGES: [&str; 4] = ["plain", "größe 中", "a] \"b\" \\c [d]", "two\nlines <34>1 - - - - - - x"];

fn send(handler: &impl Handler) {
    for message in MESSAGES {
        let mut record = Record::new(Severity::WARN, "shop::pay", message);
        record.set("k", r#"v"1]\"#);
        handler.give(&record).unwrap();
    }
}

fn text<'v>(line: &'v Value, key: &str) -> &'v str {
    line[key].as_str().unwrap_or_else(|| panic!("{key}: {line}"))
}

#[test]
fn rsyslog_udp_tcp_tls_and_unix() {
    let server = Server::start("rsyslog");
    let run = server.dir().join("run");
    let trust = || Tls::new().ca_file(run.join("ca.pem"));
    let tls = Connection::builder(Address::tls("localhost", 16514)).tls(trust());
    let mutual = trust().identity(run.join("client.pem"), run.join("client.key"));
    let mutual = Connection::builder(Address::tls("localhost", 16515)).tls(mutual);
    let lf = Connection::builder(Address::tcp("127.0.0.1", 15514)).framing(Framing::Lines);
    let wires: [(&str, ConnectionBuilder); 5] = [
        ("imudp", Address::udp("127.0.0.1", 15514).into()),
        ("imptcp", Address::tcp("127.0.0.1", 15514).into()),
        ("imptcp", lf),
        ("imtcp-tls", tls),
        ("imtcp-mtls", mutual),
    ];
    let mut seen = 0;
    for (input, to) in wires {
        let handler = direct(to, form());
        send(&handler);
        drop(handler);
        let all = lines(&run.join("out.jsonl"), seen + MESSAGES.len());
        assert_eq!(all.len(), seen + MESSAGES.len());
        for (line, message) in all[seen..].iter().zip(MESSAGES) {
            assert_eq!(text(line, "in"), input, "{line}");
            let head = ["pri", "fac", "sev", "ver", "host", "app", "pid", "msgid"].map(|key| text(line, key));
            assert_eq!(head, ["156", "local3", "warning", "1", "web1", "shop", "42", "shop::pay"]);
            assert_eq!(text(line, "sd"), r#"[shop@32473 k="v\"1\]\\"]"#);
            // rsyslog leaves the byte order mark where it is.
            let got = text(line, "msg").trim_start_matches('\u{feff}').to_owned();
            let mut expected = Buffer::new();
            let body = Text::plain().time(Time::none()).level(false).target(false);
            body.format(&Record::new(Severity::WARN, "", message), &mut expected).unwrap();
            assert_eq!(got, message.replace('\\', r"\\").replace('\n', r"\n"), "{line}");
        }
        seen += MESSAGES.len();
    }

    // The form of /dev/log.
    let handler = Syslog::builder(Address::unix(run.join("log.sock"))).build_sync().unwrap();
    send(&handler);
    let all = lines(&run.join("out.jsonl"), seen + MESSAGES.len());
    for line in &all[seen..] {
        assert_eq!([text(line, "pri"), text(line, "pid")], ["12", &std::process::id().to_string()], "{line}");
        assert!(text(line, "msg").contains("shop::pay: ") && text(line, "msg").contains(" k=\"v\\\"1]"), "{line}");
    }
    seen += MESSAGES.len();

    // What Python sends, over UDP; and 3164 with a host.
    let address = Address::udp("127.0.0.1", 15514);
    let python = direct(address.clone(), Form::python().ident("shop: "));
    python.give(&Record::new(Severity::ERROR, "a", "as Python does")).unwrap();
    let older = direct(address, Form::rfc3164().host("web1.example.com").app("shop").process_id("7"));
    older.give(&Record::new(Severity::INFO, "", "as it was")).unwrap();
    let all = lines(&run.join("out.jsonl"), seen + 2);
    assert_eq!(
        ["pri", "tag", "msg"].map(|key| text(&all[seen], key)).map(|t| t.trim_end_matches("#000").trim()),
        ["11", "shop:", "as Python does"]
    );
    assert_eq!(
        ["pri", "host", "tag", "msg"].map(|key| text(&all[seen + 1], key).trim()),
        ["14", "web1", "shop[7]:", "as it was"]
    );
}

/// `/dev/log`, where this machine has none, is a link to rsyslog's socket, as systemd makes one; else its own daemon takes
/// the records, and what it makes of them is its affair.
#[test]
fn the_daemon_of_this_machine() {
    struct Link(&'static str);

    impl Drop for Link {
        fn drop(&mut self) {
            fs::remove_file(self.0).unwrap();
        }
    }

    let server = Server::start("rsyslog");
    let run = server.dir().join("run");
    let link = match std::os::unix::fs::symlink(run.join("log.sock"), "/dev/log") {
        Ok(()) => Some(Link("/dev/log")),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "/dev/log: {error}");
            None
        }
    };
    let handler = Syslog::local().build().unwrap().named("local");
    send(&handler);
    handler.flush().unwrap();
    let stats = handler.stats();
    assert_eq!((stats.written, stats.accepted()), (MESSAGES.len() as u64, MESSAGES.len() as u64), "{stats}");
    if link.is_some() {
        for line in lines(&run.join("out.jsonl"), MESSAGES.len()) {
            assert_eq!([text(&line, "pri"), text(&line, "pid")], ["12", &std::process::id().to_string()], "{line}");
            assert!(text(&line, "msg").contains("shop::pay: "), "{line}");
        }
    }
}

#[test]
fn rsyslog_wants_to_know_who_we_are() {
    let server = Server::start("rsyslog");
    let run = server.dir().join("run");
    let stranger = Connection::builder(Address::tls("localhost", 16515)).tls(Tls::new().ca_file(run.join("ca.pem")));
    let handler = direct(stranger, form()).named("stranger");
    handler.set_error_handler(tracing_strata::ledger::ErrorHandler::silent());
    let start = Instant::now();
    // With TLS 1.3 a refusal may come after the first record was taken.
    while handler.stats().failed == 0 {
        handler.emit(&Record::new(Severity::INFO, "a", "who?"));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    assert!(fs::read_to_string(run.join("out.jsonl")).unwrap_or_default().is_empty());
}

#[test]
fn rsyslog_restarted_ten_times_under_load() {
    let server = Server::start("rsyslog");
    let out = server.dir().join("run/out.jsonl");
    let to = Connection::builder(Address::tcp("127.0.0.1", 15514))
        .backoff(Backoff::default().max(Duration::from_millis(100)))
        .reconnect_timeout(Duration::from_secs(30));
    let (queue, guard) = Syslog::builder(to).format(form()).build_with_guard().unwrap();
    let handler = queue.named("rsyslog");
    let mut given = 0;
    for _ in 0..10 {
        for _ in 0..200 {
            handler.emit(&Record::new(Severity::INFO, "a", &format!("number {given}")));
            given += 1;
        }
        server.restart(&[]);
    }
    guard.shutdown(Duration::from_secs(60)).unwrap();
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.written + stats.failed), (given, given), "{stats}");
    drop((handler, guard));
    server.run("stop.sh", &[]);
    let got: Vec<_> = lines(&out, 1).iter().map(|line| text(line, "msg").to_owned()).collect();
    let mut once = got.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), got.len(), "twice");
    assert!(got.iter().all(|message| message.strip_prefix("number ").is_some_and(|n| n.parse::<u64>().is_ok())));
    assert!(got.len() as u64 <= stats.written && got.len() >= 1_000, "{} {stats}", got.len());
    server.run("start.sh", &[]);
}

/// `[id name="value" …]`, as syslog-ng writes it again.
fn parameters(sd: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = sd;
    while let Some((_, tail)) = rest.split_once(' ') {
        let (name, tail) = tail.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut chars = tail.char_indices();
        let end = loop {
            match chars.next().unwrap() {
                (end, '"') => break end,
                (_, '\\') => value.push(chars.next().unwrap().1),
                (_, c) => value.push(c),
            }
        };
        all.push((name.to_owned(), value));
        rest = &tail[end + 1..];
        if rest.starts_with(']') {
            break;
        }
    }
    all
}

fn read_back(to: impl Into<ConnectionBuilder>, out: &Path, seen: usize, count: usize, form: Form) {
    let handler = direct(to, form);
    let mut dice = Dice::new();
    let records: Vec<_> = (0..count).map(|number| dice.record(number)).collect();
    records.iter().for_each(|record| {
        handler.give(record).unwrap();
    });
    drop(handler);
    let all = lines(out, seen + count);
    assert_eq!(all.len(), seen + count);
    for (line, record) in all[seen..].iter().zip(&records) {
        assert!(!line.to_string().contains("Error processing log message"), "{line}");
        let mut found: Vec<_> =
            parameters(text(line, "SDATA")).into_iter().filter(|(name, _)| name != "target").map(|(_, v)| v).collect();
        let mut expected: Vec<_> = record.fields().iter().map(|(_, value)| value.to_string()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{line}");
        let number = record.get("number").unwrap().to_string();
        assert!(text(line, "MESSAGE").starts_with(&number) && !text(line, "MESSAGE").contains('\n'), "{line}");
        assert_eq!([text(line, "PROGRAM"), text(line, "HOST"), text(line, "PID")], ["shop", "web1", "42"]);
    }
}

#[test]
fn syslog_ng_takes_ten_thousand_hostile_records_and_reads_every_value_back() {
    let server = Server::start("syslog-ng");
    let run = server.dir().join("run");
    let out = run.join("out.jsonl");
    read_back(Address::tcp("127.0.0.1", 17601), &out, 0, 10_000, form());
    let tls = Connection::builder(Address::tls("localhost", 17515)).tls(Tls::new().ca_file(run.join("ca.pem")));
    read_back(tls, &out, 10_000, 500, form());
}

#[test]
fn syslog_ng_by_lines_udp_and_unix() {
    let server = Server::start("syslog-ng");
    let run = server.dir().join("run");
    let out = run.join("out.jsonl");
    let mut seen = 0;
    let mut send = |to: ConnectionBuilder, form: Option<Form>, count: usize| {
        let builder = Syslog::builder(to);
        let handler = match form {
            Some(form) => builder.format(form).build_sync().unwrap(),
            None => builder.build_sync().unwrap(),
        };
        let mut dice = Dice::new();
        for number in 0..count {
            handler.give(&dice.record(number)).unwrap();
            // UDP has no one who waits.
            if number % 20 == 19 {
                lines(&out, seen + number.saturating_sub(20));
            }
        }
        drop(handler);
        let all = lines(&out, seen + count);
        assert_eq!(all.len(), seen + count);
        for (number, line) in all[seen..].iter().enumerate() {
            assert!(!line.to_string().contains("Error processing log message"), "{line}");
            assert!(text(line, "MESSAGE").contains(&number.to_string()), "{number} {line}");
        }
        seen += count;
    };
    let lines = Connection::builder(Address::tcp("127.0.0.1", 17514)).framing(Framing::Lines);
    send(lines, Some(form()), 1_000);
    send(Address::udp("127.0.0.1", 17601).into(), Some(form()), 200);
    send(Address::udp("127.0.0.1", 17514).into(), Some(Form::rfc3164()), 200);
    send(Address::unix(run.join("dgram.sock")).into(), None, 500);
    send(Address::unix(run.join("stream.sock")).into(), None, 500);
}
