//! T82: a daemon of this machine is restarted in the middle of thirty records. All of them come, in order, none twice.

use std::{
    fs,
    io::Read as _,
    os::unix::net::{UnixDatagram, UnixListener},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::json;
use tracing_strata::{
    HandlerExt as _, NamedHandler, Queue,
    config::{Config, Logging},
    format::SyslogFormat,
    output::{Datagram, Syslog},
    sink::net::{Address, Backoff, Connection, Framing},
};

use super::{LONG, record};
use crate::places::{Bare, Dir};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Datagrams,
    Stream,
}

/// A daemon that reads so many messages, each ended by NUL where they come in a stream.
fn serve(kind: Kind, path: &Path, many: usize) -> Vec<String> {
    let mut all = Vec::new();
    match kind {
        Kind::Datagrams => {
            let socket = UnixDatagram::bind(path).unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            let mut bytes = [0; 4_096];
            while all.len() < many {
                let length = socket.recv(&mut bytes).unwrap();
                all.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
            }
        }
        Kind::Stream => {
            let listener = UnixListener::bind(path).unwrap();
            let mut stream = listener.accept().unwrap().0;
            stream.set_read_timeout(Some(LONG)).unwrap();
            let mut text = Vec::new();
            while all.len() < many {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                match byte {
                    [0] => all.push(String::from_utf8(std::mem::take(&mut text)).unwrap()),
                    [byte] => text.push(byte),
                }
            }
        }
    }
    fs::remove_file(path).unwrap();
    all
}

/// Fifteen records, a gap that lasts until the sender waits in it, and fifteen more.
fn restarted(name: &str, kinds: [Kind; 2], make: impl FnOnce(&Path) -> NamedHandler) {
    let dir = Dir::new();
    let path: PathBuf = dir.path("daemon");
    let (go, may_go) = mpsc::channel();
    let (gone, is_gone) = mpsc::channel();
    let daemon = thread::spawn({
        let path = path.clone();
        move || {
            gone.send(()).unwrap();
            let mut all = serve(kinds[0], &path, 15);
            gone.send(()).unwrap();
            may_go.recv_timeout(LONG).unwrap();
            all.extend(serve(kinds[1], &path, 15));
            all
        }
    });
    is_gone.recv_timeout(LONG).unwrap();
    let handler = make(&path);
    (0..15).for_each(|number| handler.emit(&record(&format!("number {number}!"))));
    is_gone.recv_timeout(LONG).unwrap();
    (15..30).for_each(|number| handler.emit(&record(&format!("number {number}!"))));
    // It has tried, and waits.
    thread::sleep(Duration::from_millis(700));
    assert_eq!((handler.stats().written, handler.stats().failed), (15, 0), "{name}: {}", handler.stats());
    go.send(()).unwrap();
    let all = daemon.join().unwrap();
    handler.flush().unwrap();
    let numbers: Vec<String> = all
        .iter()
        .map(|message| message.rsplit_once("number ").unwrap().1.split('!').next().unwrap().to_owned())
        .collect();
    assert!(numbers.iter().map(|number| number.parse::<u32>().unwrap()).eq(0..30), "{name}: {numbers:?}");
    assert_eq!((handler.stats().written, handler.stats().failed), (30, 0), "{name}: {}", handler.stats());
}

fn patient(address: Address) -> tracing_strata::sink::net::ConnectionBuilder {
    Connection::builder(address).framing(Framing::Nul).reconnect_timeout(LONG)
}

#[test]
fn t82_thirty_of_thirty_over_each_kind_of_socket() {
    use Kind::{Datagrams, Stream};

    let syslog = |address: Address| {
        let syslog = Syslog::builder(patient(address)).format(SyslogFormat::python());
        syslog.build().unwrap().named("syslog")
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            restarted("datagrams", [Datagrams; 2], |path| syslog(Address::UnixDatagram(path.into())));
        });
        scope.spawn(|| restarted("stream", [Stream; 2], |path| syslog(Address::UnixStream(path.into()))));
        // What is found out when it connects, and may change.
        for kinds in [[Datagrams; 2], [Stream; 2], [Datagrams, Stream], [Stream, Datagrams]] {
            scope.spawn(move || restarted("either", kinds, |path| syslog(Address::unix(path))));
        }
        // As it is made without a word about it: behind its queue it is patient.
        scope.spawn(|| {
            restarted("by default", [Datagrams; 2], |path| {
                Syslog::builder(Address::unix(path)).build().unwrap().named("syslog")
            });
        });
        scope.spawn(|| {
            restarted("plain datagrams", [Datagrams; 2], |path| {
                Datagram::unix(path).format(Bare).build().unwrap().named("datagrams")
            });
        });
        scope.spawn(|| {
            restarted("behind another queue", [Stream; 2], |path| {
                let to = patient(Address::UnixStream(path.into()))
                    .backoff(Backoff::default().max(Duration::from_millis(50)));
                let syslog = Syslog::builder(to).build_sync().unwrap();
                Queue::builder().build(syslog).unwrap().named("syslog")
            });
        });
    });
}

/// As a configuration has it.
#[test]
fn t82_thirty_of_thirty_by_a_configuration() {
    use Kind::{Datagrams, Stream};

    let made = |config: serde_json::Value| {
        let config = json!({"version": 1, "handlers": {"s": config}});
        let logging = Logging::builder().build(&Config::from_value(&config).unwrap()).unwrap();
        logging.handler("s").unwrap().handler().clone()
    };
    thread::scope(|scope| {
        for (kinds, socktype) in
            [([Datagrams; 2], "ext://socket.SOCK_DGRAM"), ([Stream; 2], "ext://socket.SOCK_STREAM")]
        {
            scope.spawn(move || {
                restarted(socktype, kinds, |path| {
                    made(json!({"class": "logging.handlers.SysLogHandler", "address": path, "socktype": socktype,
                        "strata": {"reconnect_timeout": 5, "framing": if kinds[0] == Stream { json!("nul") } else { json!(null) }}}))
                });
            });
        }
        scope.spawn(|| {
            restarted("datagrams", [Datagrams; 2], |path| {
                made(json!({"class": "logging.handlers.DatagramHandler", "host": path,
                    "strata": {"format": "text", "queue": true}}))
            });
        });
    });
}

/// Nobody waits for a daemon that is away if something else takes what it cannot have.
#[test]
fn with_a_fallback_datagrams_do_not_wait() {
    let dir = Dir::new();
    let memory = crate::support::MemoryBuffer::default();
    let syslog = Syslog::builder(Address::UnixDatagram(dir.path("nobody"))).fallback(memory.clone()).build().unwrap();
    let handler = syslog.named("syslog");
    (0..3).for_each(|number| handler.emit(&record(&format!("number {number}"))));
    super::in_time(|| handler.flush()).unwrap();
    let taken: Vec<_> = memory.take().iter().map(|record| record.message().to_owned()).collect();
    assert_eq!(taken[taken.len() - 3..], ["number 0", "number 1", "number 2"]);
}
