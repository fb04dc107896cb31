//! What a failed assertion says.

use std::{env, fmt::Write as _};

use super::{Capture, Pattern, pattern, show};
use crate::{Record, record::OwnedRecord};

/// Records that a failure shows.
const NEAREST: usize = 3;
/// Records that a failing test prints, unless all are asked for.
const PRINTED: usize = 100;
const VARIABLE: &str = "STRATA_CAPTURE";

/// Fails: no record is like the pattern.
#[track_caller]
pub(super) fn no_match(capture: &Capture, pattern: &Pattern, what: &str) -> ! {
    let records = capture.records();
    let mut text = format!("{what} {pattern}\n");
    if records.is_empty() {
        text.push_str("nothing was captured\n");
        if capture.is_hidden() {
            text.push_str("(another subscriber was set for this thread after the capture was started, and hides it)\n");
        }
    } else {
        push(&mut text, format_args!("nearest of {}:\n", count(records.len())));
        for (record, differences) in pattern::nearest(pattern, &records, NEAREST) {
            push_record(&mut text, record);
            for difference in differences {
                push(&mut text, format_args!("      - {difference}\n"));
            }
        }
    }
    panic!("{text}{}", hint(records.len()))
}

/// Fails: these records should not be there, or there should be another number of them.
#[track_caller]
pub(super) fn unexpected(what: &str, found: &[OwnedRecord], all: usize) -> ! {
    let mut text = format!("{what}\n");
    for record in found.iter().take(PRINTED) {
        push_record(&mut text, record);
    }
    panic!("{text}{}", hint(all))
}

fn push_record(text: &mut String, record: &Record) {
    push(text, format_args!("    {}", show::one(record).replace('\n', "\n    ")));
    if let (Some(file), Some(line)) = (record.file(), record.line()) {
        push(text, format_args!("  at {file}:{line}"));
    }
    text.push('\n');
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Text takes everything.
    text.write_fmt(arguments).unwrap_or_default();
}

fn hint(all: usize) -> String {
    match all {
        0 => String::new(),
        1..=PRINTED => format!("({} printed when the capture ends)", if all == 1 { "it is" } else { "all are" }),
        _ => format!("(the last {PRINTED} are printed when the capture ends; all with {VARIABLE}=all)"),
    }
}

pub(super) fn count(records: usize) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}

/// Prints what was captured: under a test harness, as part of the failing test's output.
#[allow(
    clippy::print_stderr,
    reason = "the harness shows what these macros print with the failing test, and nothing else"
)]
pub(super) fn print(capture: &Capture) {
    let records = capture.records();
    let is_all = env::var(VARIABLE).is_ok_and(|value| value == "all");
    let skipped = if is_all { 0 } else { records.len().saturating_sub(PRINTED) };
    let lost = capture.shared.store.lost().records;
    let mut head = format!("--- captured: {}", count(records.len()));
    if skipped > 0 {
        push(&mut head, format_args!(", the last {PRINTED} (all with {VARIABLE}=all)"));
    }
    if lost > 0 {
        push(&mut head, format_args!("; {lost} older ones are lost"));
    }
    eprint!("{head}\n{}---\n", show::all(&records[skipped..]));
}
