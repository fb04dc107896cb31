//! What is held in bytes: records with the spans they happened in.

use std::sync::Arc;

use tracing::{Span, debug, error, field::Empty, info, info_span};
use tracing_strata::{FlightRecorder, MemoryBuffer, prelude::*};

use super::Messages;
use crate::support::with_layer;

const MOST: usize = 256 << 10;
const BODY: usize = 60_000;

fn body() -> String {
    "x".repeat(BODY)
}

#[test]
fn t70_a_memory_weighs_spans() {
    let memory = Arc::new(MemoryBuffer::new(usize::MAX).max_bytes(MOST));
    with_layer(memory.clone().into_layer(), || {
        for _ in 0..50 {
            info_span!("request", body = body()).in_scope(|| info!("m"));
            assert!(memory.bytes() <= MOST);
        }
        assert!((2..=MOST / BODY).contains(&memory.len()), "{}", memory.len());
        for _ in 0..50 {
            let request = info_span!("request", body = Empty);
            request.record("body", body());
            let _request = request.enter();
            info_span!("query").in_scope(|| info!("m"));
            assert!(memory.bytes() <= MOST);
        }
        assert!((2..=MOST / BODY).contains(&memory.len()), "{}", memory.len());
    });
}

/// Room enough for two bodies; of many records in one span, only one is weighed with its spans.
#[test]
fn spans_that_records_share_are_weighed_once() {
    let memory = Arc::new(MemoryBuffer::new(usize::MAX).max_bytes(2 * BODY + 100_000));
    with_layer(memory.clone().into_layer(), || {
        let request = info_span!("request", body = body(), late = Empty);
        request.in_scope(|| (0..40).for_each(|_| info!("m")));
        request.record("late", body());
        request.in_scope(|| (0..40).for_each(|_| info!("m")));
        assert_eq!(memory.len(), 80, "{} bytes", memory.bytes());
    });
}

#[test]
fn t70_the_trees_of_a_flight_recorder_weigh_their_spans() {
    let to = Messages::default();
    let recorder = Arc::new(FlightRecorder::new(to.clone()).max_bytes(MOST));
    let stats = || recorder.stats();
    with_layer(recorder.clone().into_layer(), || {
        // Each root its own.
        let roots: Vec<Span> = (0..50).map(|_| info_span!("request", body = body())).collect();
        for root in &roots {
            root.in_scope(|| debug!("m"));
            assert!(stats().bytes <= MOST as u64);
        }
        assert!((2..=(MOST / BODY) as u64).contains(&stats().trees), "{:?}", stats());
        drop(roots);
        assert_eq!((stats().trees, stats().bytes), (0, 0));
        // Many below one: in one tree there is less room.
        let root = info_span!("request").entered();
        for _ in 0..50 {
            info_span!("part", body = body()).in_scope(|| debug!("m"));
            assert!(stats().bytes <= MOST as u64);
        }
        error!("they are wanted");
        assert!((3..=MOST / BODY + 2).contains(&to.take().len()));
        drop(root);
        assert_eq!((stats().trees, stats().bytes), (0, 0));
    });
}

/// As many records as a tree may have, in and out of spans below a heavy root, are not bounded by bytes.
#[test]
fn a_tree_is_not_charged_for_a_span_again_and_again() {
    let to = Messages::default();
    let recorder = Arc::new(FlightRecorder::new(to.clone()));
    with_layer(recorder.clone().into_layer(), || {
        let _root = info_span!("request", body = body()).entered();
        for index in 0..64 {
            debug!("around");
            info_span!("part", index).in_scope(|| {
                debug!("in it");
                info_span!("query", table = "orders").in_scope(|| debug!("deeper"));
                debug!("in it again");
            });
        }
        assert_eq!(recorder.stats().lost, 0, "{:?}", recorder.stats());
        error!("released");
        assert_eq!(to.take().len(), 257);
        assert_eq!(recorder.stats().bytes, 0);
    });
}
