//! A connection that is kept.

use std::{io::Read as _, time::Duration};

use tracing_strata::{
    Handler, Outcome,
    format::Json,
    output::{Socket, Syslog},
    sink::net::{Address, Backoff, Connection, Framing},
};

use super::{all_of, bare, eager, in_time, listen, nobody, record, to, whole};
use crate::support::Give as _;

#[test]
fn every_framing_carries_whole_records() {
    for (framing, expected) in [
        (Framing::Lines, &b"one\nt o\0\n"[..]),
        (Framing::Nul, b"one\0t\no \0"),
        (Framing::Length, b"\0\0\0\x03one\0\0\0\x04t\no\0"),
        (Framing::OctetCounting, b"3 one4 t\no\0"),
        (Framing::None, b"onet\no\0"),
    ] {
        let (listener, address) = listen();
        let handler = bare(Connection::builder(address).framing(framing)).build_sync().unwrap();
        for message in ["one", "t\no\0"] {
            assert_eq!(handler.give(&record(message)).unwrap(), Outcome::Written);
        }
        assert!(handler.connection().is_open());
        drop(handler);
        assert_eq!(all_of(listener.accept().unwrap().0), expected, "{framing:?}");
    }
}

#[test]
fn json_lines_by_default() {
    let (listener, address) = listen();
    let handler = Socket::builder(address).build_sync().unwrap();
    handler.give(&record("a\nb")).unwrap();
    drop(handler);
    let text = String::from_utf8(all_of(listener.accept().unwrap().0)).unwrap();
    let value: serde_json::Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!((value["message"].as_str(), text.lines().count()), (Some("a\nb"), 1));
}

/// Formats say what they want; a byte that ends records may stand inside a pickle.
#[test]
fn the_framing_is_the_formats_where_none_was_chosen() {
    use tracing_strata::{Format, format};

    let frame = |format: Box<dyn Format>| {
        let (listener, address) = listen();
        let handler = Socket::builder(address).format(format).build_sync().unwrap();
        // Ten characters: a line break in the pickle's own lengths, and one of its text.
        for _ in 0..2 {
            handler.give(&record("123456789\n")).unwrap();
        }
        drop(handler);
        all_of(listener.accept().unwrap().0)
    };
    let pickles = crate::pickle::read_all(&frame(Box::new(format::Pickle::new())));
    assert_eq!(pickles.len(), 2);
    assert!(pickles[1].contains(&("msg".to_owned(), crate::pickle::Value::Text("123456789\n".into()))), "{pickles:?}");

    let gelf = frame(Box::new(format::Gelf::new()));
    assert!(gelf.starts_with(b"{") && gelf.ends_with(b"}\0"), "{}", String::from_utf8_lossy(&gelf));
    assert_eq!(gelf.iter().filter(|byte| **byte == 0).count(), 2);

    let syslog = frame(Box::new(format::SyslogFormat::rfc5424()));
    let (messages, rest) = whole(&syslog);
    assert_eq!((messages.len(), rest), (2, &b""[..]));
}

#[test]
fn a_framing_that_would_change_a_pickle_is_refused() {
    for framing in [Framing::Lines, Framing::Nul] {
        let to = Connection::builder(nobody()).framing(framing);
        let error = Socket::builder(to).format(tracing_strata::format::Pickle::new()).build().unwrap_err();
        let text = error.to_string();
        assert!(
            error.is_config() && text.contains(&format!("{framing:?}")) && text.contains("Framing::None"),
            "{text}"
        );
    }
    // What a length stands in front of stays as it is.
    let to = Connection::builder(nobody()).framing(Framing::Length);
    Socket::builder(to).format(tracing_strata::format::Pickle::new()).build_sync().unwrap();
}

#[cfg(unix)]
#[test]
fn a_unix_stream() {
    let dir = crate::places::Dir::new();
    let listener = std::os::unix::net::UnixListener::bind(dir.path("socket")).unwrap();
    let to = Connection::builder(Address::UnixStream(dir.path("socket"))).framing(Framing::Length);
    let handler = Socket::builder(to).format(Json::new()).build_sync().unwrap();
    handler.give(&record("hello")).unwrap();
    assert_eq!(handler.describe().name, format!("unix-stream://{}", dir.path("socket").display()));
    drop(handler);
    let mut bytes = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
    let (length, json) = bytes.split_first_chunk::<4>().unwrap();
    assert_eq!(u32::from_be_bytes(*length) as usize, json.len());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(json).unwrap()["message"], "hello");
}

