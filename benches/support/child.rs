//! One peer, one case, one process.

use std::{
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use super::{
    alloc::allocations,
    cases::{CASES, Case},
    clock::thread_time,
    peers::{Failure, Peer},
    place::{self, BUFFER, Place},
    work::{Facade, Inside, Work},
};

/// What a child tells its parent, for one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) nanos: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.nanos, self.allocations, self.bytes)
    }
}

impl std::str::FromStr for Cost {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        match numbers[..] {
            [nanos, allocations, bytes] => Ok(Self { nanos, allocations, bytes }),
            _ => Err(format!("not a cost: {text:?}").into()),
        }
    }
}

/// Pools, buffers and caches are filled; the same number for every sample, so that instructions can be subtracted.
const WARM_UP: u64 = 2_000;

/// `CASE PEER EVENTS SAMPLES`; with no samples the events are run once, untimed: for `instructions.sh`, as the clock of
/// rustix does not run under valgrind.
pub(crate) fn main(args: &[String]) -> Result<(), Failure> {
    let [case, peer, events, samples] = args else {
        return Err("expected: --child CASE PEER EVENTS SAMPLES".into());
    };
    let case = CASES.iter().find(|known| known.name == case).ok_or_else(|| format!("no case {case:?}"))?;
    let peer = Peer::by_name(peer).ok_or_else(|| format!("no peer {peer:?}"))?;
    let (events, samples) = (events.parse()?, samples.parse()?);
    let path = place::path();
    if samples == 0 {
        let facade = peer.install(case, &path)?;
        let inside = facade.enter(case.work);
        inside.run(case.work, WARM_UP);
        inside.run(case.work, events);
        return Ok(());
    }
    let result = measure(case, peer, &path, events, samples);
    if case.place != Place::Null {
        std::fs::remove_file(&path)?;
    }
    println!("{}", result?);
    Ok(())
}

fn measure(case: &Case, peer: Peer, path: &Path, events: u64, samples: u64) -> Result<Cost, Failure> {
    let facade = peer.install(case, path)?;
    let inside = facade.enter(case.work);
    sample(&inside, &facade, case, WARM_UP);
    let mut times = Vec::with_capacity(samples as usize);
    let (bytes, before) = (written(case, path)?, allocations());
    times.extend((0..samples).map(|_| sample(&inside, &facade, case, events)));
    let (allocations, bytes) = (allocations() - before, written(case, path)? - bytes);
    times.sort_unstable();
    let in_sample = (events * case.threads) as f64;
    let all = in_sample * samples as f64;
    let cost = Cost {
        nanos: times[times.len() / 2].as_nanos() as f64 / in_sample,
        // Those of other threads are not seen.
        allocations: if case.threads == 1 { allocations as f64 / all } else { f64::NAN },
        bytes: bytes as f64 / all,
    };
    check(case, peer, &cost, all)?;
    Ok(cost)
}

/// Processor time on one thread; time on the wall with several.
fn sample(inside: &Inside<'_>, facade: &Facade, case: &Case, events: u64) -> Duration {
    if case.threads == 1 {
        let start = thread_time();
        inside.run(case.work, events);
        return thread_time() - start;
    }
    let ready = Barrier::new(case.threads as usize + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..case.threads)
            .map(|_| {
                scope.spawn(|| {
                    let inside = facade.enter(case.work);
                    ready.wait();
                    inside.run(case.work, events);
                })
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread of the bench panicked"));
        start.elapsed()
    })
}

fn written(case: &Case, path: &Path) -> Result<u64, Failure> {
    Ok(match case.place {
        Place::Null => place::taken(),
        Place::Lines | Place::Buffer => std::fs::metadata(path)?.len(),
    })
}

/// Nobody is fast by doing nothing.
fn check(case: &Case, peer: Peer, cost: &Cost, events: f64) -> Result<(), Failure> {
    let writes = matches!(case.work, Work::Event | Work::EventInSpans) && peer != Peer::Capture;
    let held_back = if case.place == Place::Buffer { BUFFER as f64 / events } else { 0.0 };
    let right = if writes { cost.bytes + held_back > 20.0 } else { cost.bytes == 0.0 };
    if right { Ok(()) } else { Err(format!("{:?} wrote {} bytes an event in {}", peer, cost.bytes, case.name).into()) }
}
