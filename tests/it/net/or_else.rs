//! A fallback while the first one is away.

use std::{
    io::{BufRead as _, BufReader},
    sync::atomic::{AtomicU8, Ordering},
};

use tracing_strata::{
    Delivery, Error, Handler, HandlerExt as _, NamedHandler, Outcome, Queue, Severity, ledger::ErrorHandler,
};

use super::{bare, eager, listen, record};
use crate::{
    places::remembering,
    support::{Give as _, MemoryBuffer},
};

/// Written, failed, panicked, dropped, filtered, as told.
struct Fickle(&'static AtomicU8);

impl Handler for Fickle {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(Outcome::Written),
            1 => Err(Error::new("nobody there")),
            2 => panic!("scripted"),
            3 => Ok(Outcome::Dropped),
            _ => Ok(Outcome::Filtered),
        }
    }
}

fn messages(memory: &MemoryBuffer) -> Vec<String> {
    memory.take().iter().map(|record| record.message().to_owned()).collect()
}

#[test]
fn the_ledgers_say_where_each_record_went() {
    static MOOD: AtomicU8 = AtomicU8::new(0);
    let memory = MemoryBuffer::default();
    let handler = Fickle(&MOOD).fallback(memory.clone());
    let fallback = handler.secondary().clone();
    let (error_handler, told) = remembering();
    let handler = NamedHandler::with_error_handler("remote", handler, error_handler);
    for (mood, message) in [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e"), (1, "f"), (0, "g"), (0, "h"), (1, "i")] {
        MOOD.store(mood, Ordering::Relaxed);
        handler.emit(&record(message));
    }
    let away = "handler \"remote\" is away; its records come here";
    assert_eq!(messages(&memory), [away, "b", "c", "d", "f", "handler \"remote\" is back", away, "i"]);
    let stats = handler.stats();
    assert_eq!(
        (stats.accepted(), stats.written, stats.fallback_written, stats.filtered, stats.failed),
        (9, 8, 5, 1, 0)
    );
    assert_eq!(fallback.stats().written, 8);
    assert!(stats.to_string().contains("(5 by a fallback)"), "{stats}");
    // The trap hears of it when it goes, not for each record.
    assert_eq!(*told.lock().unwrap(), ["nobody there", "nobody there"]);
}

#[test]
fn the_notices_are_records_and_can_be_left_out() {
    static MOOD: AtomicU8 = AtomicU8::new(1);
    let memory = MemoryBuffer::default();
    let handler = Fickle(&MOOD).fallback(memory.clone());
    handler.give(&record("a")).unwrap();
    MOOD.store(0, Ordering::Relaxed);
    handler.give(&record("b")).unwrap();
    let records = memory.take();
    assert_eq!((records[0].severity(), records[0].target()), (Severity::WARN, "tracing_strata"));
    assert_eq!(records[0].get("error").unwrap().to_string(), "nobody there");
    assert_eq!(records[2].severity(), Severity::INFO);
    assert_eq!(records[2].get("records").unwrap().as_u64(), Some(1));

    MOOD.store(1, Ordering::Relaxed);
    let handler = Fickle(&MOOD).fallback(memory.clone()).notices(false);
    handler.give(&record("a")).unwrap();
    assert!(handler.is_failed_over());
    MOOD.store(0, Ordering::Relaxed);
    handler.give(&record("b")).unwrap();
    assert_eq!((messages(&memory), handler.is_failed_over()), (vec!["a".to_owned()], false));
}

#[test]
fn a_record_that_both_fail_at_is_failed_with_the_first_ones_error() {
    static FIRST: AtomicU8 = AtomicU8::new(1);
    static SECOND: AtomicU8 = AtomicU8::new(2);
    let handler = Fickle(&FIRST).fallback(Fickle(&SECOND));
    let fallback = handler.secondary().clone();
    fallback.set_error_handler(ErrorHandler::silent());
    let (error_handler, told) = remembering();
    let handler = NamedHandler::with_error_handler("remote", handler, error_handler);
    handler.emit(&record("lost"));
    assert_eq!((handler.stats().failed, fallback.stats().failed), (1, 2));
    assert_eq!(told.lock().unwrap().last().unwrap(), "nobody there");
}

