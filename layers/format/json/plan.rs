//! The steps that write one record.

use super::{
    Key, Member, Options, any,
    object::{Object, Reserved, Sources},
    rows::{IN_FIELDS, Rows, What},
    steps::{Id, Part, Rest, Step, Steps, steps},
    value::value,
};
use tracing_core::Metadata;

use crate::{
    Record, Severity, Value,
    format::{
        Time,
        heads::{Head, Heads},
        line::{Line, Piece, hex_digits},
        outermost_first,
    },
    record::{Entry, ErrorChain, IdsText, SpanView, Tag, TraceParent},
};

/// Steps in the order in which they are taken, and what they need to know about names.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// Where the remaining fields are.
    rests: Vec<Sources>,
    /// Which of them has the event's.
    of_event: usize,
    in_fields: Sources,
    in_context: Sources,
    in_span: Sources,
    /// Names of global fields that stand in a place of their own.
    pub(super) moved: Reserved,
    writes_trace: bool,
    writes_error: bool,
    writes_stack: bool,
    hides_traceparent: bool,
    /// Whether the first step that asks stands where the object may still be empty.
    starts_empty: bool,
    heads: Heads,
    /// The static fields and the end: after other members, and as the only ones.
    tail: [Piece; 2],
}

/// What is known of the record that is written.
pub(super) struct Now<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    pub(super) record: &'a Record,
    pub(super) trace: Option<Traced<'a>>,
    /// The event's first error, where it stands apart.
    pub(super) error: Option<Entry<'a>>,
    /// The field `error.backtrace` beside an `error`, where its stack is written.
    pub(super) backtrace: Option<Entry<'a>>,
    head: Option<&'a Head>,
}

