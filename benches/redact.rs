//! What redaction costs a record and a text, beside a `regex::RegexSet` by hand.
//!
//! ```text
//! cargo bench --bench redact               # half a minute
//! cargo bench --bench redact -- --quick    # does it run? numbers are rough
//! ```
//!
//! Records are W1 of `foundation.rs`: a message and five fields, captured and dropped. Each case is measured in turns with the
//! others in one process; the median of the rounds counts, in time of the thread on the processor. The peer makes a
//! `RegexSet` of the same expressions and asks it about each text, which is what is written by hand most often; it has no
//! checks, and finds nothing in the numbers.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/clock.rs"]
mod clock;

use std::{env, hint::black_box, net::Ipv4Addr};

use alloc::allocations;
use regex::RegexSet;
use tracing_strata::{
    Delivery, Error, HandlerLayer, Outcome, Record, Severity,
    filter::{Pattern, Redact, Transform},
    prelude::*,
};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

struct Nothing;

impl Handler for Nothing {
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        black_box(record);
        Ok(Outcome::Written)
    }
}

/// The expressions that people collect.
const BY_HAND: [&str; 12] = [
    r"\b(?:\d[ -]?){13,19}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"\+[1-9][\d ()-]{7,}",
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*",
    r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    r"AIza[\w-]{35}",
    r"gh[pousr]_\w{36,}",
    r"xox[abprs]-[\w-]{10,}",
    r"[rs]k_(?:live|test)_\w{10,}",
    r"(?i)\b(?:bearer|basic) +[\w+/.~=-]{8,}",
    r"://[^\s/:@]*:[^\s/@]+@",
];

/// Calls it for each text of a record.
struct ByHand(RegexSet);

impl Transform for ByHand {
    fn transform(&self, _: &mut Record) {}

    fn applies(&self, record: &Record) -> bool {
        let texts = record.fields().iter().filter_map(|(_, value)| value.as_str());
        texts.chain([record.message()]).any(|text| self.0.is_match(text))
    }
}

fn forty_keys() -> Redact {
    let more = (0..40).map(|index| format!("secret_name_{index}"));
    Redact::new().keys(more)
}

fn twelve() -> [Pattern; 12] {
    use Pattern::*;
    [Card, Iban, Email, Phone, Jwt, Aws, Gcp, Github, Slack, Stripe, Authorization, UrlPassword]
}

#[inline(always)]
fn event(index: u64) {
    let client = Ipv4Addr::from_bits(0x0a00_0000 | index as u32);
    let (user, route) = (black_box(index), black_box("/orders"));
    tracing::info!(target: "shop::http", user, route, ms = index as f64 / 8.0, cached = true, %client, "request served");
}

type Case = (&'static str, Box<dyn Fn(u64)>);

fn records(name: &'static str, layer: HandlerLayer<impl Handler>) -> Case {
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    let run = move |count| tracing::dispatcher::with_default(&dispatch, || (0..count).for_each(event));
    (name, Box::new(run))
}

/// About a KiB of an ordinary log, for each of them.
fn texts(name: &'static str, look: impl Fn(&Record) -> bool + 'static) -> Case {
    let line =
        "2026-11-29T10:22:33.123456Z request served in 12.5 ms: order 4711 of shop::http at layers/orders.rs:12:9\n";
    let record = Record::new(Severity::INFO, "shop", &line.repeat(10)[..1024]);
    let run = move |count| (0..count).for_each(|_| assert!(!black_box(look(black_box(&record)))));
    (name, Box::new(run))
}

fn main() {
    let is_quick = env::args().any(|arg| arg == "--quick");
    let (rounds, count) = if is_quick { (5, 2_000) } else { (31, 10_000) };
    let by_hand = || ByHand(RegexSet::new(BY_HAND).unwrap());
    let (ours, all, theirs) = (Redact::new().patterns(twelve()), Redact::secrets(), by_hand());
    let cases = [
        records("W1 captured, and nothing else", Nothing.into_layer()),
        records("W1, 40 keys", Nothing.into_layer().redact(forty_keys())),
        records("W1, 12 patterns", Nothing.into_layer().redact(Redact::new().patterns(twelve()))),
        records("W1, `Redact::secrets()`", Nothing.into_layer().redact(Redact::secrets())),
        records("W1, 12 expressions in a `RegexSet` by hand", Nothing.transform(by_hand()).into_layer()),
        texts("1 KiB of text, 12 patterns", move |record| ours.applies(record)),
        texts("1 KiB of text, `Redact::secrets()`", move |record| all.applies(record)),
        texts("1 KiB of text, a `RegexSet` by hand", move |record| {
            // Its first expression finds what only looks like a card.
            black_box(theirs.applies(record));
            false
        }),
    ];
    let mut times = vec![Vec::new(); cases.len()];
    let mut allocated = vec![0; cases.len()];
    for round in 0..=rounds {
        for (index, (_, run)) in cases.iter().enumerate() {
            let (start, before) = (clock::thread_time(), allocations());
            run(count);
            // The first round warms up.
            if round > 0 {
                times[index].push((clock::thread_time() - start).as_nanos() as f64 / count as f64);
                allocated[index] += allocations() - before;
            }
        }
    }
    println!("{}\n", clock::here_and_now());
    println!("| | ns | beyond the first | allocations |\n|---|---|---|---|");
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let first = median(&mut times[0].clone());
    for (index, (name, _)) in cases.iter().enumerate() {
        let time = median(&mut times[index]);
        let beyond = if name.starts_with("W1,") { format!("{:+.1}", time - first) } else { String::new() };
        println!("| {name} | {time:.1} | {beyond} | {:.2} |", allocated[index] as f64 / (rounds * count) as f64);
    }
}
