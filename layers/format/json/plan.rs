//! The plan that writes records: steps, computed once from the options.

use super::{
    Key, Member, Options, any,
    object::{Object, Reserved, Sources},
    parts::{
        Traced, collect_sites, default_ids, fallback, global, ids_with_keys, message, nanos, site, stack, time,
        value_of, write_site,
    },
    schema::{Owner, SCOPE_FIELDS, Schema},
    steps::{CompiledSteps, Part, RestMember, Step, steps},
    value::value,
};
use tracing_core::Metadata;

use crate::{
    Record, Severity, Value,
    format::{
        callsite_cache::{Callsite, CallsiteCache},
        line::{Fragment, Line},
        outermost_first,
    },
    record::{Entry, ErrorChain, SpanView, Tag},
};

/// Steps in order, and the keys that they must avoid.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    /// The objects that have the remaining fields.
    rests: Vec<Sources>,
    /// The index of the one with the event's fields.
    event_rest: usize,
    in_fields: Sources,
    in_context: Sources,
    in_span: Sources,
    /// Names of global fields that have a member of their own.
    pub(super) moved: Reserved,
    writes_trace: bool,
    writes_error: bool,
    writes_stack: bool,
    hides_traceparent: bool,
    /// Whether the object may still be empty at the first optional step.
    starts_empty: bool,
    callsites: CallsiteCache,
    /// The constant fields and the end of the object: after other members, and as the only ones.
    endings: [Fragment; 2],
}

/// The record that is written, and what is known of it.
pub(super) struct RecordState<'a> {
    pub(super) plan: &'a Plan,
    pub(super) options: &'a Options,
    pub(super) record: &'a Record,
    pub(super) trace: Option<Traced<'a>>,
    /// The event's first error, if a member shows it.
    pub(super) error: Option<Entry<'a>>,
    /// The field `error.backtrace` beside an `error`, if a member shows the stack.
    pub(super) backtrace: Option<Entry<'a>>,
    pub(super) callsite: Option<&'a Callsite>,
}

