//! Compiles rows to steps.

use std::mem::discriminant;

use super::{
    Key, Member, Options, any,
    schema::{Row, SCOPE_FIELDS, Schema},
    value::value,
};
use crate::format::line::Fragment;

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Written before the part: the end of a string, and the key of a part that is always written.
    pub(super) open: Fragment,
    pub(super) part: Part,
    /// The key that the part itself writes, with a comma before it.
    pub(super) key: Fragment,
    /// Written with its key if the record has no value. May be empty.
    pub(super) fallback: Fragment,
    pub(super) inner: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Only `open`.
    Literal,
    /// A comma, unless the object is empty.
    Comma,
    /// A calendar time.
    Time,
    OtherTime,
    Nanos,
    Message,
    /// The steps inside are the same for all records of a call site. With its index.
    Site(usize),
    Level,
    LowerLevel,
    LevelName(&'static [(i32, &'static str)]),
    LevelNumber(&'static [(i32, i32)]),
    Target,
    /// A value that every record has.
    Plain(Key),
    Fields,
    Context,
    /// Remaining fields, by index in the plan.
    Flat(usize),
    Attributes,
    // Parts that not every record has; they write their own keys.
    /// Trace ids: the steps inside.
    Trace,
    /// The same, under the default keys.
    DefaultTrace,
    Id(Id),
    Value(Key),
    Quoted(Key),
    /// With its key and its other names.
    Global(&'static str, &'static [&'static str]),
    ErrorStack,
    Span,
    Spans,
    Object,
    List,
    /// The constant fields of an inner object.
    Fixed,
    /// Steps for records with an error.
    IfError,
    /// Steps for records with global fields; others get the fallback.
    IfGlobals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Trace,
    Span,
    Flags,
    /// The lower 64 bits in decimal.
    LowTrace,
    DecimalSpan,
    DecimalFlags,
    IsSampled,
}

impl Step {
    fn new(part: Part, inner: Vec<Step>) -> Self {
        Self { open: Fragment::default(), part, key: Fragment::default(), fallback: Fragment::default(), inner }
    }
}

/// A member for remaining fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestMember {
    pub(super) member: Member,
    pub(super) scope: usize,
    /// As key-value pairs.
    pub(super) is_pairs: bool,
}

/// The steps of the outermost object, without its end.
pub(super) struct CompiledSteps {
    pub(super) steps: Vec<Step>,
    /// Whether the object may still be empty at the first optional step.
    pub(super) starts_empty: bool,
    pub(super) rests: Vec<RestMember>,
}

pub(super) fn steps(schema: &Schema, options: &Options) -> CompiledSteps {
    let mut builder = StepBuilder::new(schema, options, b"{", Members::None);
    builder.scope(0);
    let starts_empty = builder.starts_empty.unwrap_or(false);
    let rests = std::mem::take(&mut builder.rests);
    let mut sites = 0;
    let steps = merged(builder.finish(), &mut sites);
    CompiledSteps { steps, starts_empty, rests }
}

/// Builds steps, and joins the constant text between two parts.
struct StepBuilder<'a> {
    schema: &'a Schema,
    options: &'a Options,
    steps: Vec<Step>,
    pending: Vec<u8>,
    /// The last part was a string, whose quote is not written yet.
    in_string: bool,
    members: Members,
    /// Whether there were none at the first optional step.
    starts_empty: Option<bool>,
    rests: Vec<RestMember>,
}

/// Whether the object has members so far.
#[derive(PartialEq)]
enum Members {
    None,
    Perhaps,
    Some,
}

impl<'a> StepBuilder<'a> {
    fn new(schema: &'a Schema, options: &'a Options, open: &[u8], members: Members) -> Self {
        let (steps, rests) = (Vec::new(), Vec::new());
        Self { schema, options, steps, pending: open.to_vec(), in_string: false, members, starts_empty: None, rests }
    }

    fn scope(&mut self, scope: usize) {
        for (index, row) in self.schema.of(scope) {
            self.row(index, row);
        }
        if scope > 0 && scope == self.schema.fixed_scope {
            self.fixed();
        }
    }

