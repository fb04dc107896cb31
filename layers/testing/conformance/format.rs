//! The suite for formats.

use std::thread;

use super::records::hostile;
use crate::{
    Format, Record,
    format::Buffer,
    unwind::{PanicPayload, catch},
};

/// Checks a format: with all kinds of records, also hostile ones, it does not panic, makes the same bytes each time and on
/// every thread, and leaves what is in the buffer.
///
/// # Panics
/// It does not: the message says with which record.
#[track_caller]
pub fn format(format: &impl Format) {
    for (what, record) in hostile() {
        let first = render(format, what, &record, b"");
        let again = render(format, what, &record, b"before");
        match again.strip_prefix(b"before") {
            None => panic!("{what}: it changes what is in the buffer"),
            Some(again) if again != first => {
                panic!("{what}: it makes {:?}, then {:?}", lossy(&first), lossy(again))
            }
            Some(_) => {}
        }
        let record = &record;
        let elsewhere = thread::scope(|scope| scope.spawn(move || render(format, what, record, b"")).join());
        let elsewhere = elsewhere.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(elsewhere == first, "{what}: it makes other bytes on another thread");
    }
}

/// Checks a format for one line a record: as [`format`](fn@format), and nothing in a record can break the line, or move the cursor
/// of a terminal.
///
/// # Panics
/// It does not: the message says with which record.
#[track_caller]
pub fn line_format(format: &impl Format) {
    self::format(format);
    for (what, record) in hostile() {
        let line = render(format, what, &record, b"");
        let breaks =
            |c: &char| c.is_control() && *c != '\t' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
        if let Some(found) = lossy(&line).chars().find(breaks) {
            panic!("{what}: there is {found:?} in {:?}", lossy(&line));
        }
    }
}

#[track_caller]
fn render(format: &impl Format, what: &str, record: &Record, before: &[u8]) -> Vec<u8> {
    let mut out = Buffer::new();
    out.extend_from_slice(before);
    match catch(|| format.format(record, &mut out)) {
        Ok(Ok(())) => out.into_bytes(),
        Ok(Err(error)) => panic!("{what}: {error}"),
        Err(panic) => panic!("{what}: it panics: {}", PanicPayload::message(&panic)),
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(2_000).collect()
}