#[test]
fn behind_a_queue_the_fallback_takes_over_and_gives_back() {
    let (listener, address) = listen();
    let port = listener.local_addr().unwrap();
    drop(listener);
    let memory = MemoryBuffer::default();
    let queue = bare(eager(address)).fallback(memory.clone()).build().unwrap();
    let handler = NamedHandler::with_error_handler("collector", queue, ErrorHandler::silent());
    let ledger = handler.ledger();
    (0..3).for_each(|number| handler.emit(&record(&format!("away {number}"))));
    handler.flush().unwrap();
    let listener = std::net::TcpListener::bind(port).unwrap();
    (0..3).for_each(|number| handler.emit(&record(&format!("here {number}"))));
    handler.flush().unwrap();
    drop(handler);
    let mut text = String::new();
    BufReader::new(listener.accept().unwrap().0).read_line(&mut text).unwrap();
    assert_eq!(text, "6 here 06 here 16 here 2");
    let got = messages(&memory);
    assert_eq!(got.len(), 5, "{got:?}");
    assert!(got[0].ends_with("is away; its records come here") && got[4].ends_with("is back"), "{got:?}");
    assert_eq!(got[1..4], ["away 0", "away 1", "away 2"]);
    let stats = ledger.stats();
    assert_eq!((stats.accepted(), stats.written, stats.fallback_written, stats.failed), (6, 6, 3, 0));
}

/// Each builder has it: absent at start, there, away, and back; the account says where each record went.
#[cfg(unix)]
#[test]
fn every_output_over_a_unix_socket_has_a_fallback() {
    use std::{
        io::Read as _,
        os::unix::net::{UnixDatagram, UnixListener},
        path::Path,
    };

    use tracing_strata::{
        output::{Datagram, Socket, Syslog},
        sink::net::{Address, Framing},
    };

    use crate::places::{Bare, Dir};

    /// Reads this many records; what is there is closed with the end.
    enum End {
        Datagrams(UnixDatagram),
        Stream(UnixListener),
    }

    impl End {
        fn open(path: &Path, is_stream: bool) -> Self {
            match is_stream {
                true => Self::Stream(UnixListener::bind(path).unwrap()),
                false => Self::Datagrams(UnixDatagram::bind(path).unwrap()),
            }
        }

        /// All that has been sent; then it is gone, with its socket.
        fn close(self, path: &Path) -> String {
            std::fs::remove_file(path).unwrap();
            let mut bytes = vec![0; 1 << 16];
            let mut text = Vec::new();
            match self {
                Self::Stream(listener) => {
                    let mut stream = listener.accept().unwrap().0;
                    stream.set_nonblocking(true).unwrap();
                    // A process that another test is starting may hold a copy of the socket for a moment.
                    stream.read_to_end(&mut text).unwrap_err();
                    stream.shutdown(std::net::Shutdown::Both).unwrap();
                }
                Self::Datagrams(socket) => {
                    socket.set_nonblocking(true).unwrap();
                    while let Ok(length) = socket.recv(&mut bytes) {
                        text.extend_from_slice(&bytes[..length]);
                        text.push(b'\n');
                    }
                    socket.shutdown(std::net::Shutdown::Both).unwrap();
                }
            }
            String::from_utf8_lossy(&text).into_owned()
        }
    }

    type Build = fn(&Path, MemoryBuffer) -> Queue;
    let mut wires: Vec<(&str, bool, Build)> = vec![
        ("syslog datagram", false, |path, fallback| {
            Syslog::builder(eager(Address::UnixDatagram(path.into())).framing(Framing::None))
                .fallback(fallback)
                .build()
                .unwrap()
        }),
        ("syslog stream", true, |path, fallback| {
            Syslog::builder(eager(Address::UnixStream(path.into())).framing(Framing::Lines))
                .fallback(fallback)
                .build()
                .unwrap()
        }),
        ("socket", true, |path, fallback| {
            let to = eager(Address::UnixStream(path.into())).framing(Framing::Lines);
            Socket::builder(to).format(Bare).fallback(fallback).build().unwrap()
        }),
        ("datagram", false, |path, fallback| Datagram::unix(path).format(Bare).fallback(fallback).build().unwrap()),
    ];
    #[cfg(target_os = "linux")]
    wires.push(("journald", false, |path, fallback| {
        tracing_strata::output::Journald::builder().socket(path).fallback(fallback).build().unwrap()
    }));
    for (wire, is_stream, build) in wires {
        let dir = Dir::new();
        let path = dir.path("peer");
        let memory = MemoryBuffer::default();
        let handler = NamedHandler::with_error_handler(wire, build(&path, memory.clone()), ErrorHandler::silent());
        let say = |what: &str| {
            (0..3).for_each(|number| handler.emit(&record(&format!("{what} {number}"))));
            handler.flush().unwrap();
        };
        say("absent");
        for round in ["there", "back"] {
            let peer = End::open(&path, is_stream);
            say(round);
            let text = peer.close(&path);
            for number in 0..3 {
                assert_eq!(text.matches(&format!("{round} {number}")).count(), 1, "{wire}: {text}");
            }
            assert!(!text.contains("absent") && !text.contains("away"), "{wire}: {text}");
            say("away");
        }
        let taken = messages(&memory);
        let own = taken.iter().filter(|text| text.starts_with("handler ")).count();
        let rescued: Vec<_> = taken.iter().filter(|text| !text.starts_with("handler ")).collect();
        assert_eq!(rescued.len(), 9, "{wire}: {taken:?}");
        assert_eq!(own, 5, "{wire}: {taken:?}");
        let stats = handler.stats();
        let got = (stats.accepted(), stats.written, stats.fallback_written, stats.failed, stats.dropped);
        assert_eq!(got, (15, 15, 9, 0, 0), "{wire}: {stats}");
    }
}