impl Now<'_> {
    #[inline]
    fn is_unnamed(&self) -> bool {
        self.head.is_some_and(|head| !head.is_named) && !self.record.has_own_name()
    }

    /// Whether `traceparent` is left out of spans, because its parts are written.
    #[inline]
    pub(super) fn hides_traceparent(&self) -> bool {
        self.plan.hides_traceparent && self.trace.is_some()
    }

    /// Whether a span may be in a trace.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.trace.is_some() || !self.plan.writes_trace
    }

    fn chain(&self) -> Option<ErrorChain<'_>> {
        self.error.and_then(|entry| entry.value().as_error())
    }
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let rows = Rows::new(options);
        let Steps { steps, starts_empty, rests } = steps(&rows, options);
        let tail = |is_first| {
            Piece::of(is_first, |line| {
                for (name, (_, of)) in rows.fixed.iter().zip(options.fixed.iter()).filter(|_| rows.fixed_scope == 0) {
                    line.key(name);
                    value(line, of);
                }
                line.close();
            })
        };
        let own = |scope| {
            let own = [(false, false), (true, false), (false, true), (true, true)];
            own.map(|(has_trace, has_error)| Reserved::new(rows.reserved(scope, has_trace, has_error)))
        };
        let (has_fields, has_context) = (rows.has(What::Fields), rows.has(What::Context));
        let sources = |rest: Rest| {
            let of_record = !matches!(rest.member, Member::RestOfGlobals);
            Sources {
                event: of_record && !has_fields,
                spans: of_record && !has_context && !options.span_list,
                globals: !matches!(rest.member, Member::RestOfRecord),
                resource: !of_record,
                hides_error: true,
                is_pairs: rest.is_pairs,
                own: own(rest.scope),
            }
        };
        let rests: Vec<_> = rests.into_iter().map(sources).collect();
        let has = |key| rows.has(What::Key(key));
        Self {
            of_event: rests.iter().position(|rest| rest.event).unwrap_or_default(),
            rests,
            in_fields: Sources { event: true, own: own(IN_FIELDS), ..Sources::default() },
            in_context: Sources { spans: true, ..Sources::default() },
            in_span: Sources { own: [(); 4].map(|()| Reserved::new(["name".to_owned()])), ..Sources::default() },
            moved: Reserved::new(rows.moved()),
            writes_trace: Key::ALL.iter().any(|key| key.is_of_trace() && has(*key)),
            writes_error: Key::ALL.iter().any(|key| key.is_of_error() && has(*key)),
            writes_stack: has(Key::ErrorStack),
            hides_traceparent: has(Key::TraceId) && has(Key::SpanId),
            steps,
            starts_empty,
            heads: Heads::default(),
            tail: [tail(false), tail(true)],
        }
    }

    #[inline]
    pub(super) fn write(&self, options: &Options, record: &Record, out: &mut Vec<u8>) {
        let mut line = Line::new(out, self.starts_empty);
        let head = self.heads.of(record, |site| self.head(site));
        let mut now = Now { plan: self, options, record, trace: None, error: None, backtrace: None, head };
        // Not made elsewhere and copied for the many that have none.
        if self.writes_trace
            && let Some(traced) = record.traced_span()
        {
            now.trace = Some(traced);
        }
        if self.writes_error {
            self.find_error(&mut now);
        }
        self.line(&mut line, &now);
        line.finish();
    }

    #[inline]
    fn line(&self, line: &mut Line<'_>, now: &Now<'_>) {
        let steps = match self.steps.as_slice() {
            [
                first @ Step { part: Part::Time, .. },
                second @ Step { part: Part::Site(place), .. },
                Step { part: Part::Message, .. },
                steps @ ..,
            ] => {
                // The same as `steps`, without asking what comes next: so begins nearly every line.
                line.piece(&first.open);
                time(line, &now.options.time, now.record);
                site(line, &second.inner, *place, now);
                line.escaped(now.record.message());
                steps
            }
            steps => steps,
        };
        match steps {
            [ids @ Step { part: Part::UsualTrace | Part::Trace, .. }, Step { part: Part::Flat(place), .. }] => {
                line.piece(&ids.open);
                self.ids(line, ids, now);
                self.flat(line, *place, now);
            }
            steps => self.steps(line, steps, now),
        }
        line.piece(&self.tail[usize::from(line.is_first())]);
    }

    #[inline(never)]
    fn find_error(&self, now: &mut Now<'_>) {
        let fields = now.record.fields();
        now.error = fields.first_error();
        if let Some(error) = now.error.filter(|_| self.writes_stack) {
            let is_its = |entry: &Entry<'_>| entry.text().strip_prefix(error.text()) == Some(".backtrace");
            now.backtrace = fields.entries().find(|entry| is_its(entry) && entry.value().as_str().is_some());
        }
    }

    /// What is the same for all records of a call site.
    fn head(&self, metadata: &'static Metadata<'static>) -> Head {
        let mut sites = Vec::new();
        add_sites(&self.steps, &mut sites);
        let text = |steps: &[Step]| {
            Piece::of(false, |line| part_of_site(line, steps, Severity::from(metadata.level()), metadata.target()))
        };
        let mut texts = sites.into_iter().map(text);
        let first = texts.next().unwrap_or_default();
        let of_event = self.rests.get(self.of_event);
        let is_pairs = of_event.is_some_and(|sources| sources.is_pairs);
        let name = |name| if is_pairs { any::key_piece(name) } else { Piece::of(false, |line| line.key(name)) };
        let mut head = Head::new(metadata, first, name).and_texts(texts);
        if let Some(Sources { own: [.., most], .. }) = of_event {
            // They take a closer look.
            let reserved = head.names.iter_mut().filter(|(of, _)| most.contains(Tag::of(of), of));
            reserved.for_each(|likely| *likely = ("", name("")));
        }
        head
    }

    #[inline(never)]
    fn steps(&self, line: &mut Line<'_>, steps: &[Step], now: &Now<'_>) {
        for step in steps {
            line.piece(&step.open);
            match step.part {
                Part::Literal => {}
                Part::Time => time(line, &now.options.time, now.record),
                Part::Site(place) => site(line, &step.inner, place, now),
                Part::Message => message(line, now.record),
                Part::Trace | Part::UsualTrace => self.ids(line, step, now),
                Part::Flat(place) => self.flat(line, place, now),
                Part::IfError if now.error.is_none() => {}
                Part::Value(Key::EventName) if now.is_unnamed() => {}
                Part::IfGlobals if now.record.globals().is_none() && !line.is_first() => {
                    line.raw_bytes(step.otherwise.text());
                }
                Part::IfError | Part::IfGlobals => self.steps(line, &step.inner, now),
                _ => self.rare(line, step, now),
            }
        }
    }

    #[inline]
    fn ids(&self, line: &mut Line<'_>, step: &Step, now: &Now<'_>) {
        let Some((trace, span)) = now.trace else { return };
        if matches!(step.part, Part::UsualTrace) && !line.is_first() {
            line.array(&span.kept_ids(trace, || usual_ids(trace)));
        } else {
            unusual_ids(line, &step.inner, trace);
        }
    }

    #[inline(always)]
    fn flat(&self, line: &mut Line<'_>, place: usize, now: &Now<'_>) {
        let Some(sources) = self.rests.get(place) else { return };
        let names: &[_] = match now.head {
            Some(head) if place == self.of_event && now.error.is_none() => &head.names,
            _ => &[],
        };
        Object::new(now, sources).write(line, names);
    }

    /// What is not on in a default line; apart, so that the loop above stays small.
    #[inline(never)]
    fn rare(&self, line: &mut Line<'_>, step: &Step, now: &Now<'_>) {
        let (record, key) = (now.record, &step.key);
        match step.part {
            Part::Comma => line.comma(),
            Part::OtherTime => now.options.time.write_to(record.time(), line),
            Part::Nanos => Time::unix_nanos().write_to(record.time(), line),
            Part::Plain(key) => match value_of(key, now) {
                Some(Value::Str(text)) => line.escaped(text),
                Some(number) => value(line, number),
                None => {}
            },
            Part::Value(of) => {
                if let Some(of) = value_of(of, now) {
                    line.key_piece(key);
                    value(line, of);
                }
            }
            Part::Quoted(of) => {
                if let Some(of) = value_of(of, now) {
                    line.key_piece(key);
                    line.byte(b'"');
                    value(line, of);
                    line.byte(b'"');
                }
            }
            Part::Global(first, others) => match global(record, first, others) {
                Some(of) => {
                    line.key_piece(key);
                    value(line, of);
                }
                None => otherwise(line, step),
            },
            Part::Fixed => otherwise(line, step),
            Part::ErrorStack => {
                if let Some(chain) = now.chain() {
                    line.key_piece(key);
                    stack(line, chain, now);
                }
            }
            Part::Object | Part::List => self.object(line, step, now),
            Part::Attributes => {
                line.open_list();
                self.pairs(line, &step.inner, now);
                line.close_list();
            }
            Part::Fields => self.fields(line, key, now),
            Part::Context => {
                line.open();
                Object::new(now, &self.in_context).write(line, &[]);
                line.close();
            }
            Part::Span => {
                if let Some(span) = record.spans().next() {
                    line.key_piece(key);
                    self.span(line, span, now);
                }
            }
            Part::Spans => self.spans(line, key, now),
            // Above, or inside of others.
            _ => {}
        }
    }

    /// An object that is left out if it is empty.
    fn object(&self, line: &mut Line<'_>, step: &Step, now: &Now<'_>) {
        let (start, was_first) = (line.len(), line.is_first());
        let is_list = matches!(step.part, Part::List);
        line.key_piece(&step.key);
        if is_list {
            line.byte(b'[');
        }
        line.open();
        self.steps(line, &step.inner, now);
        if line.is_first() {
            return line.take_back(start, was_first);
        }
        line.close();
        if is_list {
            line.byte(b']');
        }
    }

    /// What is in a list of key-value pairs.
    fn pairs(&self, line: &mut Line<'_>, steps: &[Step], now: &Now<'_>) {
        for step in steps {
            let of = match step.part {
                Part::Flat(place) => {
                    self.flat(line, place, now);
                    continue;
                }
                Part::IfError if now.error.is_none() => continue,
                Part::IfGlobals if now.record.globals().is_none() && step.otherwise.text().is_empty() => continue,
                Part::IfError | Part::IfGlobals => {
                    self.pairs(line, &step.inner, now);
                    continue;
                }
                Part::ErrorStack => {
                    if let Some(chain) = now.chain() {
                        line.key_piece(&step.key);
                        line.raw("\"stringValue\":");
                        stack(line, chain, now);
                        line.array(b"}}");
                    }
                    continue;
                }
                Part::Value(Key::EventName) if now.is_unnamed() => None,
                Part::Value(of) => value_of(of, now),
                Part::Global(first, others) => global(now.record, first, others),
                _ => None,
            };
            match of {
                Some(of) => {
                    line.key_piece(&step.key);
                    any::any_and_end(line, of);
                }
                None => otherwise(line, step),
            }
        }
    }

    fn fields(&self, line: &mut Line<'_>, message: &Piece, now: &Now<'_>) {
        line.open();
        if !message.text().is_empty() && !now.record.message().is_empty() {
            line.key_piece(message);
            line.string(now.record.message());
        }
        Object::new(now, &self.in_fields).write(line, &[]);
        line.close();
    }

    fn spans(&self, line: &mut Line<'_>, key: &Piece, now: &Now<'_>) {
        let mut separator = b'[';
        for span in outermost_first(now.record) {
            if separator == b'[' {
                line.key_piece(key);
            }
            line.byte(separator);
            self.span(line, span, now);
            separator = b',';
        }
        if separator == b',' {
            line.byte(b']');
        }
    }

    fn span(&self, line: &mut Line<'_>, span: SpanView<'_>, now: &Now<'_>) {
        line.open();
        line.key("name");
        line.string(span.name());
        Object { span: Some(span), ..Object::new(now, &self.in_span) }.write(line, &[]);
        line.close();
    }
}

