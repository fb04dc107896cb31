//! The registry with all classes of this crate.

#[cfg(target_os = "linux")]
use super::net::JOURNAL;
use super::{
    file::{FILE, WATCHED},
    forward::{FLUENT, FORWARD},
    http::HTTP,
    memory::MEMORY,
    net::{DATAGRAM, SOCKET},
    null::NULL,
    otlp::OTLP,
    queue::QUEUE,
    receivers::RECEIVERS,
    recorder::RECORDER,
    rotating::{ROTATING, TIMED},
    stream::STREAM,
    syslog::SYSLOG,
    tee::TEE,
    third_party,
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
    &HTTP,
    #[cfg(target_os = "linux")]
    &JOURNAL,
    &RECORDER,
    &TEE,
    &OTLP,
    &FORWARD,
    &FLUENT,
];

impl ClassRegistry {
    /// The handlers of this crate under Python's names and short ones, and Python's constants.
    pub fn new() -> Self {
        use third_party::{CONCURRENT, GRAYPY, LOGSTASH, LOGSTASH_ASYNC, LOKI, RICH};

        let lists = [
            CLASSES,
            RECEIVERS,
            LOGSTASH,
            LOGSTASH_ASYNC,
            CONCURRENT,
            GRAYPY,
            LOKI,
            RICH,
            #[cfg(target_os = "linux")]
            third_party::JOURNAL,
        ];
        Self::with_classes(lists.into_iter().flatten().copied())
    }
}

impl Default for ClassRegistry {
    fn default() -> Self {
        Self::new()
    }
}
