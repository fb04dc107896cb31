//! Many records in one write.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_strata::{
    Queue, Sink,
    output::{LogFile, Stream},
    prelude::*,
    sink::{Lines, SinkProperties},
};

use super::support::{LONG, dispatch, within};
use crate::places::{Bare, Dir, remembering};

/// Remembers what each write was given; fails every nth record of a batch.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<String>>>, Option<usize>);

const BATCHING: SinkProperties = SinkProperties { is_terminal: false, columns: None, supports_batching: true };

impl Writes {
    fn remember(&self, bytes: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
    }
}

impl Sink for Writes {
    fn properties(&self) -> SinkProperties {
        BATCHING
    }

    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let (bytes, from, ends) = lines.rest();
        let good = self.1.map_or(ends.len(), |good| good.min(ends.len()));
        if good > 0 {
            self.remember(&bytes[from..ends[good - 1]]);
        }
        lines.written(good);
        if lines.is_empty() { Ok(()) } else { Err(io::Error::other("scripted")) }
    }
}

#[test]
fn a_listener_writes_many_records_at_once_and_a_caller_one_by_one() {
    let writes = Writes::default();
    let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(writes.clone()).format(Bare)).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..20_000).for_each(|number| tracing::info!("{number:09}"));
        guard.shutdown(LONG).unwrap();
    });
    let writes = writes.0.lock().unwrap();
    assert_eq!(writes.concat(), (0..20_000).map(|number| format!("{number:09}\n")).collect::<String>());
    assert!(writes.len() < 20_000 && writes.iter().all(|write| write.len() <= 64 << 10), "{}", writes.len());
    assert_eq!((ledger.stats().written, ledger.stats().accepted()), (20_000, 20_000));

    let writes = Writes::default();
    within(&dispatch(Stream::sink(writes.clone()).format(Bare).into_layer()), || {
        tracing::info!("one");
        tracing::info!("by one");
    });
    assert_eq!(*writes.0.lock().unwrap(), ["one\n", "by one\n"]);
}

/// Behind one write that takes long.
#[test]
fn a_backlog_is_written_in_blocks_of_64_kib() {
    /// Holds up the first write.
    #[derive(Clone)]
    struct HeldUp(Writes, Arc<Mutex<()>>);

    impl Sink for HeldUp {
        fn properties(&self) -> SinkProperties {
            BATCHING
        }

        fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
            let (bytes, from, ends) = lines.rest();
            self.0.remember(&bytes[from..]);
            drop(self.1.lock().unwrap());
            lines.written(ends.len());
            Ok(())
        }
    }

    let (writes, turn) = (Writes::default(), Arc::new(Mutex::new(())));
    let hold_up = turn.lock().unwrap();
    let sink = HeldUp(writes.clone(), Arc::clone(&turn));
    let (queue, guard) = Queue::builder().build_with_guard(Stream::sink(sink).format(Bare)).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("first");
        while writes.0.lock().unwrap().is_empty() {
            std::thread::yield_now();
        }
        (0..8_000).for_each(|number| tracing::info!("{number:0100}"));
        drop(hold_up);
        guard.shutdown(LONG).unwrap();
    });
    let lengths: Vec<_> = writes.0.lock().unwrap().iter().map(String::len).collect();
    let blocks = lengths.iter().sum::<usize>() / (64 << 10);
    assert!(lengths.iter().filter(|length| **length >= 32 << 10).count() >= blocks - 1, "{lengths:?}");
    assert!(lengths.len() <= blocks + 4, "{lengths:?}");
}

