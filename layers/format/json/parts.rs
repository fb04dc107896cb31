//! Writes single parts of a record.

use super::{
    Key,
    plan::RecordState,
    steps::{Id, Part, Step},
};
use crate::{
    Record, Severity, Value,
    format::{
        Time,
        digits::{NANOS, put_nanos},
        line::{Line, hex_digits},
        time::since_epoch,
    },
    record::{ErrorChain, IdsText, SpanView, TraceParent},
};

/// The part that all records of a call site share: from the cache, or written for a record that differs.
#[inline]
pub(super) fn site(line: &mut Line<'_>, steps: &[Step], index: usize, state: &RecordState<'_>) {
    match state.callsite.and_then(|callsite| callsite.text(index)) {
        Some(text) => line.raw_bytes(text.text()),
        None => write_site(line, steps, state.record.severity(), state.record.target()),
    }
}

#[inline(never)]
pub(super) fn write_site(line: &mut Line<'_>, steps: &[Step], severity: Severity, target: &str) {
    for step in steps {
        line.fragment(&step.open);
        match step.part {
            Part::Level => write_level(line, severity),
            Part::LowerLevel => line.lower_case(|line| write_level(line, severity)),
            Part::LevelName(names) => line.escaped(of_severity(names, severity).unwrap_or_default()),
            Part::LevelNumber(numbers) => number(line, of_severity(numbers, severity).unwrap_or_default()),
            Part::Target => line.escaped(target),
            _ => {}
        }
    }
}

pub(super) fn collect_sites<'s>(steps: &'s [Step], sites: &mut Vec<&'s [Step]>) {
    for step in steps {
        match step.part {
            Part::Site(_) => sites.push(&step.inner),
            _ => collect_sites(&step.inner, sites),
        }
    }
}

/// The last row that is not above the severity.
pub(super) fn of_severity<T: Copy>(table: &[(i32, T)], severity: Severity) -> Option<T> {
    table.iter().rev().find(|(from, _)| *from <= severity.number()).map(|(_, of)| *of)
}

/// The value of a key, if the record has it.
pub(super) fn value_of<'n>(key: Key, state: &'n RecordState<'_>) -> Option<Value<'n>> {
    let record = state.record;
    Some(match key {
        Key::LevelNumber => Value::from(record.severity().number()),
        Key::Line => Value::from(record.line()?),
        Key::ThreadId => Value::from(record.thread_id()),
        Key::ProcessId => Value::from(record.process_id()),
        text => Value::Str(match text {
            Key::Level => record.severity().name()?,
            Key::Target => record.target(),
            Key::Message => record.message(),
            Key::EventName => record.name()?,
            Key::File => record.file()?,
            Key::ModulePath => record.module_path()?,
            Key::Function => record.function()?,
            Key::Stack => record.stack()?,
            Key::ThreadName => record.thread_name()?,
            Key::ProcessName => record.process_name(),
            Key::ErrorType => state.chain()?.type_name()?,
            Key::ErrorMessage => state.chain()?.message(),
            _ => return None,
        }),
    })
}

/// The global field of a key: the one with its name, else with another.
pub(super) fn global<'r>(record: &'r Record, first: &str, others: &[&str]) -> Option<Value<'r>> {
    let globals = record.globals()?;
    globals.get(first).or_else(|| others.iter().find_map(|name| globals.get(name)))
}

/// Writes the fallback for records without a value.
pub(super) fn fallback(line: &mut Line<'_>, step: &Step) {
    if !step.fallback.text().is_empty() {
        line.key_fragment(&step.key);
        line.fragment(&step.fallback);
    }
}

/// The error with its type, its causes and its backtrace, one on each line.
#[cold]
pub(super) fn stack(line: &mut Line<'_>, chain: ErrorChain<'_>, state: &RecordState<'_>) {
    line.byte(b'"');
    if let Some(type_name) = chain.type_name() {
        line.escaped(type_name);
        line.raw(": ");
    }
    line.escaped(chain.message());
    for cause in chain.causes() {
        line.raw("\\nCaused by: ");
        line.escaped(cause);
    }
    if let Some(text) = state.backtrace.and_then(|entry| entry.value().as_str()) {
        line.raw("\\n");
        line.escaped(text);
    }
    line.byte(b'"');
}

// Separate functions, so that a line does not pay for the stack frame of all of them.

#[inline(never)]
pub(super) fn time(line: &mut Line<'_>, time: &Time, record: &Record) {
    line.digits(|digits| time.put(record.time(), digits));
}

/// Nanoseconds since 1970.
#[inline(never)]
pub(super) fn nanos(line: &mut Line<'_>, record: &Record) {
    let (seconds, nanos) = since_epoch(record.time());
    let mut is_put = false;
    line.digits(|digits| {
        is_put = put_nanos(digits, seconds, nanos);
        0..if is_put { NANOS } else { 0 }
    });
    if !is_put {
        Time::unix_nanos().write(record.time(), line);
    }
}

#[inline(never)]
pub(super) fn message(line: &mut Line<'_>, record: &Record) {
    line.escaped(record.message());
}

#[inline]
pub(super) fn write_level(line: &mut Line<'_>, severity: Severity) {
    match severity.name() {
        Some(name) => line.raw(name),
        None => {
            line.raw("Level ");
            number(line, severity.number());
        }
    }
}

pub(super) fn number(line: &mut Line<'_>, number: impl itoa::Integer) {
    line.raw(itoa::Buffer::new().format(number));
}

/// Trace ids, and the span that has them.
pub(super) type Traced<'a> = (TraceParent, SpanView<'a>);

#[inline(never)]
pub(super) fn ids_with_keys(line: &mut Line<'_>, ids: &[Step], trace: TraceParent) {
    let (high, low) = ((trace.trace_id() >> 64) as u64, trace.trace_id() as u64);
    for step in ids {
        let Part::Id(id) = step.part else { continue };
        line.key_fragment(&step.key);
        match id {
            Id::Trace => {
                line.raw_bytes(quads(high).as_flattened());
                line.raw_bytes(quads(low).as_flattened());
            }
            Id::Span => line.raw_bytes(quads(trace.span_id()).as_flattened()),
            Id::Flags => line.raw_bytes(&hex_digits(trace.flags().into())[6..]),
            Id::LowTrace => number(line, low),
            Id::DecimalSpan => number(line, trace.span_id()),
            Id::DecimalFlags => number(line, trace.flags()),
            Id::IsSampled => line.raw(if trace.flags() & 1 == 1 { "true" } else { "false" }),
        }
        if !matches!(id, Id::DecimalFlags | Id::IsSampled) {
            line.byte(b'"');
        }
    }
}

/// The ids under the default keys: one text, in which only the digits are replaced.
pub(super) fn default_ids(trace: TraceParent) -> IdsText {
    let mut text =
        *br#","trace_id":"00000000000000000000000000000000","span_id":"0000000000000000","trace_flags":"00""#;
    text[13..29].copy_from_slice(quads((trace.trace_id() >> 64) as u64).as_flattened());
    text[29..45].copy_from_slice(quads(trace.trace_id() as u64).as_flattened());
    text[58..74].copy_from_slice(quads(trace.span_id()).as_flattened());
    text[91..93].copy_from_slice(&hex_digits(u32::from(trace.flags()) << 24)[..2]);
    text
}

pub(super) fn quads(number: u64) -> [[u8; 8]; 2] {
    [hex_digits((number >> 32) as u32), hex_digits(number as u32)]
}
