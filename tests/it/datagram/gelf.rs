//! GELF over UDP, before a receiver after Graylog's specification.

use std::{
    collections::HashMap,
    io::Read as _,
    net::UdpSocket,
    sync::{Arc, Mutex, PoisonError},
};

use proptest::prelude::*;
use serde_json::Value as Json;
use tracing_strata::{
    NamedHandler, Record, Severity,
    format::Gelf,
    ledger::ErrorHandler,
    output::{Datagram, DatagramBuilder, GelfChunks},
};

use super::{PATIENCE, next, server, text, unix};
use crate::{places::Dir, support::Give as _};

/// Puts messages together, whatever the order of their chunks.
#[derive(Default)]
struct Receiver {
    parts: HashMap<[u8; 8], Vec<Option<Vec<u8>>>>,
}

impl Receiver {
    fn take(&mut self, datagram: &[u8]) -> Option<Json> {
        let Some(chunk) = datagram.strip_prefix(&[0x1e, 0x0f]) else { return Some(read(datagram)) };
        let (id, chunk) = chunk.split_first_chunk::<8>().unwrap();
        let ([number, total], part) = chunk.split_first_chunk().unwrap();
        assert!(number < total && *total <= 128);
        let parts = self.parts.entry(*id).or_insert_with(|| vec![None; (*total).into()]);
        assert!(parts[usize::from(*number)].replace(part.to_vec()).is_none(), "no chunk comes twice");
        if parts.iter().any(Option::is_none) {
            return None;
        }
        let whole = self.parts.remove(id).unwrap().into_iter().flatten().collect::<Vec<_>>().concat();
        Some(read(&whole))
    }

    fn next(&mut self, server: &UdpSocket) -> Json {
        loop {
            if let Some(message) = self.take(&next(server)) {
                return message;
            }
        }
    }
}

fn read(bytes: &[u8]) -> Json {
    let mut plain = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).map(drop),
        [0x78, ..] => flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut plain).map(drop),
        _ => {
            plain.extend_from_slice(bytes);
            Ok(())
        }
    }
    .unwrap();
    serde_json::from_slice(&plain).unwrap()
}

/// Text that compresses badly.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b' ' + (state >> 40) as u8 % 95)
        })
        .collect()
}

fn ways() -> [GelfChunks; 3] {
    [GelfChunks::new().plain(), GelfChunks::new().gzip(), GelfChunks::new().zlib()]
}

fn gelf(port: u16, chunks: GelfChunks) -> DatagramBuilder<Gelf> {
    Datagram::gelf("127.0.0.1", port).chunks(chunks)
}

#[test]
fn messages_of_every_length_come_back_by_every_way() {
    let (server, port) = server();
    let mut receiver = Receiver::default();
    for way in ways() {
        let handler = gelf(port, way).build_sync().unwrap();
        for length in [1, 500, 600, 1_419, 1_420, 1_421, 5_000, 100_000] {
            let message = noise(length);
            handler.give(&text(&message)).unwrap();
            let came = receiver.next(&server);
            assert_eq!(came["short_message"], message);
            assert_eq!((&came["version"], &came["_target"]), (&"1.1".into(), &"a".into()));
        }
    }
    assert!(receiver.parts.is_empty());
}

#[test]
fn compression_is_what_was_asked_for_and_short_messages_are_sent_as_they_are() {
    let (server, port) = server();
    for (way, magic) in ways().into_iter().zip([&b"{\"v"[..], &[0x1f, 0x8b], &[0x78]]) {
        let handler = gelf(port, way).build_sync().unwrap();
        handler.give(&text(&"x".repeat(1_000))).unwrap();
        assert!(next(&server).starts_with(magic));
        handler.give(&text("x")).unwrap();
        assert!(next(&server).starts_with(b"{"));
    }
    let handler = gelf(port, GelfChunks::new().compress_from(0)).build_sync().unwrap();
    handler.give(&text("x")).unwrap();
    assert!(next(&server).starts_with(&[0x1f, 0x8b]));
}