    fn row(&mut self, index: usize, row: &Row) {
        match row.member {
            Member::Key(Key::Message) if row.scope == SCOPE_FIELDS => {}
            Member::Key(key) => self.key(key, row),
            Member::Quoted(key) if key.is_always() => self.always(row, Part::Plain(key), true),
            Member::Quoted(key) => self.optional(Part::Quoted(key), row),
            Member::Decimal(key) => self.id(
                row,
                match key {
                    Key::TraceId => Id::LowTrace,
                    Key::SpanId => Id::DecimalSpan,
                    _ => Id::DecimalFlags,
                },
            ),
            Member::Nanos => self.always(row, Part::Nanos, true),
            Member::LevelName(names) => self.always(row, Part::LevelName(names), true),
            Member::LevelNumber(numbers) => self.always(row, Part::LevelNumber(numbers), false),
            Member::Text(text) => {
                self.begin(row);
                self.pending.extend_from_slice(Fragment::of(true, |line| line.string(text)).text());
            }
            Member::Number(number) => {
                self.begin(row);
                self.pending.extend_from_slice(number.to_string().as_bytes());
            }
            Member::Global(names) => {
                self.optional(Part::Global(row.table_name, names), row);
                self.fallback(row, names, false);
            }
            Member::Object(_) => self.object(index, row, ["{", "}"], Part::Object),
            Member::List(_) => self.object(index, row, ["[{", "}]"], Part::List),
            Member::Attributes(_) => {
                self.begin(row);
                self.step(Part::Attributes, Fragment::default());
                let inner = self.attributes(index + 1);
                if let Some(step) = self.steps.last_mut() {
                    step.inner = inner;
                }
            }
            Member::Fields => {
                self.always(row, Part::Fields, false);
                if let Some((_, message)) = self.schema.of(SCOPE_FIELDS).next() {
                    if let Some(step) = self.steps.last_mut() {
                        step.key = key_fragment(&message.name);
                    }
                }
            }
            Member::Context => self.always(row, Part::Context, false),
            Member::Rest | Member::RestOfRecord | Member::RestOfGlobals => {
                let flat = self.rest(row, false);
                self.optional(flat, row);
            }
            Member::Reserved => {}
        }
    }

    fn key(&mut self, key: Key, row: &Row) {
        let time = &self.options.time;
        match key {
            Key::Timestamp if time.is_calendar() => self.always(row, Part::Time, true),
            Key::Timestamp => self.always(row, Part::OtherTime, !time.is_number()),
            Key::Level if self.options.lower_case => self.always(row, Part::LowerLevel, true),
            Key::Level => self.always(row, Part::Level, true),
            Key::Target => self.always(row, Part::Target, true),
            Key::Message => self.always(row, Part::Message, true),
            Key::ProcessName => self.always(row, Part::Plain(key), true),
            Key::LevelNumber | Key::ProcessId | Key::ThreadId => self.always(row, Part::Plain(key), false),
            Key::TraceId => self.id(row, Id::Trace),
            Key::SpanId => self.id(row, Id::Span),
            Key::TraceFlags => self.id(row, Id::Flags),
            Key::TraceSampled => self.id(row, Id::IsSampled),
            Key::Span => self.optional(Part::Span, row),
            Key::Spans => self.optional(Part::Spans, row),
            Key::ErrorStack => self.optional(Part::ErrorStack, row),
            _ => self.optional(Part::Value(key), row),
        }
    }

    /// Adjacent ids are one step.
    fn id(&mut self, row: &Row, id: Id) {
        if !matches!(self.steps.last(), Some(Step { part: Part::Trace, .. })) || !self.pending.is_empty() {
            self.optional(Part::Trace, row);
        }
        let prefix = if id == Id::Trace { self.options.trace_prefix.as_str() } else { "" };
        let key = Fragment::of(false, |line| {
            line.key(&row.name);
            if !matches!(id, Id::DecimalFlags | Id::IsSampled) {
                line.byte(b'"');
                line.escaped(prefix);
            }
        });
        let step = Step { key, ..Step::new(Part::Id(id), Vec::new()) };
        if let Some(trace) = self.steps.last_mut() {
            trace.inner.push(step);
        }
    }

