//! Messages on their way.

use std::{io::Read as _, net::TcpListener, net::UdpSocket};

use tracing_strata::{
    Handler, HandlerExt as _, Record, Severity, format::SyslogFormat as Form, output::Syslog, sink::net::Address,
};

use super::parser::{counted, parse};
use crate::support::Give as _;

fn record(message: &str) -> Record {
    let mut record = Record::new(Severity::INFO, "app", message);
    record.set("n", 1);
    record
}

#[test]
fn udp_one_datagram_each_cut_to_fit() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = Address::udp("localhost", daemon.local_addr().unwrap().port());
    let handler = Syslog::builder(address.clone()).build_sync().unwrap();
    let long = "é".repeat(3_000);
    let mut buffer = [0; 4_096];
    for (message, most) in [("short", 200), (&*long, 1_400)] {
        handler.give(&record(message)).unwrap();
        let length = daemon.recv(&mut buffer).unwrap();
        assert!(length <= most);
        let message = parse(&buffer[..length]);
        assert_eq!((message.get("n"), message.has_bom), (Some("1"), most == 1_400));
    }
    let handler = Syslog::builder(address).format(Form::rfc3164()).build_sync().unwrap();
    handler.give(&record(&long)).unwrap();
    assert!(daemon.recv(&mut buffer).unwrap() <= 1_024);
    assert_eq!(handler.describe().name, format!("udp://localhost:{}", daemon.local_addr().unwrap().port()));
}

#[test]
fn tcp_counts_octets() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let handler = Syslog::builder(Address::tcp("localhost", peer.local_addr().unwrap().port())).build_sync().unwrap();
    for message in ["one", "zwei größer", "", "4 <1>1 - - - - - - x"] {
        handler.give(&record(message)).unwrap();
    }
    drop(handler);
    let mut stream = Vec::new();
    peer.accept().unwrap().0.read_to_end(&mut stream).unwrap();
    let texts: Vec<_> = counted(&stream).iter().map(|message| parse(message).text).collect();
    assert_eq!(texts, ["one", "zwei größer", "", "4 <1>1 - - - - - - x"]);
}

#[cfg(unix)]
#[test]
fn unix_sockets_get_the_local_form() {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use crate::places::Dir;

    let dir = Dir::new();
    let daemon = UnixDatagram::bind(dir.path("datagram")).unwrap();
    let handler = Syslog::builder(Address::unix(dir.path("datagram"))).build_sync().unwrap();
    handler.give(&record("two\nlines")).unwrap();
    let mut buffer = [0; 512];
    let length = daemon.recv(&mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(
        text.starts_with("<14>") && text.ends_with(&format!("[{}]: app: two\\nlines n=1", std::process::id())),
        "{text}"
    );

    let daemon = UnixListener::bind(dir.path("stream")).unwrap();
    let handler = Syslog::builder(Address::UnixStream(dir.path("stream"))).build_sync().unwrap();
    handler.give(&record("a\0b")).unwrap();
    handler.give(&record("c")).unwrap();
    drop(handler);
    let mut text = String::new();
    daemon.accept().unwrap().0.read_to_string(&mut text).unwrap();
    let messages: Vec<_> = text.split_terminator('\0').collect();
    assert!(
        messages.len() == 2 && messages[0].ends_with("app: a\\u{0}b n=1") && messages[1].ends_with("app: c n=1"),
        "{text:?}"
    );
}

#[test]
fn behind_a_queue_nobody_waits_and_dropping_it_sends_all() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let queue = Syslog::builder(Address::udp("127.0.0.1", daemon.local_addr().unwrap().port())).build().unwrap();
    let handler = queue.named("syslog");
    let ledger = handler.ledger();
    for _ in 0..20 {
        handler.emit(&record("queued"));
    }
    drop(handler);
    assert_eq!((ledger.stats().written, ledger.stats().accepted()), (20, 20));
    let mut buffer = [0; 512];
    for _ in 0..20 {
        let length = daemon.recv(&mut buffer).unwrap();
        assert_eq!(parse(&buffer[..length]).text, "queued");
    }
}

#[test]
fn t20_what_is_wrong_is_named() {
    for (address, named) in [
        (Address::udp("", 514), "host \"\""),
        (Address::tcp("a b", 514), "host \"a b\""),
        (Address::udp("h", 0), "port 0"),
        (Address::unix(""), "path"),
    ] {
        let error = Syslog::builder(address).build_sync().unwrap_err();
        assert!(error.is_config() && error.to_string().contains(named), "{error}");
    }
    if let Err(error) = Syslog::local().build() {
        assert!(error.to_string().contains("/dev/log"), "{error}");
    }
}