/// What a call site has of its own, or a record that is not like its call site.
#[inline]
fn site(line: &mut Line<'_>, steps: &[Step], place: usize, now: &Now<'_>) {
    match now.head.and_then(|head| head.text(place)) {
        Some(text) => line.raw_bytes(text.text()),
        None => part_of_site(line, steps, now.record.severity(), now.record.target()),
    }
}

#[inline(never)]
fn part_of_site(line: &mut Line<'_>, steps: &[Step], severity: Severity, target: &str) {
    for step in steps {
        line.piece(&step.open);
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

fn add_sites<'s>(steps: &'s [Step], sites: &mut Vec<&'s [Step]>) {
    for step in steps {
        match step.part {
            Part::Site(_) => sites.push(&step.inner),
            _ => add_sites(&step.inner, sites),
        }
    }
}

/// The last row that is not above it.
fn of_severity<T: Copy>(rows: &[(i32, T)], severity: Severity) -> Option<T> {
    rows.iter().rev().find(|(from, _)| *from <= severity.number()).map(|(_, of)| *of)
}

/// A single value of a record that has it.
fn value_of<'n>(key: Key, now: &'n Now<'_>) -> Option<Value<'n>> {
    let record = now.record;
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
            Key::ErrorType => now.chain()?.type_name()?,
            Key::ErrorMessage => now.chain()?.message(),
            _ => return None,
        }),
    })
}