/// The first datagram is lost: the system tells one later that nobody listens. All others go to the fallback, and none to
/// both.
#[test]
fn over_udp_the_fallback_gets_what_comes_after_the_first_refusal() {
    use std::net::UdpSocket;

    use tracing_strata::{
        output::{Datagram, Syslog},
        sink::net::Address,
    };

    use crate::places::Bare;

    type Build = fn(u16, MemoryBuffer) -> Queue;
    let wires: [(&str, Build); 2] = [
        ("syslog", |port, fallback| {
            Syslog::builder(Address::udp("127.0.0.1", port)).fallback(fallback).build().unwrap()
        }),
        ("datagram", |port, fallback| {
            Datagram::udp("127.0.0.1", port).format(Bare).fallback(fallback).build().unwrap()
        }),
    ];
    for (wire, build) in wires {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let memory = MemoryBuffer::default();
        let handler = NamedHandler::with_error_handler(wire, build(port, memory.clone()), ErrorHandler::silent());
        (0..10).for_each(|number| handler.emit(&record(&format!("away {number}"))));
        handler.flush().unwrap();
        let stats = handler.stats();
        let got = (stats.accepted(), stats.written, stats.fallback_written, stats.failed);
        assert_eq!(got, (10, 9, 9, 1), "{wire}: {stats}");
        let server = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        (0..3).for_each(|number| handler.emit(&record(&format!("here {number}"))));
        handler.flush().unwrap();
        let mut bytes = [0; 1_000];
        for number in 0..3 {
            let length = server.recv(&mut bytes).unwrap();
            let came = String::from_utf8_lossy(&bytes[..length]);
            assert!(came.ends_with(&format!("here {number}")), "{wire}: {came}");
        }
        let stats = handler.stats();
        assert_eq!(
            (stats.accepted(), stats.written, stats.fallback_written, stats.failed),
            (13, 12, 9, 1),
            "{wire}: {stats}"
        );
        let taken: Vec<_> = messages(&memory).into_iter().filter(|text| !text.starts_with("handler ")).collect();
        let expected: Vec<_> = (1..10).map(|number| format!("away {number}")).collect();
        assert_eq!(taken, expected, "{wire}");
    }
}

/// Fails at the first records, then hangs until it is let go.
struct Hangs {
    fails: AtomicU8,
    hangs: std::sync::mpsc::Sender<()>,
    go: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Handler for Hangs {
    fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
        if self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            self.hangs.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        Err(Error::new("nobody there"))
    }
}

