//! GELF over UDP and TCP before graygelf.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tracing_strata::{
    Outcome, Record, Severity,
    format::Gelf,
    output::{Datagram, GelfChunks, Stream},
    sink::net::{Address, Connection, Framing},
};

use crate::give::Give as _;
use crate::{
    hostile::{self, Dice},
    servers::Server,
};

const UDP: u16 = 23_201;
const TCP: u16 = 23_202;

/// The messages that came, once there are so many.
fn received(server: &Server, count: usize) -> Vec<Json> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(server.dir().join("out.jsonl")).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines: Vec<Json> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let came: Vec<_> = lines.into_iter().filter(|line| line["via"] != "ready").collect();
        if came.len() >= count || began.elapsed() > Duration::from_secs(60) {
            assert!(came.iter().all(|line| line["via"] != "error"), "{came:?}");
            assert_eq!(came.len(), count);
            return came.into_iter().map(|mut line| line["message"].take()).collect();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn check(record: &Record, message: &Json) {
    let full = message.get("full_message").filter(|full| !full.is_null()).unwrap_or(&message["short_message"]);
    assert_eq!(full, record.message(), "{message}");
    assert_eq!(message["level"], record.severity().syslog());
    assert_eq!(message["_target"], record.target());
    let mut sent: Vec<_> = record.fields().iter().map(|(_, value)| value.as_str().unwrap()).collect();
    let own = ["_target", "_level_name", "_file", "_line", "_thread_name"];
    let additional =
        message.as_object().unwrap().iter().filter(|(name, _)| name.starts_with('_') && !own.contains(&name.as_str()));
    let mut came: Vec<_> = additional.map(|(_, value)| value.as_str().unwrap()).collect();
    sent.sort_unstable();
    came.sort_unstable();
    assert_eq!(came, sent);
}

fn noise(dice: &mut Dice, length: usize) -> String {
    (0..length).map(|_| char::from(b' ' + dice.below(95) as u8)).collect()
}

/// Forwards each burst of datagrams in another order.
struct Shuffle {
    front: UdpSocket,
    dice: Dice,
}

impl Shuffle {
    fn new() -> (Self, u16) {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = front.local_addr().unwrap().port();
        front.set_nonblocking(true).unwrap();
        (Self { front, dice: Dice::new(7) }, port)
    }

    /// How many there were.
    fn forward(&mut self) -> usize {
        let (mut datagrams, mut buffer) = (Vec::new(), vec![0; 65_536]);
        while let Ok(length) = self.front.recv(&mut buffer) {
            datagrams.push(buffer[..length].to_vec());
        }
        for index in (1..datagrams.len()).rev() {
            datagrams.swap(index, self.dice.below(index + 1));
        }
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in &datagrams {
            back.send_to(datagram, ("127.0.0.1", UDP)).unwrap();
        }
        datagrams.len()
    }
}

#[test]
fn over_udp_compressed_and_not() {
    let server = Server::start("gelf");
    let mut count = 0;
    for how in [
        GelfChunks::new().plain(),
        GelfChunks::new().gzip().compress_from(0),
        GelfChunks::new().zlib().compress_from(0),
    ] {
        let handler = Datagram::gelf("127.0.0.1", UDP).chunks(how).build_sync().unwrap();
        for number in 0..300 {
            let record = hostile::record(number);
            handler.give(&record).unwrap();
            count += 1;
            // UDP would lose what the receiver is too slow for.
            if count % 30 == 0 {
                received(&server, count);
            }
        }
    }
    let came = received(&server, count);
    // The receiver unpacks several at once, so they come in another order.
    let mut seen = vec![0; 300];
    for message in &came {
        let text = message.get("full_message").unwrap_or(&message["short_message"]).as_str().unwrap();
        let number: usize = text.split(' ').next().unwrap().parse().unwrap();
        check(&hostile::record(number), message);
        seen[number] += 1;
    }
    assert!(seen.iter().all(|count| *count == 3));
}

#[test]
fn chunks_in_any_order() {
    let server = Server::start("gelf");
    let (mut shuffle, port) = Shuffle::new();
    let mut dice = Dice::new(1);
    let mut sent = Vec::new();
    for how in [GelfChunks::new().plain(), GelfChunks::new().gzip(), GelfChunks::new().zlib()] {
        let handler = Datagram::gelf("127.0.0.1", port).chunks(how.chunk_bytes(700)).build_sync().unwrap();
        for length in [100, 1_000, 5_000, 15_000] {
            // Two messages at once, so that their chunks mix.
            for _ in 0..2 {
                let mut record = Record::new(Severity::INFO, "a", &noise(&mut dice, length));
                record.set_source("", 1);
                record.set_thread("", 1);
                handler.give(&record).unwrap();
                sent.push(record);
            }
            let datagrams = shuffle.forward();
            assert!(length < 1_000 || datagrams > 2, "{datagrams}");
            received(&server, sent.len());
        }
    }
    let mut came: Vec<_> = received(&server, sent.len())
        .iter()
        .map(|message| message["short_message"].as_str().unwrap().to_owned())
        .collect();
    let mut sent: Vec<_> = sent.iter().map(|record| record.message().to_owned()).collect();
    came.sort();
    sent.sort();
    assert!(came == sent);
}

/// With a NUL behind each message.
#[test]
fn over_tcp() {
    let server = Server::start("gelf");
    let records: Vec<_> = (0..2_000).map(hostile::record).collect();
    let connection = Connection::builder(Address::tcp("127.0.0.1", TCP)).framing(Framing::Nul).build().unwrap();
    let handler = Stream::sink(connection).format(Gelf::new()).terminator("");
    records.iter().for_each(|record| assert_eq!(handler.give(record).unwrap(), Outcome::Written));
    let came = received(&server, records.len());
    records.iter().zip(&came).for_each(|(record, message)| check(record, message));
}
