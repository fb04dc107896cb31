//! Random queues, random policies, moody handlers: in = out + counted losses, to the record.
//!
//! Two seconds; `STRATA_SOAK_SECONDS=60` in `.ci/run`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tracing_strata::{
    Error, Handler, Outcome, Queue, Record, Shared, Tee,
    handler::queue::Overflow,
    output::LogFile,
    trap::{Stats, Trap},
};

use super::support::{dispatch, within};
use crate::places::{Bare, Dir};

/// Fails, panics, drags on, and remembers what it wrote.
#[derive(Clone)]
struct Moody {
    random: Arc<Mutex<fastrand::Rng>>,
    seen: Arc<Mutex<HashMap<u64, Vec<u64>>>>,
    notices: Arc<Mutex<u64>>,
}

impl Handler for Moody {
    fn handle(&self, record: &Record) -> Result<Outcome, Error> {
        let mood = self.random.lock().unwrap().u32(0..1_000);
        if record.target() == "tracing_strata::queue" {
            *self.notices.lock().unwrap() += record.get("lost").unwrap().as_u64().unwrap();
            return Ok(Outcome::Written);
        }
        match mood {
            0 => std::panic::resume_unwind(Box::new("scripted")),
            1 => return Err(Error::new("scripted")),
            2 => return Ok(Outcome::Dropped),
            3 => return Ok(Outcome::Filtered),
            4..8 => thread::sleep(Duration::from_micros(500)),
            _ => {}
        }
        let number = |name| record.get(name).unwrap().as_u64().unwrap();
        self.seen.lock().unwrap().entry(number("thread")).or_default().push(number("number"));
        Ok(Outcome::Written)
    }
}

#[test]
fn in_is_out_and_counted_losses() {
    let seconds = std::env::var("STRATA_SOAK_SECONDS").ok().map_or(2, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let seed = std::env::var("STRATA_SOAK_SEED").ok().map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rounds = 0;
    while Instant::now() < end {
        rounds += 1;
        round(&mut random, &format!("STRATA_SOAK_SEED={seed}, round {rounds}"));
    }
    assert!(rounds > 0);
}

fn round(random: &mut fastrand::Rng, context: &str) {
    let overflow = match random.u8(0..5) {
        0 => Overflow::BLOCK,
        1 => Overflow::block_for(Duration::from_micros(random.u64(0..2_000))),
        2 => Overflow::DropNewest,
        _ => Overflow::DropOldest,
    };
    let (threads, each) = (random.u64(1..6), random.u64(1..4_000));
    let moody = Moody { random: Arc::new(Mutex::new(random.fork())), seen: Arc::default(), notices: Arc::default() };
    let dir = Dir::new();
    let builder = Queue::builder()
        .capacity(*random.choice(&[1, 2, 5, 64, 1_000, 8_192]).unwrap())
        .max_bytes(*random.choice(&[4 << 10, 100 << 10, 16 << 20]).unwrap())
        .overflow(overflow)
        .drain(Duration::from_millis(random.u64(0..50)));
    // Some with a file beside, which holds and settles in batches on an account of its own.
    let file = random.bool().then(|| LogFile::builder(dir.path("log")).format(Bare).build().unwrap().shared("file"));
    let beside = file.clone();
    let (queue, guard) = match file {
        Some(file) => {
            let moody = Shared::with_trap("moody", moody.clone(), Trap::silent());
            builder.spawn(Tee::new().with_shared(moody).with_shared(file))
        }
        None => builder.spawn(moody.clone()),
    }
    .unwrap();
    let layer = queue.into_layer().trap(Trap::silent());
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    let ends_early = random.bool();
    thread::scope(|scope| {
        for thread in 0..threads {
            let (dispatch, seed) = (&dispatch, random.u64(..));
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                within(dispatch, || {
                    for number in 0..each {
                        match random.u32(0..100) {
                            0 => tracing::error!(thread, number, "severe"),
                            1 => tracing::info!(thread, number, text = "x".repeat(random.usize(..8_000)), "long"),
                            _ => tracing::info!(thread, number, "plain"),
                        }
                    }
                });
            });
        }
        let guard = &guard;
        let naps: Vec<_> = (0..random.u32(0..5)).map(|_| Duration::from_micros(random.u64(0..3_000))).collect();
        scope.spawn(move || {
            for nap in naps {
                thread::sleep(nap);
                guard.flush(nap).unwrap_or_default();
                assert!(guard.health().busy <= 1.0);
            }
            if ends_early {
                guard.shutdown(Duration::from_millis(1)).unwrap_or_default();
            }
        });
    });
    let logged = threads * each;
    guard.shutdown(Duration::from_secs(60)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let (stats, health) = (ledger.stats(), guard.health());
    let notices = told_of(&stats, logged);
    assert_eq!((stats.queued, health.depth, health.bytes), (0, 0, 0), "{context}: {stats} {health}");
    if beside.is_none() {
        let seen = moody.seen.lock().unwrap();
        let written = seen.values().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(stats.written, written + notices, "{context}: {stats}");
        assert!(seen.values().all(|numbers| numbers.is_sorted()), "{context}: a thread's order");
    }
    if let Some(file) = beside {
        let lines = std::fs::read_to_string(dir.path("log")).unwrap().lines().count() as u64;
        assert_eq!((file.stats().written, file.stats().queued), (lines, 0), "{context}");
        assert_eq!(file.stats().accepted(), stats.written, "{context}");
    }
    assert!(*moody.notices.lock().unwrap() <= health.lost.total(), "{context}: more told than lost");
}

/// Everything logged is on the account, and besides only notices of losses.
fn told_of(stats: &Stats, logged: u64) -> u64 {
    stats.accepted().checked_sub(logged).unwrap_or_else(|| panic!("{logged} were logged: {stats}"))
}
