//! python-logstash-async: formatters and handlers.

mod formatter;
mod handler;

pub(super) use self::formatter::{make, make_ecs};
pub(in crate::config::classes) use self::handler::HANDLERS;

pub(super) const NAMES: &[&str] = &[
    "logstash_async.formatter.LogstashFormatter",
    "logstash_async.formatter.DjangoLogstashFormatter",
    "logstash_async.formatter.FlaskLogstashFormatter",
];

pub(super) const ECS_NAMES: &[&str] = &[
    "logstash_async.formatter.LogstashEcsFormatter",
    "logstash_async.formatter.DjangoLogstashEcsFormatter",
    "logstash_async.formatter.FlaskLogstashEcsFormatter",
];