    /// Comma and key of a member that every record has.
    fn begin(&mut self, row: &Row) {
        self.end_string();
        match self.members {
            Members::None => {}
            Members::Perhaps => self.step(Part::Comma, Fragment::default()),
            Members::Some => self.pending.push(b','),
        }
        self.pending.extend_from_slice(Fragment::of(true, |line| line.key(&row.name)).text());
        self.members = Members::Some;
    }

    /// A member that every record has.
    fn always(&mut self, row: &Row, part: Part, is_string: bool) {
        self.begin(row);
        if is_string {
            self.pending.push(b'"');
        }
        self.step(part, Fragment::default());
        self.in_string = is_string;
    }

    /// A member that some records have.
    fn optional(&mut self, part: Part, row: &Row) {
        self.end_string();
        self.step(part, key_fragment(&row.name));
        self.starts_empty.get_or_insert(self.members == Members::None);
        if self.members == Members::None {
            self.members = Members::Perhaps;
        }
    }

    fn object(&mut self, index: usize, row: &Row, [open, close]: [&str; 2], part: Part) {
        if row.is_always(index, self.schema) {
            self.begin(row);
            self.pending.extend_from_slice(open.as_bytes());
            self.members = Members::None;
            self.scope(index + 1);
            self.end_string();
            self.pending.extend_from_slice(close.as_bytes());
            self.members = Members::Some;
        } else if self.schema.of(index + 1).next().is_some() {
            self.optional(part, row);
            let mut inner = StepBuilder::new(self.schema, self.options, b"", Members::Perhaps);
            inner.rests = std::mem::take(&mut self.rests);
            inner.scope(index + 1);
            self.rests = std::mem::take(&mut inner.rests);
            let inner = inner.finish();
            if let Some(step) = self.steps.last_mut() {
                step.inner = inner;
            }
        }
    }

    /// The items of a list of key-value pairs.
    fn attributes(&mut self, scope: usize) -> Vec<Step> {
        let mut inner = StepBuilder::new(self.schema, self.options, b"", Members::Perhaps);
        inner.rests = std::mem::take(&mut self.rests);
        for (_, row) in self.schema.of(scope) {
            let part = match row.member {
                Member::Key(Key::ErrorStack) => Part::ErrorStack,
                Member::Key(key) => Part::Value(key),
                Member::Global(names) => Part::Global(row.table_name, names),
                _ if row.is_rest() => inner.rest(row, true),
                // `Reserved` writes nothing; `checked` refuses others.
                _ => continue,
            };
            inner.step(part, any::key_fragment(&row.name));
            if let Member::Global(names) = row.member {
                inner.fallback(row, names, true);
            }
        }
        if scope == self.schema.fixed_scope {
            for (name, (_, of)) in self.schema.fixed.iter().zip(self.options.fixed.iter()) {
                inner.step(Part::Fixed, any::key_fragment(name));
                if let Some(step) = inner.steps.last_mut() {
                    step.fallback = Fragment::of(false, |line| any::any_and_end(line, of));
                }
            }
        }
        self.rests = std::mem::take(&mut inner.rests);
        inner.steps
    }

    fn rest(&mut self, row: &Row, is_pairs: bool) -> Part {
        self.rests.push(RestMember { member: row.member, scope: row.scope, is_pairs });
        Part::Flat(self.rests.len() - 1)
    }

    /// Sets the fallback: the resource attribute of the environment.
    fn fallback(&mut self, row: &Row, names: &[&str], is_pair: bool) {
        let mut names = std::iter::once(row.table_name).chain(names.iter().copied());
        if let Some(of) = names.find_map(|name| self.options.resource.get(name)) {
            if let Some(step) = self.steps.last_mut() {
                step.fallback =
                    Fragment::of(false, |line| if is_pair { any::any_and_end(line, of) } else { value(line, of) });
            }
        }
    }

    fn fixed(&mut self) {
        for (name, (_, of)) in self.schema.fixed.iter().zip(self.options.fixed.iter()) {
            self.end_string();
            self.step(Part::Fixed, key_fragment(name));
            if let Some(step) = self.steps.last_mut() {
                step.fallback = Fragment::of(false, |line| value(line, of));
            }
        }
    }

