//! Nothing is lost without a word, in any composition of handlers: random trees against a naive model, and programs by name.
//!
//! `STRATA_TREES=20000 cargo test --test composition` plays more trees than the default. Each has a seed, which is told when
//! a law is broken; `STRATA_SEED=n` plays that one again (`STRATA_TREES` times, 50) and prints the tree. `STRATA_FROM=n` begins
//! with another seed, and `STRATA_BROKEN=n` goes on until so many are broken (and makes none smaller).
//!
//! All of it is one process-wide order of tests, as [`flush_all`](tracing_strata::flush_all) reaches every handler.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "composition/dice.rs"]
mod dice;
#[path = "composition/laws.rs"]
mod laws;
#[path = "composition/model.rs"]
mod model;
#[path = "composition/outputs.rs"]
mod outputs;
#[path = "composition/own.rs"]
mod own;
#[path = "composition/play.rs"]
mod play;
#[path = "composition/programs.rs"]
mod programs;
#[path = "composition/tree.rs"]
mod tree;
#[path = "composition/trees.rs"]
mod trees;
