//! Formats: what they look like, and that what they write is read back as it was.

mod conditional;
mod ecs;
mod golden;
mod layout;
mod logfmt;
mod shapes;
mod tables;

use tracing_strata::{
    Record,
    format::{Buffer, Format},
};

/// The line, which is the same behind other bytes.
fn line(format: &impl Format, record: &Record) -> String {
    let mut out = Buffer::new();
    format.format(record, &mut out).unwrap();
    let mut behind = Buffer::from(b"before ".to_vec());
    format.format(record, &mut behind).unwrap();
    assert_eq!(behind.to_str().unwrap().strip_prefix("before "), out.to_str().ok());
    out.to_str().unwrap().to_owned()
}

/// How many hostile records a format writes; `.ci/run` asks for 100,000.
pub(crate) fn records(usual: u64) -> u64 {
    std::env::var("STRATA_TEST_RECORDS").map_or(usual, |count| count.parse().unwrap())
}

/// `count` numbers, in two threads.
pub(crate) fn in_halves(count: u64, check: impl Fn(u64) + Send + Sync) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            let check = &check;
            scope.spawn(move || (0..count).filter(|seed| seed % 2 == half).for_each(check));
        }
    });
}