/// The listener hangs at the first handler before it has rested: whatever is said to be rescued is in the file.
#[test]
fn what_is_rescued_behind_a_queue_is_in_the_file() {
    use tracing_strata::output::LogFile;

    use crate::places::{Bare, Dir};

    for buffered in [false, true] {
        let dir = Dir::new();
        let file = LogFile::builder(dir.path("fallback")).format(Bare);
        let file = if buffered { file.buffer(1 << 16) } else { file };
        let ((hangs, hung), (let_go, go)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let first = Hangs { fails: AtomicU8::new(5), hangs, go: std::sync::Mutex::new(go) };
        let both = first.fallback(file.build().unwrap());
        let fallback = both.secondary().clone();
        let handler =
            NamedHandler::with_error_handler("both", Queue::builder().build(both).unwrap(), ErrorHandler::silent());
        (0..6).for_each(|number| handler.emit(&record(&format!("record {number}"))));
        hung.recv().unwrap();
        let lines = || std::fs::read_to_string(dir.path("fallback")).unwrap().matches("record ").count() as u64;
        let stats = handler.stats();
        let there = if buffered { 0 } else { 5 };
        assert_eq!(lines(), there);
        assert_eq!((stats.written, stats.fallback_written, stats.queued), (there, there, 6 - there), "{stats}");
        assert_eq!(fallback.stats().accepted(), 6, "with what it is told");
        let_go.send(()).unwrap();
        handler.flush().unwrap();
        let stats = handler.stats();
        assert_eq!((lines(), stats.written, stats.fallback_written, stats.queued), (6, 6, 6, 0), "{stats}");
        assert_eq!((fallback.stats().written, fallback.stats().queued), (7, 0));
    }
}

/// Without a queue before them, what the fallback holds back is queued, and ends as it ends there.
#[test]
fn what_the_fallback_holds_back_is_settled_with_it() {
    static AWAY: AtomicU8 = AtomicU8::new(1);
    /// Full at the second record.
    struct Small(AtomicU8);

    impl tracing_strata::Sink for Small {
        fn write(&self, lines: &mut tracing_strata::sink::Lines<'_>) -> std::io::Result<()> {
            lines.write_each(|_| match self.0.fetch_add(1, Ordering::Relaxed) {
                2 => Err(std::io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            })
        }
    }

    let small = tracing_strata::output::Stream::sink(Small(AtomicU8::new(0)));
    let (queue, guard) = Queue::builder().build_with_guard(small).unwrap();
    let both = Fickle(&AWAY).fallback(queue);
    let fallback = both.secondary().clone();
    fallback.set_error_handler(ErrorHandler::silent());
    let handler = NamedHandler::with_error_handler("both", both, ErrorHandler::silent());
    (0..4).for_each(|number| handler.emit(&record(&format!("{number}"))));
    assert_eq!(handler.stats().accepted(), 4);
    let error = guard.flush(super::LONG).unwrap_err().to_string();
    assert_eq!(error, "queue \"Fickle: fallback\": flush: 1 record failed");
    let stats = handler.stats();
    // The notice, and then the four.
    assert_eq!((stats.written, stats.fallback_written, stats.failed, stats.queued), (3, 3, 1, 0), "{stats}");
    assert_eq!((fallback.stats().written, fallback.stats().failed), (4, 1));
    // And one that comes too late for the fallback.
    guard.shutdown(super::LONG).unwrap();
    handler.emit(&record("late"));
    let stats = handler.stats();
    assert_eq!((stats.accepted(), stats.dropped, stats.queued), (5, 1, 0), "{stats}");
}

/// Behind a queue, too, a file that fails hands its records on.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_a_queue_hands_on() {
    use tracing_strata::output::LogFile;

    let memory = MemoryBuffer::default();
    let full = LogFile::builder("/dev/full").build().unwrap().fallback(memory.clone());
    let handler =
        NamedHandler::with_error_handler("full", Queue::builder().build(full).unwrap(), ErrorHandler::silent());
    (0..5).for_each(|number| handler.emit(&record(&format!("record {number}"))));
    handler.flush().unwrap();
    assert_eq!(messages(&memory)[1..], ["record 0", "record 1", "record 2", "record 3", "record 4"]);
    let stats = handler.stats();
    assert_eq!((stats.written, stats.fallback_written, stats.failed), (5, 5, 0), "{stats}");
}

/// What makes the fallback's handler without a queue is told.
#[test]
fn a_fallback_belongs_to_a_queue() {
    use tracing_strata::output::{Datagram, Null};
    let error = Datagram::udp("127.0.0.1", 9).fallback(Null).build_sync().unwrap_err();
    assert!(error.to_string().contains("build_sync()?.fallback(fallback)"), "{error}");
}
