//! What an event costs: tracing-strata and its peers in one run.
//!
//! ```text
//! cargo bench --bench foundation                    # the whole table, two to three minutes
//! cargo bench --bench foundation -- --only W1       # one case; again for more; W3 is all that begins so
//! cargo bench --bench foundation -- --quick         # does it run? numbers are rough
//! benches/instructions.sh                           # instructions for each event, by callgrind
//! ```
//!
//! # What is measured
//!
//! | case | an event is |
//! |---|---|
//! | W1 | `info!` with a message and five fields (`u64`, `&str`, `f64`, `bool`, `%Ipv4Addr`), no span |
//! | W2 | the same inside two spans of two fields each |
//! | W1-lines, W1-buffer | W1 into a file: one `write(2)` a line; through 64 KiB |
//! | W3-level, W3-name | a disabled event: by level, by the name of its target |
//! | W4 | a span of two fields that is made, entered, left and closed |
//! | W5 | W1 from two threads into one file |
//! | shapes, shapes-spans | W1 and W2 in the shapes that other tools expect |
//! | second | W1 to one handler, to two on a `Tee`, to two layers |
//!
//! # How
//!
//! Each peer and case is a process of its own, this same program started again, with the peer as the global default.
//! Rounds go in turns (A B C, A B C …) and the median counts. Time is what the thread has used the processor (W5: time on
//! the wall), so neighbours on a shared machine disturb little; still, only the ratios of one run mean anything.
//! Allocations are those of the logging thread after a warm-up. The null writer takes all bytes, and a child that wrote
//! nothing fails. Peers are built as their users build them. slog-json writes piece by piece, so it gets a `LineWriter`
//! in front of a file.
//!
//! A bar that is not met is told, and fails nothing: time is no test.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod support;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: support::alloc::Counting = support::alloc::Counting;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((first, rest)) if first == "--child" => support::child::main(rest),
        _ => support::parent::main(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
