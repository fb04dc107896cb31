//! The text formats of Prometheus.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{State, health};
use crate::{
    Severity,
    handler::queue::{QueueStats, stats_of_all},
    ledger::{self, Stats},
};

/// All metrics in Prometheus' text format, version 0.0.4 (`Content-Type: text/plain; version=0.0.4; charset=utf-8`).
pub fn prometheus() -> String {
    exposition(false)
}

/// The same in [OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md) 1.0.0
/// (`Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8`).
pub fn openmetrics() -> String {
    exposition(true)
}

fn exposition(is_open: bool) -> String {
    let mut handlers: BTreeMap<String, Stats> = BTreeMap::new();
    for (name, stats) in ledger::stats() {
        handlers.entry(name).or_default().add(&stats);
    }
    let mut queues: BTreeMap<String, Vec<QueueStats>> = BTreeMap::new();
    for (name, stats) in stats_of_all() {
        queues.entry(name).or_default().push(stats);
    }
    let mut up: BTreeMap<String, bool> = BTreeMap::new();
    for handler in health().handlers {
        *up.entry(handler.name).or_insert(true) &= handler.state < State::Failing;
    }
    let mut out = Exposition { text: String::new(), is_open };

    out.family("strata_records", "counter", "Records that ended, by what became of them.");
    for (name, stats) in &handlers {
        let Stats { written, filtered, dropped, failed, .. } = *stats;
        for (outcome, count) in [("written", written), ("filtered", filtered), ("dropped", dropped), ("failed", failed)]
        {
            out.sample("strata_records_total", &[("handler", name), ("outcome", outcome)], count);
        }
    }
    let numbers: [(&str, &str, &str, fn(&Stats) -> u64); 4] = [
        ("strata_records_queued", "gauge", "Records in a buffer or a queue.", |stats| stats.queued),
        ("strata_records_marked", "counter", "Records with a value that was cut or could not be printed.", |stats| {
            stats.marked
        }),
        ("strata_fallback_records", "counter", "Records that were written by a fallback.", |stats| {
            stats.fallback_written
        }),
        ("strata_other_errors", "counter", "Errors without a record.", |stats| stats.other_errors),
    ];
    for (family, kind, help, number) in numbers {
        let sample = out.family(family, kind, help);
        handlers.iter().for_each(|(name, stats)| out.sample(&sample, &[("handler", name)], number(stats)));
    }
    out.family("strata_handler_up", "gauge", "Whether the handler has written a record since its last error.");
    for name in handlers.keys() {
        out.sample("strata_handler_up", &[("handler", name)], u64::from(up.get(name).copied().unwrap_or(true)));
    }

    let sum = |queues: &[QueueStats], number: fn(&QueueStats) -> u64| queues.iter().map(number).sum::<u64>();
    let numbers: [(&str, &str, &str, fn(&QueueStats) -> u64); 3] = [
        ("strata_queue_records", "gauge", "Records that wait or are being handled.", |stats| stats.depth as u64),
        ("strata_queue_bytes", "gauge", "The size of the records that wait.", |stats| stats.bytes as u64),
        ("strata_queue_blocked_sends", "counter", "How often a caller had to wait.", |stats| stats.blocked_sends),
    ];
    for (family, kind, help, number) in numbers {
        let sample = out.family(family, kind, help);
        queues.iter().for_each(|(name, queues)| out.sample(&sample, &[("queue", name)], sum(queues, number)));
    }
    out.family("strata_queue_oldest_seconds", "gauge", "How long the oldest record has waited.");
    for (name, queues) in &queues {
        let oldest = queues.iter().filter_map(|stats| stats.oldest_age).max().unwrap_or_default();
        out.sample("strata_queue_oldest_seconds", &[("queue", name)], oldest.as_secs_f64());
    }
    out.family("strata_queue_busy_ratio", "gauge", "How busy the thread was in the last ten to twenty seconds.");
    for (name, queues) in &queues {
        let busiest = queues.iter().map(|stats| stats.busy).fold(0.0, f64::max);
        out.sample("strata_queue_busy_ratio", &[("queue", name)], busiest);
    }
    out.family("strata_queue_lost_records", "counter", "Records that did not fit, or were left at a shutdown.");
    for (name, queues) in &queues {
        let mut lost: BTreeMap<Severity, u64> = BTreeMap::new();
        let counts = queues.iter().flat_map(|stats| stats.lost.iter().collect::<Vec<_>>());
        counts.for_each(|(severity, count)| *lost.entry(severity).or_default() += count);
        for (severity, count) in lost {
            let level = severity.to_string();
            out.sample("strata_queue_lost_records_total", &[("queue", name), ("level", &level)], count);
        }
    }
    if is_open {
        out.text.push_str("# EOF\n");
    }
    out.text
}

struct Exposition {
    text: String,
    is_open: bool,
}

impl Exposition {
    /// Begins a family; returns the name of its samples.
    fn family(&mut self, name: &str, kind: &str, help: &str) -> String {
        let sample = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        // OpenMetrics names the family, the older format its samples.
        let name = if self.is_open { name } else { &sample };
        self.text.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
        sample
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.text.extend([if index == 0 { "{" } else { "," }, label, "=\""]);
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        // Writing to a string cannot fail.
        writeln!(self.text, "}} {value}").unwrap_or_default();
    }
}
