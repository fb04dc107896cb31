//! Tables: the members of an object, their keys and their order.

use super::Key;

/// The value of a key in a [table](super::Json::table).
///
/// A table lists keys and members in the order in which they are written. Members that a record lacks are left out, and so
/// are empty objects.
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
    /// A part of the record. If a table has [`Key::ErrorType`], [`Key::ErrorMessage`] or [`Key::ErrorStack`], the event's
    /// first error is written there and not among the other fields.
    Key(Key),
    /// A number of the record as a text, for readers that are not safe with 64 bits.
    Quoted(Key),
    /// Trace ids in decimal: of [`Key::TraceId`] the lower 64 bits and [`Key::SpanId`], as texts; [`Key::TraceFlags`] as
    /// a number.
    Decimal(Key),
    /// The time as nanoseconds since 1970, as a text.
    Nanos,
    /// The schema's name of the level: that of the last row that is not above the severity's number.
    LevelName(&'static [(i32, &'static str)]),
    /// The schema's number of the level, from such a row.
    LevelNumber(&'static [(i32, i32)]),
    /// A constant text.
    Text(&'static str),
    /// A constant number.
    Number(i32),
    /// The [global field](crate::Globals) with this key as its name, else the first with one of these names, else the
    /// resource attribute of the [environment](super::Json::table) with one of the names. It is then not written among the
    /// other fields.
    Global(&'static [&'static str]),
    /// An object with a table of its own.
    Object(&'static [(&'static str, Member)]),
    /// A list with one object.
    List(&'static [(&'static str, Member)]),
    /// A list of OpenTelemetry's key-value pairs with typed values. In its table: [`Key`](Self::Key)s, [`Global`](Self::Global)s,
    /// and the remaining fields.
    Attributes(&'static [(&'static str, Member)]),
    /// The event's fields, in an object.
    Fields,
    /// The spans' fields, in an object.
    Context,
    /// All remaining fields: the event's, the spans', the global ones. They have no common key; the one in the table is
    /// ignored.
    Rest,
    /// Of [`Rest`](Self::Rest), the event's and the spans' fields.
    RestOfRecord,
    /// Of [`Rest`](Self::Rest), the global fields; also the resource attributes of the environment.
    RestOfGlobals,
    /// Not written, but a field of this name gets `_` appended.
    Reserved,
}

/// The table of [`super::Json::new`].
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

/// The table of [`super::Json::tracing_subscriber`].
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
