//! Formats: what they look like, and that what they write is read back as it was.

mod golden;
mod logfmt;
mod shapes;
mod tables;

use tracing_strata::{Format, Record};

/// Both ways of making a line.
fn line(format: &impl Format, record: &Record) -> String {
    let mut out = String::from("before ");
    format.format(record, &mut out).unwrap();
    let mut bytes = b"before ".to_vec();
    format.format_bytes(record, &mut bytes).unwrap();
    assert_eq!(out.as_bytes(), bytes);
    out.strip_prefix("before ").unwrap().to_owned()
}

/// `count` numbers, in two threads.
fn in_halves(count: u64, check: impl Fn(u64) + Send + Sync) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            let check = &check;
            scope.spawn(move || (0..count).filter(|seed| seed % 2 == half).for_each(check));
        }
    });
}
