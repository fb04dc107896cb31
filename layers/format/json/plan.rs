//! From the options to the steps that write one record.

use super::{
    Key, Options, What,
    heads::{Head, Heads},
    line::{Line, Piece, hex_digits},
    object::{Object, Reserved},
    value::value,
};
use crate::{
    Record, Severity,
    format::{Time, outermost_first},
    record::{SpanView, TraceParent},
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

#[derive(Clone, Debug)]
struct Step {
    /// Written before: the end of the string before, and the key where the part is always there.
    open: Piece,
    part: Part,
    /// What the part writes itself.
    keys: Vec<Option<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// Nothing but what is before it.
    Literal,
    /// The comma that is needed if something is before it.
    Comma,
    /// Of the calendar.
    Time,
    OtherTime,
    Level,
    LowerLevel,
    Target,
    Message,
    LevelNumber,
    ProcessId,
    ProcessName,
    ThreadId,
    Fields,
    Context,
    Flat,
    // Those that not every record has; they write their keys themselves.
    Trace,
    EventName,
    File,
    Line,
    ModulePath,
    ThreadName,
    Span,
    Spans,
}

/// What can stand in a record, in an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Own(Key),
    Trace,
    Fields,
    Context,
    Flat,
}

const ORDER: &[Place] = &[
    Place::Own(Key::Timestamp),
    Place::Own(Key::Level),
    Place::Own(Key::LevelNumber),
    Place::Own(Key::Target),
    Place::Own(Key::Message),
    Place::Trace,
    Place::Own(Key::EventName),
    Place::Own(Key::File),
    Place::Own(Key::Line),
    Place::Own(Key::ModulePath),
    Place::Own(Key::ThreadName),
    Place::Own(Key::ThreadId),
    Place::Own(Key::ProcessName),
    Place::Own(Key::ProcessId),
    Place::Fields,
    Place::Own(Key::Span),
    Place::Own(Key::Spans),
    Place::Context,
    Place::Flat,
];

const FIELDS_BEFORE_TARGET: &[Place] = &[
    Place::Own(Key::Timestamp),
    Place::Own(Key::Level),
    Place::Own(Key::LevelNumber),
    Place::Fields,
    Place::Own(Key::Target),
    Place::Trace,
    Place::Own(Key::EventName),
    Place::Own(Key::File),
    Place::Own(Key::Line),
    Place::Own(Key::ModulePath),
    Place::Own(Key::Span),
    Place::Own(Key::Spans),
    Place::Own(Key::ThreadName),
    Place::Own(Key::ThreadId),
    Place::Own(Key::ProcessName),
    Place::Own(Key::ProcessId),
    Place::Context,
    Place::Flat,
];

const TRACE: [Key; 3] = [Key::TraceId, Key::SpanId, Key::TraceFlags];

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let names = Names::new(options);
        let is_given = |what| names.get(what).is_some();
        let mut writer = Writer::new(&names, options);
        let order = if options.message_in_fields { FIELDS_BEFORE_TARGET } else { ORDER };
        order.iter().for_each(|place| writer.place(*place));
        let (steps, starts_empty) = writer.finish();
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
        let trace = if self.writes_trace { record.trace() } else { None };
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
                let head = self.heads.of(record, |metadata| Head::new(metadata, between));
                match head {
                    Some(head) => {
                        line.text(&head.text);
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
                    ids(line, &ids_of_trace.keys, trace);
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
        trace: Option<TraceParent>,
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
                        ids(line, &step.keys, trace);
                    }
                }
                Part::Flat => self.flat(line, record, names, trace.is_some(), hides),
                _ => self.rare(step, options, record, line, hides),
            }
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

#[inline(never)]
fn ids(line: &mut Line<'_>, keys: &[Option<String>], trace: TraceParent) {
    let [trace_id, span_id, flags] = keys else { return };
    let quads = |number: u64| [hex_digits((number >> 32) as u32), hex_digits(number as u32)];
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

fn optional(line: &mut Line<'_>, key: Option<&str>, text: Option<&str>) {
    if let (Some(key), Some(text)) = (key, text) {
        line.key(key);
        line.string(text);
    }
}

// --- making the plan

/// Which key has which name, settled: the option that was set last has the name it asked for.
struct Names {
    given: Vec<(What, String)>,
}

impl Names {
    fn new(options: &Options) -> Self {
        let claimed = |what: &What| options.claims.iter().any(|(other, _)| other == what);
        let by_default = Key::ALL.iter().map(|key| (What::Key(*key), key.default_name()));
        let by_default = by_default.filter(|(what, _)| !claimed(what));
        let claims = by_default.chain(options.claims.iter().map(|(what, name)| (*what, name.as_str())));
        let claims: Vec<_> = claims.filter(|(what, _)| options.is_on(*what)).collect();
        let mut given: Vec<(What, String)> = Vec::with_capacity(claims.len());
        for (what, name) in claims.into_iter().rev() {
            let mut name = name.to_owned();
            let is_rival = |other: What| options.is_inside_fields(other) == options.is_inside_fields(what);
            while given.iter().any(|(other, taken)| is_rival(*other) && *taken == name) {
                name.push('_');
            }
            given.push((what, name));
        }
        Self { given }
    }

    fn get(&self, what: What) -> Option<&str> {
        self.given.iter().find(|(other, _)| *other == what).map(|(_, name)| name.as_str())
    }

    fn owned(&self, what: What) -> Option<String> {
        self.get(what).map(str::to_owned)
    }
}

/// Joins what is constant between two parts into one text.
struct Writer<'a> {
    names: &'a Names,
    options: &'a Options,
    steps: Vec<Step>,
    pending: Vec<u8>,
    /// The last part was a string, whose quote is due.
    in_string: bool,
    members: Members,
    /// Whether there were none when that was first asked for.
    starts_empty: Option<bool>,
}

