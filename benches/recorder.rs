//! What a DEBUG record costs its caller that a flight recorder holds back and forgets, beside the same record formatted.
//!
//! ```text
//! cargo bench --bench recorder               # half a minute
//! cargo bench --bench recorder -- --quick    # does it run? numbers are rough
//! ```
//!
//! A tree is a root span of two fields with twenty `debug!` inside, each with a message and five fields (W1 of
//! `foundation.rs`). Each case is a process of its own with the handler as the global default; the cases go in turns, the
//! median of the rounds counts. Time is what the thread has used the processor. All formatted lines go to a writer that
//! takes all bytes and drops them. Ratios are those of one run; absolute times mean little on shared machines.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;

use std::{env, hint::black_box, io, net::Ipv4Addr, process::Command};

use alloc::allocations;
use tracing_strata::{
    Delivery, Error, FlightRecorder, MemoryBuffer, Outcome, Record, Severity,
    filter::RateLimit,
    format::Json,
    output::Stream,
    prelude::*,
    sink::{Lines, Sink},
};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

const PER_TREE: u64 = 20;

const CASES: [(&str, &str); 6] = [
    ("formatted", "formatted (`Json`), null writer"),
    ("captured", "captured, and nothing else"),
    ("forgotten", "held back by a `FlightRecorder`, tree forgotten"),
    ("released", "held back, tree released, formatted (`Json`)"),
    ("memory", "held back by a `Memory` of 1,000, then formatted"),
    ("refused", "refused by a `RateLimit`"),
];

struct Null;

impl Sink for Null {
    fn write(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.write_each(|line| {
            black_box(line);
            Ok(())
        })
    }
}

struct Nothing;

impl Handler for Nothing {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        black_box(record);
        Ok(Outcome::Written)
    }
}

fn install(case: &str) {
    let json = || Stream::sink(Null).format(Json::new());
    let handler = match case {
        "formatted" => json().boxed(),
        "captured" => Nothing.boxed(),
        "forgotten" => FlightRecorder::new(json()).boxed(),
        // The last record of each tree is a DEBUG that passes the filter.
        "released" => FlightRecorder::new(json()).trigger(|record: &Record| record.get("last").is_some()).boxed(),
        "memory" => MemoryBuffer::new(1_000).target(json()).boxed(),
        "refused" => json().filter(RateLimit::new(1, std::time::Duration::MAX).always_pass_from(Severity::OFF)).boxed(),
        other => panic!("no case {other:?}"),
    };
    tracing_subscriber::registry().with(handler.into_layer()).init();
}

#[inline(never)]
fn trees(count: u64) {
    for tree in 0..count {
        let request = tracing::info_span!("request", request_id = "7f3a-91c2", tree = black_box(tree));
        let _request = request.enter();
        for index in 0..PER_TREE - 1 {
            event(index);
        }
        tracing::debug!(target: "shop::http", last = true, "request served");
    }
}

#[inline(always)]
fn event(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    let (user, route) = (black_box(index), black_box("/orders"));
    tracing::debug!(target: "shop::http", user, route, ms = index as f64 / 8.0, cached = true, %client, "request served");
}

/// Nanoseconds and allocations for each record.
fn measure(case: &str, count: u64, samples: usize) -> (f64, f64) {
    install(case);
    trees(count / 4 + 10);
    let before = allocations();
    let mut times: Vec<_> = (0..samples)
        .map(|_| {
            let start = clock::thread_time();
            trees(count);
            clock::thread_time() - start
        })
        .collect();
    let allocations = allocations() - before;
    times.sort_unstable();
    let records = (count * PER_TREE) as f64;
    (times[samples / 2].as_nanos() as f64 / records, allocations as f64 / (records * samples as f64))
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [child, case, count, samples] = &args[..]
        && child == "--child"
    {
        let (nanos, allocations) = measure(case, count.parse().unwrap(), samples.parse().unwrap());
        println!("{nanos} {allocations}");
        return;
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let (count, samples, rounds) = if quick { (50, 3, 1) } else { (4_000, 7, 5) };
    let mut figures: Vec<Vec<(f64, f64)>> = vec![Vec::new(); CASES.len()];
    for _ in 0..rounds {
        for ((case, _), figures) in CASES.iter().zip(&mut figures) {
            let output = Command::new(env::current_exe().unwrap())
                .args(["--child", case, &count.to_string(), &samples.to_string()])
                .output()
                .unwrap();
            assert!(output.status.success(), "{case}: {output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            let (nanos, allocations) = text.trim().split_once(' ').unwrap();
            figures.push((nanos.parse().unwrap(), allocations.parse().unwrap()));
        }
    }
    let medians: Vec<_> = figures
        .iter_mut()
        .map(|figures| {
            figures.sort_by(|a, b| a.0.total_cmp(&b.0));
            figures[figures.len() / 2]
        })
        .collect();
    println!("{}\n", clock::here_and_now());
    println!("| a DEBUG record, a twentieth of its tree's span included | ns | × formatted | allocations |");
    println!("|---|--:|--:|--:|");
    for ((_, title), (nanos, allocations)) in CASES.iter().zip(&medians) {
        println!("| {title} | {nanos:.0} | {:.2} | {allocations:.2} |", nanos / medians[0].0);
    }
}
