//! The registry with all classes of this crate.

#[cfg(target_os = "linux")]
use super::net::JOURNAL;
use super::{
    file::{FILE, WATCHED},
    memory::MEMORY,
    net::{DATAGRAM, SOCKET},
    null::NULL,
    otlp::OTLP,
    queue::QUEUE,
    recorder::RECORDER,
    rotating::{ROTATING, TIMED},
    stream::STREAM,
    syslog::SYSLOG,
    tee::TEE,
};
use crate::config::{class::Class, registry::ClassRegistry};

const CLASSES: &[&Class] = &[
    &STREAM,
    &FILE,
    &WATCHED,
    &ROTATING,
    &TIMED,
    &NULL,
    &MEMORY,
    &QUEUE,
    &SYSLOG,
    &SOCKET,
    &DATAGRAM,
    #[cfg(target_os = "linux")]
    &JOURNAL,
    &RECORDER,
    &TEE,
    &OTLP,
];

impl ClassRegistry {
    /// The handlers of this crate under Python's names and short ones, and Python's constants.
    pub fn new() -> Self {
        Self::with_classes(CLASSES)
    }
}

impl Default for ClassRegistry {
    fn default() -> Self {
        Self::new()
    }
}