impl RecordState<'_> {
    #[inline]
    fn is_unnamed(&self) -> bool {
        self.callsite.is_some_and(|callsite| !callsite.is_named) && !self.record.has_own_name()
    }

    /// Whether spans are written without `traceparent`, because the trace ids are written.
    #[inline]
    pub(super) fn hides_traceparent(&self) -> bool {
        self.plan.hides_traceparent && self.trace.is_some()
    }

    /// Whether a span may be in a trace.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.trace.is_some() || !self.plan.writes_trace
    }

    pub(super) fn chain(&self) -> Option<ErrorChain<'_>> {
        self.error.and_then(|entry| entry.value().as_error())
    }
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let schema = Schema::new(options);
        let CompiledSteps { mut steps, starts_empty, rests } = steps(&schema, options);
        // The end is one text.
        let last = match steps.last() {
            Some(Step { part: Part::Literal, .. }) => steps.pop().map(|last| last.open),
            _ => None,
        }
        .unwrap_or_default();
        let endings = |is_first| {
            Fragment::of(is_first, |line| {
                line.raw_bytes(last.text());
                for (name, (_, of)) in schema.fixed.iter().zip(options.fixed.iter()).filter(|_| schema.fixed_scope == 0)
                {
                    line.key(name);
                    value(line, of);
                }
                line.close();
            })
        };
        let own = |scope| {
            let own = [(false, false), (true, false), (false, true), (true, true)];
            own.map(|(has_trace, has_error)| Reserved::new(schema.reserved(scope, has_trace, has_error)))
        };
        let (has_fields, has_context) = (schema.has(Owner::Fields), schema.has(Owner::Context));
        let sources = |rest: RestMember| {
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
        let has = |key| schema.has(Owner::Key(key));
        let mut plan = Self {
            event_rest: rests.iter().position(|rest| rest.event).unwrap_or_default(),
            rests,
            in_fields: Sources { event: true, own: own(SCOPE_FIELDS), ..Sources::default() },
            in_context: Sources { spans: true, ..Sources::default() },
            in_span: Sources { own: [(); 4].map(|()| Reserved::new(["name".to_owned()])), ..Sources::default() },
            moved: Reserved::new(schema.moved()),
            writes_trace: Key::ALL.iter().any(|key| key.is_of_trace() && has(*key)),
            writes_error: Key::ALL.iter().any(|key| key.is_of_error() && has(*key)),
            writes_stack: has(Key::ErrorStack),
            hides_traceparent: has(Key::TraceId) && has(Key::SpanId),
            steps,
            starts_empty,
            callsites: CallsiteCache::default(),
            endings: [endings(false), endings(true)],
        };
        plan.steps = plan.with_constant_lists(options);
        plan
    }

    /// The steps; where lists of pairs are of the application only, with what they are in records without global fields.
    fn with_constant_lists(&self, options: &Options) -> Vec<Step> {
        let record = Record::default();
        let state = self.state(options, &record);
        let is_constant = |part: Part| match part {
            Part::Global(..) | Part::IfGlobals | Part::Fixed => true,
            Part::Flat(index) => self.rests.get(index).is_some_and(|sources| !sources.event && !sources.spans),
            _ => false,
        };
        let with_constant = |mut step: Step| {
            if matches!(step.part, Part::Attributes) && step.inner.iter().all(|step| is_constant(step.part)) {
                step.fallback = Fragment::of(false, |line| self.attributes(line, &step, &state));
            }
            step
        };
        self.steps.iter().cloned().map(with_constant).collect()
    }

    /// What is known of a record at first.
    #[inline(always)]
    fn state<'a>(&'a self, options: &'a Options, record: &'a Record) -> RecordState<'a> {
        let callsite = self.callsites.of(record, |site| self.callsite(site));
        RecordState { plan: self, options, record, trace: None, error: None, backtrace: None, callsite }
    }

    #[inline]
    pub(super) fn write(&self, options: &Options, record: &Record, out: &mut Vec<u8>) {
        let mut line = Line::new(out, self.starts_empty);
        let mut state = self.state(options, record);
        // Assigned here only: most records have none, and nothing is copied for them.
        if self.writes_trace {
            if let Some(traced) = record.traced_span() {
                state.trace = Some(traced);
            }
        }
        if self.writes_error {
            self.find_error(&mut state);
        }
        self.line(&mut line, &state);
        line.finish();
    }

    #[inline]
    fn line(&self, line: &mut Line<'_>, state: &RecordState<'_>) {
        let steps = match self.steps.as_slice() {
            [
                first @ Step { part: Part::Time, .. },
                second @ Step { part: Part::Site(index), .. },
                Step { part: Part::Message, .. },
                steps @ ..,
            ] => {
                // The same as `steps`, unrolled: nearly every line begins so.
                line.fragment(&first.open);
                time(line, &state.options.time, state.record);
                site(line, &second.inner, *index, state);
                line.escaped(state.record.message());
                steps
            }
            [
                list @ Step { part: Part::Attributes, .. },
                first @ Step { part: Part::Site(of_first), .. },
                Step { part: Part::Nanos, .. },
                second @ Step { part: Part::Site(of_second), .. },
                Step { part: Part::Message, .. },
                steps @ ..,
            ] => {
                // So does one of OTLP.
                line.fragment(&list.open);
                self.attributes(line, list, state);
                site(line, &first.inner, *of_first, state);
                nanos(line, state.record);
                site(line, &second.inner, *of_second, state);
                line.escaped(state.record.message());
                steps
            }
            steps => steps,
        };
        match steps {
            [ids @ Step { part: Part::DefaultTrace | Part::Trace, .. }, Step { part: Part::Flat(index), .. }] => {
                line.fragment(&ids.open);
                self.ids(line, ids, state);
                self.flat(line, *index, state);
            }
            [
                ids @ Step { part: Part::Trace, .. },
                name @ Step { part: Part::Value(Key::EventName), .. },
                list @ Step { part: Part::Attributes, .. },
            ] if name.open.text().is_empty() => {
                line.fragment(&ids.open);
                self.ids(line, ids, state);
                if !state.is_unnamed() {
                    self.other_step(line, name, state);
                }
                line.fragment(&list.open);
                self.attributes(line, list, state);
            }
            steps => self.steps(line, steps, state),
        }
        line.fragment(&self.endings[usize::from(line.is_first())]);
    }

    #[inline(never)]
    fn find_error(&self, state: &mut RecordState<'_>) {
        let fields = state.record.fields();
        state.error = fields.first_error();
        if let Some(error) = state.error.filter(|_| self.writes_stack) {
            let is_its = |entry: &Entry<'_>| entry.text().strip_prefix(error.text()) == Some(".backtrace");
            state.backtrace = fields.entries().find(|entry| is_its(entry) && entry.value().as_str().is_some());
        }
    }

    /// The parts that are the same for all records of a call site.
    fn callsite(&self, metadata: &'static Metadata<'static>) -> Callsite {
        let mut sites = Vec::new();
        collect_sites(&self.steps, &mut sites);
        let text = |steps: &[Step]| {
            Fragment::of(false, |line| write_site(line, steps, Severity::from(metadata.level()), metadata.target()))
        };
        let mut texts = sites.into_iter().map(text);
        let first = texts.next().unwrap_or_default();
        let event_rest = self.rests.get(self.event_rest);
        let is_pairs = event_rest.is_some_and(|sources| sources.is_pairs);
        let name = |name| if is_pairs { any::key_fragment(name) } else { Fragment::of(false, |line| line.key(name)) };
        let mut callsite = Callsite::new(metadata, first, name).with_more(texts);
        if let Some(Sources { own: [.., most], .. }) = event_rest {
            // Reserved names are checked for each record.
            let reserved = callsite.names.iter_mut().filter(|(of, _)| most.contains(Tag::of(of), of));
            reserved.for_each(|expected| *expected = ("", name("")));
        }
        callsite
    }

    #[inline(never)]
    fn steps(&self, line: &mut Line<'_>, steps: &[Step], state: &RecordState<'_>) {
        for step in steps {
            line.fragment(&step.open);
            match step.part {
                Part::Literal => {}
                Part::Time => time(line, &state.options.time, state.record),
                Part::Site(index) => site(line, &step.inner, index, state),
                Part::Nanos => nanos(line, state.record),
                Part::Message => message(line, state.record),
                Part::Trace | Part::DefaultTrace => self.ids(line, step, state),
                Part::Flat(index) => self.flat(line, index, state),
                Part::IfError if state.error.is_none() => {}
                Part::Value(Key::EventName) if state.is_unnamed() => {}
                Part::IfGlobals if state.record.globals().is_none() && !line.is_first() => {
                    line.raw_bytes(step.fallback.text());
                }
                Part::IfError | Part::IfGlobals => self.steps(line, &step.inner, state),
                _ => self.other_step(line, step, state),
            }
        }
    }

    #[inline(always)]
    fn ids(&self, line: &mut Line<'_>, step: &Step, state: &RecordState<'_>) {
        let Some((trace, span)) = state.trace else { return };
        if matches!(step.part, Part::DefaultTrace) && !line.is_first() {
            line.array(&span.cached_ids(trace, || default_ids(trace)));
        } else {
            ids_with_keys(line, &step.inner, trace);
        }
    }

    #[inline(always)]
    fn flat(&self, line: &mut Line<'_>, index: usize, state: &RecordState<'_>) {
        let Some(sources) = self.rests.get(index) else { return };
        let names: &[_] = match state.callsite {
            Some(callsite) if index == self.event_rest && state.error.is_none() => &callsite.names,
            _ => &[],
        };
        Object::new(state, sources).write(line, names);
    }

    /// Steps that a default line does not have; apart, so that the loop above stays small.
    #[inline(never)]
    fn other_step(&self, line: &mut Line<'_>, step: &Step, state: &RecordState<'_>) {
        let (record, key) = (state.record, &step.key);
        match step.part {
            Part::Comma => line.comma(),
            Part::OtherTime => state.options.time.write(record.time(), line),
            Part::Plain(key) => match value_of(key, state) {
                Some(Value::Str(text)) => line.escaped(text),
                Some(number) => value(line, number),
                None => {}
            },
            Part::Value(of) => {
                if let Some(of) = value_of(of, state) {
                    line.key_fragment(key);
                    value(line, of);
                }
            }
            Part::Quoted(of) => {
                if let Some(of) = value_of(of, state) {
                    line.key_fragment(key);
                    line.byte(b'"');
                    value(line, of);
                    line.byte(b'"');
                }
            }
            Part::Global(first, others) => match global(record, first, others) {
                Some(of) => {
                    line.key_fragment(key);
                    value(line, of);
                }
                None => fallback(line, step),
            },
            Part::Fixed => fallback(line, step),
            Part::ErrorStack => {
                if let Some(chain) = state.chain() {
                    line.key_fragment(key);
                    stack(line, chain, state);
                }
            }
            Part::Attributes => self.attributes(line, step, state),
            Part::Object | Part::List => self.object(line, step, state),
            Part::Fields => self.fields(line, key, state),
            Part::Context => {
                line.open();
                Object::new(state, &self.in_context).write(line, &[]);
                line.close();
            }
            Part::Span => {
                if let Some(span) = record.spans().next() {
                    line.key_fragment(key);
                    self.span(line, span, state);
                }
            }
            Part::Spans => self.spans(line, key, state),
            // Written above, or inside others.
            _ => {}
        }
    }

    /// An object; nothing if it is empty.
    fn object(&self, line: &mut Line<'_>, step: &Step, state: &RecordState<'_>) {
        let (start, was_first) = (line.len(), line.is_first());
        let is_list = matches!(step.part, Part::List);
        line.key_fragment(&step.key);
        if is_list {
            line.byte(b'[');
        }
        line.open();
        self.steps(line, &step.inner, state);
        if line.is_first() {
            return line.rewind(start, was_first);
        }
        line.close();
        if is_list {
            line.byte(b']');
        }
    }

    /// A list of key-value pairs.
    #[inline(always)]
    fn attributes(&self, line: &mut Line<'_>, step: &Step, state: &RecordState<'_>) {
        if state.record.globals().is_none() && !step.fallback.text().is_empty() {
            return line.fragment(&step.fallback);
        }
        line.open_list();
        self.pairs(line, &step.inner, state);
        line.close_list();
    }

    /// The items of a list of key-value pairs.
    #[inline(never)]
    fn pairs(&self, line: &mut Line<'_>, steps: &[Step], state: &RecordState<'_>) {
        for step in steps {
            let of = match step.part {
                Part::Flat(index) => {
                    self.flat(line, index, state);
                    continue;
                }
                Part::IfError if state.error.is_none() => continue,
                Part::IfGlobals if state.record.globals().is_none() && step.fallback.text().is_empty() => continue,
                Part::IfError | Part::IfGlobals => {
                    self.pairs(line, &step.inner, state);
                    continue;
                }
                Part::ErrorStack => {
                    if let Some(chain) = state.chain() {
                        line.key_fragment(&step.key);
                        line.raw("\"stringValue\":");
                        stack(line, chain, state);
                        line.array(b"}}");
                    }
                    continue;
                }
                Part::Value(Key::EventName) if state.is_unnamed() => None,
                Part::Value(of) => value_of(of, state),
                Part::Global(first, others) => global(state.record, first, others),
                _ => None,
            };
            match of {
                Some(of) => {
                    line.key_fragment(&step.key);
                    any::any_and_end(line, of);
                }
                None => fallback(line, step),
            }
        }
    }

    fn fields(&self, line: &mut Line<'_>, message: &Fragment, state: &RecordState<'_>) {
        line.open();
        if !message.text().is_empty() && !state.record.message().is_empty() {
            line.key_fragment(message);
            line.string(state.record.message());
        }
        Object::new(state, &self.in_fields).write(line, &[]);
        line.close();
    }

    fn spans(&self, line: &mut Line<'_>, key: &Fragment, state: &RecordState<'_>) {
        let mut separator = b'[';
        for span in outermost_first(state.record) {
            if separator == b'[' {
                line.key_fragment(key);
            }
            line.byte(separator);
            self.span(line, span, state);
            separator = b',';
        }
        if separator == b',' {
            line.byte(b']');
        }
    }

    fn span(&self, line: &mut Line<'_>, span: SpanView<'_>, state: &RecordState<'_>) {
        line.open();
        line.key("name");
        line.string(span.name());
        Object { span: Some(span), ..Object::new(state, &self.in_span) }.write(line, &[]);
        line.close();
    }
}