/// The global field that stands under a key: that of its name, or else of another.
fn global<'r>(record: &'r Record, first: &str, others: &[&str]) -> Option<Value<'r>> {
    let globals = record.globals()?;
    globals.get(first).or_else(|| others.iter().find_map(|name| globals.get(name)))
}

/// What stands there in records that have nothing of their own.
fn otherwise(line: &mut Line<'_>, step: &Step) {
    if !step.otherwise.text().is_empty() {
        line.key_piece(&step.key);
        line.piece(&step.otherwise);
    }
}

/// The error with its type, its causes and its backtrace, one a line.
#[cold]
fn stack(line: &mut Line<'_>, chain: ErrorChain<'_>, now: &Now<'_>) {
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
    if let Some(text) = now.backtrace.and_then(|entry| entry.value().as_str()) {
        line.raw("\\n");
        line.escaped(text);
    }
    line.byte(b'"');
}

// Functions of their own, so that the compiler does not prepare for all of them before each line.

#[inline(never)]
fn time(line: &mut Line<'_>, time: &Time, record: &Record) {
    line.part(|digits| time.put(record.time(), digits));
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
pub(super) type Traced<'a> = (TraceParent, SpanView<'a>);

#[inline(never)]
fn unusual_ids(line: &mut Line<'_>, ids: &[Step], trace: TraceParent) {
    let (high, low) = ((trace.trace_id() >> 64) as u64, trace.trace_id() as u64);
    for step in ids {
        let Part::Id(id) = step.part else { continue };
        line.key_piece(&step.key);
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
