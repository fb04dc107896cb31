//! What a queue takes from the caller, and how soon its records are in the file: tracing-strata and its peers in one run.
//!
//! ```text
//! cargo bench --bench queue                     # the whole table, about two minutes
//! cargo bench --bench queue -- --only caller    # caller, latency, end, two, beside
//! cargo bench --bench queue -- --quick          # does it run? numbers are rough
//! ```
//!
//! # What is measured
//!
//! | case | what |
//! |---|---|
//! | caller | processor time of the calling thread for an event, in bursts that the queue holds; W1 is `info!` with a message and five fields, W2 the same in two spans. Beside the queues, what a test's capture costs: it keeps its records, in memory that was used before and in new memory |
//! | latency | how long a caller waits for one event (on the wall): median, 99 %, 99.9 % |
//! | end | from the first event until all are in the file, on the wall, for an event; every line is counted |
//! | two | the same from two threads; beside it, what an event costs each caller when there are two of them |
//! | beside | how much more two callers get rid of than one, in bursts that the queue holds, while its listener is held up (ours only) |
//!
//! # How
//!
//! Each peer and case is a process of its own; rounds go in turns and the median counts. All queues hold 8,192 records (or
//! lines) and make their callers wait when they are full: nothing may be lost, and a file that lacks a line fails the run.
//! tracing-appender has its default of 128,000 lines. JSON but for fast_log and spdlog-rs, which have no JSON and write their
//! own text.
//!
//! Two callers and a listener want three processors. On a machine with two, "two" says how they share them, and "beside"
//! whether callers hold each other up: the listener rests there, as if it had a processor that nobody else wants. It does not
//! say that one listener writes as much as two callers bring about: what lasts goes at the listener's pace ("end").
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;
#[path = "queue/measure.rs"]
mod measure;
#[path = "queue/peers.rs"]
mod peers;
#[path = "queue/table.rs"]
mod table;
#[path = "support/work.rs"]
#[allow(dead_code, reason = "the disabled events and the spans are for benches/foundation.rs")]
mod work;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// What may go wrong.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == "--child" => measure::child(rest),
        _ => table::parent(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
