//! The queue's channel under all interleavings, by loom: the library's own files, with loom's locks in the place of the
//! standard library's. Run by `.ci/model`.
#![cfg(test)]
#![allow(dead_code)]

#[path = "../../../layers/handler/worker/notifier.rs"]
mod notifier;
#[path = "../../../layers/handler/worker/state.rs"]
mod state;
#[path = "../../../layers/handler/worker/channel.rs"]
mod channel;
#[path = "../../../layers/handler/worker/shard.rs"]
mod shard;
#[path = "../../../layers/handler/worker/control.rs"]
mod control;
mod model;
#[path = "../../../layers/handler/worker/overflow.rs"]
mod overflow;
#[path = "../../../layers/handler/worker/sync.rs"]
mod sync;
#[path = "../../../layers/handler/worker/receiver.rs"]
mod receiver;
#[path = "../../../layers/handler/worker/wait_queue.rs"]
mod waiters;

use overflow::Overflow;