    fn end_string(&mut self) {
        if std::mem::take(&mut self.in_string) {
            self.pending.push(b'"');
        }
    }

    fn step(&mut self, part: Part, key: Fragment) {
        let open = std::mem::take(&mut self.pending).into();
        self.steps.push(Step { open, key, ..Step::new(part, Vec::new()) });
    }

    fn finish(mut self) -> Vec<Step> {
        self.end_string();
        if !self.pending.is_empty() {
            self.step(Part::Literal, Fragment::default());
        }
        self.steps
    }
}

/// `,"name":`
fn key_fragment(name: &str) -> Fragment {
    Fragment::of(false, |line| line.key(name))
}

/// Merges steps that are the same for all records of a call site, and steps that most records do not need.
fn merged(steps: Vec<Step>, sites: &mut usize) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::with_capacity(steps.len());
    for mut step in steps {
        if is_default_trace(&step) {
            step.part = Part::DefaultTrace;
        }
        step.inner = self::merged(step.inner, sites);
        let group = group_of(&step);
        let last =
            merged.last_mut().filter(|last| matches!(last.part, Part::Site(_) | Part::IfError | Part::IfGlobals));
        match last {
            Some(last) if group.is_some_and(|group| discriminant(&group) == discriminant(&last.part)) => {
                if matches!(last.part, Part::IfGlobals) && !step.fallback.text().is_empty() {
                    last.fallback = [last.fallback.text(), step.key.text(), step.fallback.text()].concat().into();
                }
                last.inner.push(step);
                continue;
            }
            Some(Step { part: Part::Site(_), inner, .. }) => {
                let open = std::mem::take(&mut step.open);
                inner.push(Step { open, ..Step::new(Part::Literal, Vec::new()) });
            }
            _ => {}
        }
        merged.push(match group {
            Some(Part::Site(_)) => {
                *sites += 1;
                Step::new(Part::Site(*sites - 1), vec![step])
            }
            Some(group) => {
                let (open, mut fallback) = (std::mem::take(&mut step.open), Fragment::default());
                if matches!(group, Part::IfGlobals) && !step.fallback.text().is_empty() {
                    fallback = [step.key.text(), step.fallback.text()].concat().into();
                }
                Step { open, fallback, ..Step::new(group, vec![step]) }
            }
            None => step,
        });
    }
    merged
}

/// The group that a step is merged into.
fn group_of(step: &Step) -> Option<Part> {
    let is_grouped = |inner: &[Step], group: fn(&Part) -> bool| {
        !inner.is_empty() && inner.iter().all(|step| group(&step.part) && step.fallback.text().is_empty())
    };
    match step.part {
        Part::Level | Part::LowerLevel | Part::LevelName(_) | Part::LevelNumber(_) | Part::Target => {
            Some(Part::Site(0))
        }
        Part::Value(Key::ErrorType | Key::ErrorMessage) | Part::ErrorStack => Some(Part::IfError),
        Part::Global(..) => Some(Part::IfGlobals),
        Part::Object | Part::List if is_grouped(&step.inner, |part| matches!(part, Part::IfError)) => {
            Some(Part::IfError)
        }
        Part::Object | Part::List if is_grouped(&step.inner, |part| matches!(part, Part::IfGlobals)) => {
            Some(Part::IfGlobals)
        }
        _ => None,
    }
}

fn is_default_trace(step: &Step) -> bool {
    const DEFAULTS: [(Id, &str); 3] =
        [(Id::Trace, ",\"trace_id\":\""), (Id::Span, ",\"span_id\":\""), (Id::Flags, ",\"trace_flags\":\"")];
    let is_same = |(step, (id, key)): (&Step, &(Id, &str))| {
        matches!(step.part, Part::Id(of) if of == *id) && step.key.text() == key.as_bytes()
    };
    matches!(step.part, Part::Trace) && step.inner.len() == 3 && step.inner.iter().zip(&DEFAULTS).all(is_same)
}
