//! BEHAVIOURS 19: what Python's `SysLogHandler` sends.

use std::{
    io::Read as _,
    net::{TcpListener, UdpSocket},
};

use tracing_strata::{
    Record, Severity,
    format::{Facility, SyslogFormat as Form, Text, Time},
    output::Syslog,
    sink::net::{Address, Backoff, Connection},
};

use super::message::shown;
use crate::support::Give as _;

fn record(severity: Severity, message: &str) -> Record {
    Record::new(severity, "a.b", message)
}

#[test]
fn rule_19_1_pri_ident_text_and_nul() {
    assert_eq!(shown(&Form::python(), &record(Severity::WARN, "größe")), "<12>größe\0");
}

#[test]
fn rule_19_2_facility_times_eight() {
    for facility in Facility::ALL {
        let pri = usize::from(facility.code()) * 8 + 3;
        assert_eq!(shown(&Form::python().facility(facility), &record(Severity::ERROR, "m")), format!("<{pri}>m\0"));
    }
}

#[test]
fn rule_19_3_priority_by_the_name_of_the_level() {
    Severity::add_name(44, "PYTHON_SYSLOG").unwrap();
    for (severity, code) in [(10, 7), (20, 6), (30, 4), (40, 3), (50, 2), (44, 4), (5, 4), (25, 4), (70, 4)] {
        assert_eq!(
            shown(&Form::python(), &record(Severity::new(severity), "")),
            format!("<{}>\0", 8 + code),
            "{severity}"
        );
    }
}

#[test]
fn rule_19_4_19_5_ident_and_append_nul() {
    let format = Form::python().ident("shop: ");
    assert_eq!(shown(&format, &record(Severity::INFO, "m")), "<14>shop: m\0");
    assert_eq!(shown(&format.append_nul(false), &record(Severity::INFO, "m")), "<14>shop: m");
}

#[test]
fn rule_19_6_tcp_without_framing_but_the_nul() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::tcp("127.0.0.1", peer.local_addr().unwrap().port());
    let to = Connection::builder(address).backoff(Backoff::python());
    let handler = Syslog::builder(to).format(Form::python()).build_sync().unwrap();
    for message in ["one", "two\nlines", "three\0forged"] {
        handler.give(&record(Severity::INFO, message)).unwrap();
    }
    drop(handler);
    let mut stream = Vec::new();
    peer.accept().unwrap().0.read_to_end(&mut stream).unwrap();
    // Python would send the NUL inside, too.
    assert_eq!(stream, b"<14>one\0<14>two\nlines\0<14>three forged\0");
}

#[cfg(unix)]
#[test]
fn rule_19_7_a_path_is_a_datagram_socket_or_else_a_stream_and_sending_again_reconnects() {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use crate::places::Dir;

    let dir = Dir::new();
    let path = dir.path("log");
    let handler = Syslog::builder(Address::unix(&path)).format(Form::python()).build_sync().unwrap();
    // Nothing has to be there.
    assert!(handler.give(&record(Severity::INFO, "lost")).is_err());
    let mut buffer = [0; 64];
    for round in 0..3 {
        let daemon = UnixDatagram::bind(&path).unwrap();
        handler.give(&record(Severity::INFO, "datagram")).unwrap();
        assert_eq!(daemon.recv(&mut buffer).unwrap(), "<14>datagram\0".len(), "{round}");
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
    }
    let daemon = UnixListener::bind(&path).unwrap();
    handler.give(&record(Severity::INFO, "stream")).unwrap();
    handler.give(&record(Severity::INFO, "again")).unwrap();
    drop(handler);
    let mut stream = String::new();
    daemon.accept().unwrap().0.read_to_string(&mut stream).unwrap();
    assert_eq!(stream, "<14>stream\0<14>again\0");
}

#[test]
fn rule_19_8_the_formatted_text_is_sent_with_its_error() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = Address::udp("127.0.0.1", daemon.local_addr().unwrap().port());
    let body = Text::plain().time(Time::none()).level(false);
    let handler = Syslog::builder(address).format(Form::python().body(body)).build_sync().unwrap();
    let mut record = record(Severity::ERROR, "boom");
    record.fields_mut().set_error("error", &std::fmt::Error);
    handler.give(&record).unwrap();
    let mut buffer = [0; 512];
    let length = daemon.recv(&mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(text.starts_with("<11>a.b: boom error=") && text.ends_with('\0'), "{text}");
}