/// Whether the object has members by now.
#[derive(PartialEq)]
enum Members {
    None,
    Perhaps,
    Some,
}

impl<'a> Writer<'a> {
    fn new(names: &'a Names, options: &'a Options) -> Self {
        let pending = vec![b'{'];
        let members = Members::None;
        Self { names, options, steps: Vec::new(), pending, in_string: false, members, starts_empty: None }
    }

    fn place(&mut self, place: Place) {
        match place {
            Place::Own(own) => self.own(own),
            Place::Flat => self.sometimes(Part::Flat, Vec::new()),
            Place::Context => self.always(What::Context, Part::Context, false),
            Place::Fields => {
                self.always(What::Fields, Part::Fields, false);
                let message = What::Key(Key::Message);
                if self.options.is_inside_fields(message)
                    && let Some(step) = self.steps.last_mut()
                {
                    step.keys.push(self.names.owned(message));
                }
            }
            Place::Trace => {
                let keys: Vec<_> = TRACE.iter().map(|id| self.names.owned(What::Key(*id))).collect();
                if keys.iter().any(Option::is_some) {
                    self.sometimes(Part::Trace, keys);
                }
            }
        }
    }

    fn own(&mut self, own: Key) {
        let (what, time) = (What::Key(own), &self.options.time);
        match own {
            Key::Timestamp if time.is_calendar() => self.always(what, Part::Time, true),
            Key::Timestamp => self.always(what, Part::OtherTime, !time.is_number()),
            Key::Level if self.options.lower_case => self.always(what, Part::LowerLevel, true),
            Key::Level => self.always(what, Part::Level, true),
            Key::Target => self.always(what, Part::Target, true),
            Key::Message if self.options.is_inside_fields(what) => {}
            Key::Message => self.always(what, Part::Message, true),
            Key::ProcessName => self.always(what, Part::ProcessName, true),
            Key::LevelNumber => self.always(what, Part::LevelNumber, false),
            Key::ProcessId => self.always(what, Part::ProcessId, false),
            Key::ThreadId => self.always(what, Part::ThreadId, false),
            // Written together, by `Place::Trace`.
            Key::TraceId | Key::SpanId | Key::TraceFlags => {}
            Key::EventName => self.optional(what, Part::EventName),
            Key::File => self.optional(what, Part::File),
            Key::Line => self.optional(what, Part::Line),
            Key::ModulePath => self.optional(what, Part::ModulePath),
            Key::ThreadName => self.optional(what, Part::ThreadName),
            Key::Span => self.optional(what, Part::Span),
            Key::Spans => self.optional(what, Part::Spans),
        }
    }

    /// A member that every record has.
    fn always(&mut self, what: What, part: Part, is_string: bool) {
        let Some(name) = self.names.get(what) else { return };
        let key = Piece::of(true, |line| line.key(name));
        self.end_string();
        match self.members {
            Members::None => {}
            Members::Perhaps => self.step(Part::Comma, Vec::new()),
            Members::Some => self.pending.push(b','),
        }
        self.pending.extend_from_slice(key.text());
        if is_string {
            self.pending.push(b'"');
        }
        self.step(part, Vec::new());
        self.in_string = is_string;
        self.members = Members::Some;
    }

    fn optional(&mut self, what: What, part: Part) {
        if let Some(key) = self.names.owned(what) {
            self.sometimes(part, vec![Some(key)]);
        }
    }

    /// Members that some records have.
    fn sometimes(&mut self, part: Part, keys: Vec<Option<String>>) {
        self.end_string();
        self.step(part, keys);
        self.starts_empty.get_or_insert(self.members == Members::None);
        if self.members == Members::None {
            self.members = Members::Perhaps;
        }
    }

    fn end_string(&mut self) {
        if std::mem::take(&mut self.in_string) {
            self.pending.push(b'"');
        }
    }

    fn step(&mut self, part: Part, keys: Vec<Option<String>>) {
        let open = std::mem::take(&mut self.pending).into();
        self.steps.push(Step { open, part, keys });
    }

    fn finish(mut self) -> (Vec<Step>, bool) {
        self.end_string();
        if !self.pending.is_empty() {
            self.step(Part::Literal, Vec::new());
        }
        (self.steps, self.starts_empty.unwrap_or(false))
    }
}
