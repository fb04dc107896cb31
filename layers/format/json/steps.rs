//! From the options to names and steps.

use super::{Key, Options, What};
use crate::format::line::Piece;

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Written before: the end of the string before, and the key where the part is always there.
    pub(super) open: Piece,
    pub(super) part: Part,
    /// What the part writes itself.
    pub(super) keys: Vec<Option<String>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
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

pub(super) const TRACE: [Key; 3] = [Key::TraceId, Key::SpanId, Key::TraceFlags];

/// Which key has which name, settled: the option that was set last has the name it asked for.
pub(super) struct Names {
    pub(super) given: Vec<(What, String)>,
}

impl Names {
    pub(super) fn new(options: &Options) -> Self {
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

    pub(super) fn get(&self, what: What) -> Option<&str> {
        self.given.iter().find(|(other, _)| *other == what).map(|(_, name)| name.as_str())
    }

    fn owned(&self, what: What) -> Option<String> {
        self.get(what).map(str::to_owned)
    }
}

/// The steps, and whether the first that asks for members stands where there may be none.
pub(super) fn steps(names: &Names, options: &Options) -> (Vec<Step>, bool) {
    let mut layout = Layout::new(names, options);
    let order = if options.message_in_fields { FIELDS_BEFORE_TARGET } else { ORDER };
    order.iter().for_each(|place| layout.place(*place));
    layout.finish()
}

/// Joins what is constant between two parts into one text.
struct Layout<'a> {
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

impl<'a> Layout<'a> {
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
