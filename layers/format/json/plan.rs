//! The steps that write one record.

use super::{
    Key, Options, What,
    object::{Object, Reserved},
    steps::{Names, Part, Step, TRACE, steps},
    value::value,
};
use crate::{
    Record, Severity,
    format::{
        Time,
        heads::{Head, Heads},
        line::{Line, Piece, hex_digits},
        outermost_first,
    },
    record::{IdsText, SpanView, TraceParent},
};

/// Steps in the order in which they are taken, and what they need to know about names.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// Own keys of the outermost object, for records without and with a trace.
    reserved: [Reserved; 2],
    reserved_in_fields: Reserved,
    reserved_in_spans: Reserved,
    none: Reserved,
    writes_trace: bool,
    /// Whether the keys of the ids are the usual ones.
    has_usual_ids: bool,
    hides_traceparent: bool,
    /// Which sources the outermost object has.
    flat_event: bool,
    flat_spans: bool,
    /// Whether the first step that asks stands where the object may still be empty.
    starts_empty: bool,
    heads: Heads,
    /// The static fields and the end: after other members, and as the only ones.
    tail: [Piece; 2],
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let names = Names::new(options);
        let is_given = |what| names.get(what).is_some();
        let (steps, starts_empty) = steps(&names, options);
        let tail = |is_first| {
            Piece::of(is_first, |line| {
                for (index, (_, of)) in options.fixed.iter().enumerate() {
                    if let Some(name) = names.get(What::Fixed(index)) {
                        line.key(name);
                        value(line, of);
                    }
                }
                line.close();
            })
        };
        let outermost = || names.given.iter().filter(|(what, _)| !options.is_inside_fields(*what));
        let is_trace = |what: What| TRACE.iter().any(|key| what == What::Key(*key));
        let message = names.get(What::Key(Key::Message)).filter(|_| options.is_inside_fields(What::Key(Key::Message)));
        Self {
            steps,
            reserved: [
                Reserved::new(outermost().filter(|(what, _)| !is_trace(*what)).map(|(_, name)| name.clone())),
                Reserved::new(outermost().map(|(_, name)| name.clone())),
            ],
            reserved_in_fields: Reserved::new(message.map(str::to_owned)),
            reserved_in_spans: Reserved::new(["name".to_owned()]),
            none: Reserved::default(),
            writes_trace: TRACE.iter().any(|key| is_given(What::Key(*key))),
            has_usual_ids: TRACE.iter().all(|key| names.get(What::Key(*key)) == Some(key.default_name())),
            hides_traceparent: is_given(What::Key(Key::TraceId)) && is_given(What::Key(Key::SpanId)),
            flat_event: !is_given(What::Fields),
            flat_spans: !is_given(What::Context) && !options.span_list,
            starts_empty,
            heads: Heads::default(),
            tail: [tail(false), tail(true)],
        }
    }

    #[inline]
    pub(super) fn write(&self, options: &Options, record: &Record, out: &mut Vec<u8>) {
        let mut line = Line::new(out, self.starts_empty);
        self.line(options, record, &mut line);
        line.finish();
    }

    fn line(&self, options: &Options, record: &Record, line: &mut Line<'_>) {
        let trace = if self.writes_trace { record.traced_span() } else { None };
        let hides = self.hides_traceparent && trace.is_some();
        let mut names: &[_] = &[];
        let steps = match self.steps.as_slice() {
            [
                first @ Step { part: Part::Time, .. },
                second @ Step { part: Part::Level, .. },
                third @ Step { part: Part::Target, .. },
                fourth @ Step { part: Part::Message, .. },
                steps @ ..,
            ] => {
                // The same as `steps`, without asking what comes next: so begins nearly every line.
                line.piece(&first.open);
                time(line, &options.time, record);
                let between = |line: &mut Line<'_>, level: Severity, target: &str| {
                    line.piece(&second.open);
                    write_level(line, level);
                    line.piece(&third.open);
                    line.escaped(target);
                    line.piece(&fourth.open);
                };
                let head = self.heads.of(record, |site| {
                    let text = Piece::of(false, |line| between(line, Severity::from(site.level()), site.target()));
                    Head::new(site, text, |name| Piece::of(false, |line| line.key(name)))
                });
                match head {
                    Some(head) => {
                        line.raw_bytes(head.text.text());
                        names = &head.names;
                    }
                    None => between(line, record.severity(), record.target()),
                }
                line.escaped(record.message());
                steps
            }
            steps => steps,
        };
        match steps {
            [ids_of_trace @ Step { part: Part::Trace, .. }, Step { part: Part::Flat, .. }] => {
                line.piece(&ids_of_trace.open);
                if let Some(trace) = trace {
                    self.ids(line, &ids_of_trace.keys, trace);
                }
                self.flat(line, record, names, trace.is_some(), hides);
            }
            steps => self.steps(line, steps, options, record, names, trace),
        }
        line.piece(&self.tail[usize::from(line.is_first())]);
    }

    #[inline(never)]
    fn steps(
        &self,
        line: &mut Line<'_>,
        steps: &[Step],
        options: &Options,
        record: &Record,
        names: &[(&'static str, Piece)],
        trace: Option<Traced<'_>>,
    ) {
        let hides = self.hides_traceparent && trace.is_some();
        for step in steps {
            line.piece(&step.open);
            match step.part {
                Part::Literal => {}
                Part::Time => time(line, &options.time, record),
                Part::Level => write_level(line, record.severity()),
                Part::Target => target(line, record),
                Part::Message => message(line, record),
                Part::Trace => {
                    if let Some(trace) = trace {
                        self.ids(line, &step.keys, trace);
                    }
                }
                Part::Flat => self.flat(line, record, names, trace.is_some(), hides),
                _ => self.rare(step, options, record, line, hides),
            }
        }
    }

    #[inline]
    fn ids(&self, line: &mut Line<'_>, keys: &[Option<String>], (trace, span): Traced<'_>) {
        if self.has_usual_ids && !line.is_first() {
            line.array(&span.kept_ids(trace, || usual_ids(trace)));
        } else {
            unusual_ids(line, keys, trace);
        }
    }

    #[inline(always)]
    fn flat(
        &self,
        line: &mut Line<'_>,
        record: &Record,
        names: &[(&'static str, Piece)],
        has_trace: bool,
        hides_traceparent: bool,
    ) {
        let object = Object {
            event: if self.flat_event { Some(record.fields()) } else { None },
            spans: if self.flat_spans { Some(record) } else { None },
            globals: record.globals(),
            names,
            is_traced: has_trace || !self.writes_trace,
            ..Object::empty(&self.reserved[usize::from(has_trace)], hides_traceparent)
        };
        object.write(line);
    }

    /// What is not on in a default line; apart, so that the loop above stays small.
    #[inline(never)]
    fn rare(&self, step: &Step, options: &Options, record: &Record, line: &mut Line<'_>, hides_traceparent: bool) {
        let key = step.keys.first().and_then(Option::as_deref);
        match step.part {
            Part::Literal | Part::Time | Part::Level | Part::Target | Part::Message | Part::Trace | Part::Flat => {}
            Part::Comma => line.comma(),
            Part::OtherTime => options.time.write_to(record.time(), line),
            Part::LowerLevel => line.lower_case(|line| write_level(line, record.severity())),
            Part::LevelNumber => number(line, record.severity().number()),
            Part::ProcessId => number(line, record.process_id()),
            Part::ThreadId => number(line, record.thread_id()),
            Part::ProcessName => line.escaped(record.process_name()),
            Part::EventName => optional(line, key, record.name()),
            Part::File => optional(line, key, record.file()),
            Part::ModulePath => optional(line, key, record.module_path()),
            Part::ThreadName => optional(line, key, record.thread_name()),
            Part::Line => {
                if let (Some(key), Some(of_file)) = (key, record.line()) {
                    line.key(key);
                    number(line, of_file);
                }
            }
            Part::Fields => self.fields(line, record, key),
            Part::Context => {
                line.open();
                Object { spans: Some(record), ..Object::empty(&self.none, hides_traceparent) }.write(line);
                line.close();
            }
            Part::Span => {
                if let (Some(key), Some(span)) = (key, record.spans().next()) {
                    line.key(key);
                    self.span(line, span, hides_traceparent);
                }
            }
            Part::Spans => self.spans(line, record, key.unwrap_or_default(), hides_traceparent),
        }
    }

    fn fields(&self, line: &mut Line<'_>, record: &Record, message: Option<&str>) {
        line.open();
        if let Some(message) = message
            && !record.message().is_empty()
        {
            line.key(message);
            line.string(record.message());
        }
        Object { event: Some(record.fields()), ..Object::empty(&self.reserved_in_fields, false) }.write(line);
        line.close();
    }

    fn spans(&self, line: &mut Line<'_>, record: &Record, key: &str, hides_traceparent: bool) {
        let mut separator = b'[';
        for span in outermost_first(record) {
            if separator == b'[' {
                line.key(key);
            }
            line.byte(separator);
            self.span(line, span, hides_traceparent);
            separator = b',';
        }
        if separator == b',' {
            line.byte(b']');
        }
    }

    fn span(&self, line: &mut Line<'_>, span: SpanView<'_>, hides_traceparent: bool) {
        line.open();
        line.key("name");
        line.string(span.name());
        Object { span: Some(span), ..Object::empty(&self.reserved_in_spans, hides_traceparent) }.write(line);
        line.close();
    }
}

// Functions of their own, so that the compiler does not prepare for all of them before each line.

#[inline(never)]
fn time(line: &mut Line<'_>, time: &Time, record: &Record) {
    line.part(|digits| time.put(record.time(), digits));
}

#[inline(never)]
fn target(line: &mut Line<'_>, record: &Record) {
    line.escaped(record.target());
}

#[inline(never)]
fn message(line: &mut Line<'_>, record: &Record) {
    line.escaped(record.message());
}

#[inline]
fn write_level(line: &mut Line<'_>, severity: Severity) {
    match severity.name() {
        Some(name) => line.raw(name),
        None => {
            line.raw("Level ");
            number(line, severity.number());
        }
    }
}

fn number(line: &mut Line<'_>, number: impl itoa::Integer) {
    line.raw(itoa::Buffer::new().format(number));
}

/// Ids, and the span that knows them.
type Traced<'a> = (TraceParent, SpanView<'a>);

#[inline(never)]
fn unusual_ids(line: &mut Line<'_>, keys: &[Option<String>], trace: TraceParent) {
    let [trace_id, span_id, flags] = keys else { return };
    if let Some(key) = trace_id {
        line.key(key);
        let [a, b] = quads((trace.trace_id() >> 64) as u64);
        let [c, d] = quads(trace.trace_id() as u64);
        line.hex(&[a, b, c, d], 32);
    }
    if let Some(key) = span_id {
        line.key(key);
        line.hex(&quads(trace.span_id()), 16);
    }
    if let Some(key) = flags {
        line.key(key);
        line.hex(&[hex_digits(u32::from(trace.flags()) << 24)], 2);
    }
}

/// With the usual keys: one text, in which only the digits are exchanged.
fn usual_ids(trace: TraceParent) -> IdsText {
    let mut text =
        *br#","trace_id":"00000000000000000000000000000000","span_id":"0000000000000000","trace_flags":"00""#;
    text[13..29].copy_from_slice(quads((trace.trace_id() >> 64) as u64).as_flattened());
    text[29..45].copy_from_slice(quads(trace.trace_id() as u64).as_flattened());
    text[58..74].copy_from_slice(quads(trace.span_id()).as_flattened());
    text[91..93].copy_from_slice(&hex_digits(u32::from(trace.flags()) << 24)[..2]);
    text
}

fn quads(number: u64) -> [[u8; 8]; 2] {
    [hex_digits((number >> 32) as u32), hex_digits(number as u32)]
}

fn optional(line: &mut Line<'_>, key: Option<&str>, text: Option<&str>) {
    if let (Some(key), Some(text)) = (key, text) {
        line.key(key);
        line.string(text);
    }
}
