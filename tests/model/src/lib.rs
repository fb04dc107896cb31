//! The queue's hand-over under all interleavings, by loom: the library's own files, with the model's locks in the place of
//! the standard library's. Run by `.ci/model`.
#![cfg(test)]
#![allow(dead_code)]

#[path = "../../../layers/handler/queue/bell.rs"]
mod bell;
#[path = "../../../layers/handler/queue/budget.rs"]
mod budget;
#[path = "../../../layers/handler/queue/hand.rs"]
mod hand;
#[path = "../../../layers/handler/queue/lane.rs"]
mod lane;
mod model;
#[path = "../../../layers/handler/queue/overflow.rs"]
mod overflow;
#[path = "../../../layers/handler/queue/sync.rs"]
mod sync;
#[path = "../../../layers/handler/queue/taker.rs"]
mod taker;
#[path = "../../../layers/handler/queue/turns.rs"]
mod turns;

use overflow::Overflow;