#[test]
fn a_peer_that_has_closed_is_noticed_before_a_record_is_lost_to_it() {
    let (listener, address) = listen();
    let handler = bare(eager(address)).build_sync().unwrap();
    let mut got = Vec::new();
    for round in 0..5 {
        handler.give(&record(&format!("{round}:1"))).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        handler.give(&record(&format!("{round}:2"))).unwrap();
        let mut bytes = [0; 10];
        stream.read_exact(&mut bytes).unwrap();
        got.extend(whole(&bytes).0);
    }
    assert_eq!(got, ["0:1", "0:2", "1:1", "1:2", "2:1", "2:2", "3:1", "3:2", "4:1", "4:2"]);
}

#[test]
fn what_the_peer_says_is_thrown_away() {
    let (listener, address) = listen();
    let handler = bare(to(address)).build_sync().unwrap();
    handler.give(&record("1")).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut stream, &[b'!'; 10_000]).unwrap();
    for message in ["2", "3"] {
        handler.give(&record(message)).unwrap();
    }
    drop(handler);
    assert_eq!(all_of(stream), b"1 11 21 3");
}

#[test]
fn close_and_open_again() {
    let (listener, address) = listen();
    let handler = bare(to(address)).build_sync().unwrap();
    handler.give(&record("1")).unwrap();
    handler.connection().close();
    assert!(!handler.connection().is_open());
    handler.give(&record("2")).unwrap();
    drop(handler);
    assert_eq!(all_of(listener.accept().unwrap().0), b"1 1");
    assert_eq!(all_of(listener.accept().unwrap().0), b"1 2");
}

#[test]
fn with_patience_a_record_waits_for_a_peer_that_comes() {
    let (listener, address) = listen();
    let port = listener.local_addr().unwrap();
    drop(listener);
    let patient = to(address)
        .reconnect_timeout(super::LONG)
        .backoff(Backoff::default().initial(Duration::from_millis(5)).factor(1.0));
    let handler = bare(patient).build_sync().unwrap();
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || handler.give(&record("patient")));
        // It may have tried already, or not.
        let listener = std::net::TcpListener::bind(port).unwrap();
        let stream = listener.accept().unwrap().0;
        assert_eq!(in_time(|| sending.join()).unwrap().unwrap(), Outcome::Written);
        assert_eq!(all_of(stream), b"7 patient");
    });
}

#[test]
fn t20_what_is_wrong_is_named() {
    let refused = |address: Address| Socket::builder(address).build_sync().unwrap_err();
    assert!(refused(Address::udp("h", 1)).to_string().contains("udp://h:1"));
    assert!(refused(Address::tcp("", 1)).to_string().contains("host \"\""));
    assert!(refused(Address::tcp("h", 0)).is_config());
    let (_, address) = listen();
    let error = bare(to(address)).fallback(tracing_strata::output::Null).build_sync().unwrap_err();
    assert!(error.to_string().contains("build_sync()?.fallback(fallback)"), "{error}");
}

#[test]
fn errors_name_the_peer_and_when_it_is_tried_again() {
    let slow = Backoff::default().initial(Duration::from_secs(20)).jitter(0.0);
    let address = nobody();
    let handler = Syslog::builder(Connection::builder(address.clone()).backoff(slow)).build_sync().unwrap();
    let first = handler.give(&record("1")).unwrap_err();
    assert_eq!(first.io_kind(), Some(std::io::ErrorKind::ConnectionRefused), "{first}");
    assert!(first.is_io() && first.to_string().contains(&address.to_string()), "{first}");
    let second = handler.give(&record("2")).unwrap_err();
    assert_eq!(second.io_kind(), Some(std::io::ErrorKind::ConnectionRefused));
    assert!(second.to_string().contains("the next attempt is due in"), "{second}");
}