/// A queue changes nothing of what its handlers write.
#[test]
fn handlers_behind_a_queue_write_what_they_would_write_without() {
    use tracing_strata::{
        Severity, Tee,
        format::{Json, Text},
    };
    let sinks = [(); 4].map(|()| Writes::default());
    let tee = |json: &Writes, text: &Writes| {
        Tee::new()
            .with("json", Stream::sink(json.clone()).format(Json::new()))
            .with("text", Stream::sink(text.clone()).format(Text::plain()).min_level(Severity::WARN))
    };
    let (queue, guard) = Queue::builder().build_with_guard(tee(&sinks[0], &sinks[1])).unwrap();
    // One record for both.
    let both = Tee::new().with("queue", queue).with("beside", tee(&sinks[2], &sinks[3]));
    within(&dispatch(both.into_layer()), || {
        let request = tracing::info_span!("request", id = "r-1", state = tracing::field::Empty).entered();
        for number in 0..1_000 {
            tracing::info!(number, ratio = 0.5, text = ?"a\nb", "one");
            if number == 500 {
                request.record("state", "half");
            }
            tracing::warn!(number, "two");
            let error = "x".parse::<u8>().unwrap_err();
            tracing::error!(error = &error as &dyn std::error::Error, "three");
        }
        guard.shutdown(LONG).unwrap();
    });
    let [json, text, json_beside, text_beside] = sinks.map(|sink| sink.0.lock().unwrap().concat());
    assert_eq!((json.lines().count(), text.lines().count()), (3_000, 2_000));
    assert!(json == json_beside && text == text_beside);
}

#[test]
fn what_a_batch_cannot_write_is_counted_record_by_record() {
    let writes = Writes(Arc::default(), Some(2));
    let (queue, guard) =
        Queue::builder().build_with_guard(Stream::sink(writes.clone()).format(Bare).name("moody")).unwrap();
    let (error_handler, told) = remembering();
    let layer = queue.into_layer().error_handler(error_handler);
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..300).for_each(|number| tracing::info!("{number}"));
        let error = guard.shutdown(LONG).unwrap_err().to_string();
        assert_eq!(error, format!("queue \"moody\": shutdown: {} records failed", ledger.stats().failed));
    });
    let (stats, told) = (ledger.stats(), told.lock().unwrap());
    assert_eq!((stats.accepted(), stats.queued, stats.failed), (300, 0, told.len() as u64));
    assert!(told.iter().all(|told| told == "cannot write to moody: scripted"), "{told:?}");
    assert_eq!(stats.written as usize, writes.0.lock().unwrap().concat().lines().count());
}

#[test]
fn a_file_behind_a_queue_needs_no_buffer() {
    let dir = Dir::new();
    let path = dir.path("log");
    let (queue, guard) =
        Queue::builder().build_with_guard(LogFile::builder(&path).format(Bare).build().unwrap()).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..5_000).for_each(|number| tracing::info!("{number}"));
        guard.flush(LONG).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().enumerate().all(|(number, line)| line == number.to_string()));
        assert_eq!((text.lines().count(), ledger.stats().written), (5_000, 5_000));
    });
}

#[test]
fn a_file_with_a_buffer_of_its_own_settles_with_the_queues_ledger() {
    let dir = Dir::new();
    let file = LogFile::builder(dir.path("log")).buffer(1 << 20).format(Bare).build().unwrap();
    let (queue, guard) = Queue::builder().build_with_guard(file).unwrap();
    let layer = queue.into_layer();
    let ledger = layer.ledger();
    within(&dispatch(layer), || {
        (0..100).for_each(|number| tracing::info!("{number}"));
        assert_eq!(ledger.stats().accepted(), 100);
        guard.shutdown(LONG).unwrap();
    });
    assert_eq!((ledger.stats().written, ledger.stats().accepted()), (100, 100));
}

/// The settled ones are told in-band in JSON, as everything else.
#[test]
fn t13_losses_are_told_in_the_handlers_own_format() {
    use tracing_strata::{format::Json, handler::queue::Overflow};
    let dir = Dir::new();
    let path = dir.path("log");
    let file = LogFile::builder(&path).format(Json::new()).build().unwrap();
    let (queue, guard) =
        Queue::builder().name("file").max_bytes(4 << 10).overflow(Overflow::DropNewest).build_with_guard(file).unwrap();
    within(&dispatch(queue.into_layer()), || {
        tracing::info!("{}", "larger than the queue".repeat(1_000));
        guard.shutdown(LONG).unwrap();
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((&line["message"], &line["lost"], &line["queue"]), (&"1 record lost".into(), &1.into(), &"file".into()));
}
