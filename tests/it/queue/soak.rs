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
    Delivery, Error, Handler, HandlerExt as _, NamedHandler, Outcome, Queue, Tee,
    handler::queue::Overflow,
    ledger::{ErrorHandler, Stats},
    output::LogFile,
};

use super::support::{dispatch, within};
use crate::places::{Bare, Dir};

/// Fails, panics, drags on, and remembers what it wrote.
#[derive(Clone)]
struct Moody {
    random: Arc<Mutex<fastrand::Rng>>,
    seen: Arc<Mutex<HashMap<u64, Vec<u64>>>>,
    notices: Arc<Mutex<u64>>,
    did: Arc<Mutex<Did>>,
}

/// What the script made of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Did {
    failed: u64,
    dropped: u64,
    filtered: u64,
}

impl Handler for Moody {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        let mood = self.random.lock().unwrap().u32(0..1_000);
        if record.target() == "tracing_strata::queue" {
            *self.notices.lock().unwrap() += record.get("lost").unwrap().as_u64().unwrap();
            return Ok(Outcome::Written);
        }
        match mood {
            0 => {
                self.did.lock().unwrap().failed += 1;
                std::panic::resume_unwind(Box::new("scripted"))
            }
            1 => {
                self.did.lock().unwrap().failed += 1;
                return Err(Error::new("scripted"));
            }
            2 => {
                self.did.lock().unwrap().dropped += 1;
                return Ok(Outcome::Dropped);
            }
            3 => {
                self.did.lock().unwrap().filtered += 1;
                return Ok(Outcome::Filtered);
            }
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
    let moody = Moody {
        random: Arc::new(Mutex::new(random.fork())),
        seen: Arc::default(),
        notices: Arc::default(),
        did: Arc::default(),
    };
    let dir = Dir::new();
    let builder = Queue::builder()
        .capacity(*random.choice(&[1, 2, 5, 64, 1_000, 8_192]).unwrap())
        .max_bytes(*random.choice(&[4 << 10, 100 << 10, 16 << 20]).unwrap())
        .overflow(overflow)
        .flush_timeout(Duration::from_millis(random.u64(0..50)));
    // Some with a file beside, which holds and settles in batches on an account of its own.
    let file = random.bool().then(|| LogFile::builder(dir.path("log")).format(Bare).build().unwrap().named("file"));
    let beside = file.clone();
    let mut moody_ledger = None;
    let (queue, guard) = match file {
        Some(file) => {
            let moody = NamedHandler::with_error_handler("moody", moody.clone(), ErrorHandler::silent());
            moody_ledger = Some(moody.ledger());
            builder.build_with_guard(Tee::new().with_named(moody).with_named(file))
        }
        None => builder.build_with_guard(moody.clone()),
    }
    .unwrap();
    let layer = queue.into_layer().error_handler(ErrorHandler::silent());
    let ledger = layer.ledger();
    let dispatch = dispatch(layer);
    let ends_early = random.bool();
    let said = Mutex::new(Said::default());
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
        let (guard, said) = (&guard, &said);
        let naps: Vec<_> = (0..random.u32(0..5)).map(|_| Duration::from_micros(random.u64(0..3_000))).collect();
        scope.spawn(move || {
            for nap in naps {
                thread::sleep(nap);
                said.lock().unwrap().note(guard.flush(nap));
                assert!(guard.stats().busy <= 1.0);
            }
            if ends_early {
                said.lock().unwrap().note(guard.shutdown(Duration::from_millis(1)));
            }
        });
    });
    let logged = threads * each;
    let was_given_up = said.lock().unwrap().was_given_up;
    said.lock().unwrap().note(guard.shutdown(Duration::from_secs(60)));
    guard.shutdown(Duration::ZERO).unwrap_or_else(|error| panic!("{context}: {error}"));
    let (stats, health, said) = (ledger.stats(), guard.stats(), said.into_inner().unwrap());
    assert_eq!(said.was_given_up, was_given_up, "{context}: there was time enough");
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
        assert_eq!(file.stats().accepted(), stats.accepted() - health.lost.total(), "{context}");
    }
    let (did, told) = (*moody.did.lock().unwrap(), *moody.notices.lock().unwrap());
    let lost = health.lost.total();
    // Behind a tee, the script's doings are on an account of their own, too.
    if let Some(settled) = moody_ledger.map(|ledger| ledger.stats()) {
        let settled = (settled.failed, settled.filtered, settled.dropped);
        assert_eq!(settled, (did.failed, did.filtered, did.dropped), "{context}");
    }
    assert_eq!((stats.failed, stats.filtered), (did.failed, did.filtered), "{context}: {stats}");
    assert_eq!(stats.dropped, lost + did.dropped, "{context}: {stats}");
    assert_eq!(said.failed, stats.failed, "{context}: every failure is said once");
    if said.was_given_up {
        assert!(told + said.lost <= lost, "{context}: {told} told and {} said, {lost} lost", said.lost);
    } else {
        assert_eq!(told + said.lost, lost, "{context}: what was lost is told or said, once");
    }
}

/// What flushes and shutdowns said.
#[derive(Default)]
struct Said {
    failed: u64,
    lost: u64,
    /// A shutdown was out of time.
    was_given_up: bool,
}

impl Said {
    fn note(&mut self, result: Result<(), Error>) {
        let Err(error) = result else { return };
        let text = error.to_string();
        if text.contains("not written within") {
            self.was_given_up |= text.contains("shutdown");
            return;
        }
        let said = text.rsplit(": ").next().unwrap();
        for part in said.split(" and ") {
            let number: u64 = part.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{text}"));
            *(if part.ends_with("failed") { &mut self.failed } else { &mut self.lost }) += number;
        }
    }
}

/// Everything logged is on the account, and besides only notices of losses.
fn told_of(stats: &Stats, logged: u64) -> u64 {
    stats.accepted().checked_sub(logged).unwrap_or_else(|| panic!("{logged} were logged: {stats}"))
}
