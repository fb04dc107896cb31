//! Tables: which members an object has, in which order, under which keys.

use super::Key;

/// What stands under a key in a [table](super::Json::table).
///
/// A table is a list of keys and members, in the order in which they are written. Members that a record does not have are
/// left out; so are objects with nothing in them.
///
/// ```
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json, Key, Member}};
///
/// const SHOP: &[(&str, Member)] = &[
///     ("v", Member::Number(3)),
///     ("severity", Member::LevelName(&[(i32::MIN, "low"), (30, "high")])),
///     ("text", Member::Key(Key::Message)),
///     ("app", Member::Object(&[("name", Member::Global(&["service"]))])),
///     ("internal", Member::Reserved),
///     ("", Member::Rest),
/// ];
///
/// let mut record = Record::new(Severity::WARN, "shop", "paid");
/// record.set("user", 7);
/// record.set("v", "mine");
/// record.set_globals([("service", "shop")].into_iter().collect());
/// let mut out = Buffer::new();
/// Json::table(SHOP).unwrap().format(&record, &mut out).unwrap();
/// assert_eq!(out, r#"{"v":3,"severity":"high","text":"paid","app":{"name":"shop"},"user":7,"v_":"mine"}"#);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Member {
    /// A part of the record. With [`Key::ErrorType`], [`Key::ErrorMessage`] or [`Key::ErrorStack`] in a table, the event's
    /// first error stands there and not among the other fields.
    Key(Key),
    /// A number of the record as a text: JSON's readers that are not sure of 64 bits want it so.
    Quoted(Key),
    /// Trace ids in decimal: of [`Key::TraceId`] the lower 64 bits and [`Key::SpanId`], as texts; [`Key::TraceFlags`] as
    /// a number.
    Decimal(Key),
    /// The time as nanoseconds since 1970, as a text.
    Nanos,
    /// The level by a name of the schema: that of the last row that is not above the severity's number.
    LevelName(&'static [(i32, &'static str)]),
    /// The level by a number of the schema, in the same manner.
    LevelNumber(&'static [(i32, i32)]),
    /// Always this text.
    Text(&'static str),
    /// Always this number.
    Number(i32),
    /// The [global field](crate::Globals) of this key or, if there is none, of the first of these names that there is; else
    /// the resource attribute of the [environment](super::Json::table) with one of the names. It is then not among the
    /// other fields.
    Global(&'static [&'static str]),
    /// An object with a table of its own.
    Object(&'static [(&'static str, Member)]),
    /// A list of one object.
    List(&'static [(&'static str, Member)]),
    /// A list of OpenTelemetry's key-value pairs with typed values. In its table: [`Key`](Self::Key)s, [`Global`](Self::Global)s,
    /// and the remaining fields.
    Attributes(&'static [(&'static str, Member)]),
    /// The event's fields, in an object.
    Fields,
    /// The spans' fields, in an object.
    Context,
    /// All fields that are nowhere else: the event's, the spans', the global ones. They have no key together; the one in
    /// the table is not used.
    Rest,
    /// As [`Rest`](Self::Rest), the event's and the spans' only.
    RestOfRecord,
    /// As [`Rest`](Self::Rest), the global ones only, and the resource attributes of the environment.
    RestOfGlobals,
    /// Nothing is written; a field of this name gets `_` appended.
    Reserved,
}

/// What [`super::Json::new`] writes.
pub(super) static FLAT: &[(&str, Member)] = &[
    own(Key::Timestamp),
    own(Key::Level),
    own(Key::LevelNumber),
    own(Key::Target),
    own(Key::Message),
    own(Key::TraceId),
    own(Key::SpanId),
    own(Key::TraceFlags),
    own(Key::EventName),
    own(Key::File),
    own(Key::Line),
    own(Key::ModulePath),
    own(Key::ThreadName),
    own(Key::ThreadId),
    own(Key::ProcessName),
    own(Key::ProcessId),
    ("", Member::Rest),
];

/// What [`super::Json::tracing_subscriber`] writes.
pub(super) static TRACING_SUBSCRIBER: &[(&str, Member)] = &[
    own(Key::Timestamp),
    own(Key::Level),
    own(Key::LevelNumber),
    ("fields", Member::Fields),
    ("message", Member::Key(Key::Message)),
    own(Key::Target),
    own(Key::TraceId),
    own(Key::SpanId),
    own(Key::TraceFlags),
    own(Key::EventName),
    ("filename", Member::Key(Key::File)),
    ("line_number", Member::Key(Key::Line)),
    own(Key::ModulePath),
    own(Key::Span),
    own(Key::Spans),
    ("threadName", Member::Key(Key::ThreadName)),
    ("threadId", Member::Key(Key::ThreadId)),
    own(Key::ProcessName),
    own(Key::ProcessId),
    ("", Member::Rest),
];

const fn own(key: Key) -> (&'static str, Member) {
    (key.default_name(), Member::Key(key))
}
