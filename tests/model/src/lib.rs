//! The queue's hand-over under all interleavings, by loom: the library's own files, with the model's locks in the place of
//! the standard library's. Run by `.ci/model`.
#![cfg(test)]
#![allow(dead_code)]

#[path = "../../../layers/handler/worker/bell.rs"]
mod bell;
#[path = "../../../layers/handler/worker/budget.rs"]
mod budget;
#[path = "../../../layers/handler/worker/hand.rs"]
mod hand;
#[path = "../../../layers/handler/worker/lane.rs"]
mod lane;
mod model;
#[path = "../../../layers/handler/worker/overflow.rs"]
mod overflow;
#[path = "../../../layers/handler/worker/sync.rs"]
mod sync;
#[path = "../../../layers/handler/worker/taker.rs"]
mod taker;
#[path = "../../../layers/handler/worker/turns.rs"]
mod turns;

use overflow::Overflow;