/// More than 128 chunks: shortened until it fits.
#[test]
fn what_does_not_fit_into_128_chunks_is_shortened() {
    let (server, port) = server();
    let mut receiver = Receiver::default();
    for way in ways() {
        let handler = gelf(port, way.chunk_bytes(500)).build_sync().unwrap();
        let shared = NamedHandler::with_error_handler("gelf", handler, ErrorHandler::silent());
        let mut record = text("the message");
        record.set("text", noise(200_000).as_str());
        shared.emit(&record);
        assert_eq!((shared.stats().written, shared.stats().marked), (1, 1));
        let came = receiver.next(&server);
        assert_eq!(came["short_message"], "the message");
        let text = came["_text"].as_str().unwrap();
        assert!(text.ends_with(" bytes cut]") && text.len() > 20_000, "{}", text.len());
    }
}

/// Threads share one handler: chunks of several messages mix, and no two messages have one id.
#[test]
fn messages_of_several_threads_do_not_mix() {
    // UDP would lose what the receiver is too slow for; a unix socket waits.
    let dir = Dir::new();
    let server = unix(&dir.path("gelf"));
    let how = GelfChunks::new().zlib().chunk_bytes(100);
    let handler = Datagram::unix(dir.path("gelf")).format(Gelf::new()).chunks(how).timeout(PATIENCE);
    let handler = Arc::new(handler.build_sync().unwrap());
    let received = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let handler = Arc::clone(&handler);
            scope.spawn(move || {
                for number in 0..20 {
                    handler.give(&text(&format!("{thread} {number} {}", noise(800)))).unwrap();
                }
            });
        }
        let mut receiver = Receiver::default();
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        while received.len() < 60 {
            let mut datagram = [0; 200];
            let length = server.recv(&mut datagram).unwrap();
            if let Some(message) = receiver.take(&datagram[..length]) {
                received.push(message["short_message"].as_str().unwrap().to_owned());
            }
        }
    });
    let mut received = received.into_inner().unwrap();
    received.sort();
    received.dedup();
    assert_eq!(received.len(), 60);
}

#[test]
fn a_chunk_size_that_cannot_be_is_refused() {
    for bytes in [0, 63, 65_508] {
        let error = gelf(1, GelfChunks::new().chunk_bytes(bytes)).build().unwrap_err();
        assert!(error.is_config() && error.to_string().contains("chunk_bytes"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// T56: one message, whatever stands in it, and whatever the order of its chunks.
    #[test]
    fn t56_chunks_in_any_order_are_one_message(
        message in any::<String>(), value in proptest::collection::vec(any::<char>(), 0..3_000),
        way in 0..3_usize, seed in any::<u64>(),
    ) {
        let (server, port) = server();
        let value: String = value.into_iter().collect();
        let mut record = Record::new(Severity::INFO, "a", &message);
        record.set("value", value.as_str());
        gelf(port, ways()[way].clone().chunk_bytes(128)).build_sync().unwrap().give(&record).unwrap();
        gelf(port, GelfChunks::new()).build_sync().unwrap().give(&text("the end")).unwrap();
        let mut datagrams = Vec::new();
        while datagrams.last().is_none_or(|last: &Vec<u8>| !last.starts_with(b"{") || read(last)["short_message"] != "the end") {
            datagrams.push(next(&server));
        }
        datagrams.pop();
        let mut state = seed;
        for index in (1..datagrams.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            datagrams.swap(index, (state >> 33) as usize % (index + 1));
        }
        let mut receiver = Receiver::default();
        let came: Vec<_> = datagrams.iter().filter_map(|datagram| receiver.take(datagram)).collect();
        prop_assert_eq!(came.len(), 1);
        prop_assert_eq!(came[0]["_value"].as_str(), Some(value.as_str()));
        prop_assert!(receiver.parts.is_empty());
    }
}
