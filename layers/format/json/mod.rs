//! One JSON object per record, on one line (JSON Lines).

mod any;
mod key;
mod object;
mod parts;
mod plan;
mod preset_tables;
mod presets;
mod resource;
mod schema;
mod steps;
mod table;
pub(super) mod value;

pub use self::{key::Key, table::Member};
use self::{plan::Plan, schema::Owner};
use super::{Buffer, Format, Time};
use crate::{Error, Fields, Record, Value};

/// One JSON object per record, on one line.
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use tracing_strata::{Record, Severity, format::{Buffer, Format, Json}};
///
/// let mut record = Record::new(Severity::INFO, "shop::pay", "paid");
/// record.set_time(UNIX_EPOCH);
/// record.set("amount", 12.5);
/// record.push_span("request", [("id", "7f3a")].into_iter().collect());
///
/// let mut out = Buffer::new();
/// Json::new().field("service", "shop").format(&record, &mut out).unwrap();
/// assert_eq!(
///     out,
///     r#"{"timestamp":"1970-01-01T00:00:00.000000Z","level":"INFO","target":"shop::pay","message":"paid","#.to_owned()
///         + r#""amount":12.5,"id":"7f3a","service":"shop"}"#
/// );
/// ```
///
/// # Members, in this order
///
/// This is the default shape; for others see [below](Self#shapes-that-tools-expect).
///
/// | key | content | written |
/// |---|---|---|
/// | `timestamp` | [`Time`]: RFC 3339, UTC, microseconds | always; [`time`](Self::time) |
/// | `level` | name of the severity | always; [`lower_case_levels`](Self::lower_case_levels) |
/// | `level_number` | 5 to 50, Python's scale | [`level_number`](Self::level_number) |
/// | `target` | the logger's name | always |
/// | `message` | may be empty | always |
/// | `trace_id`, `span_id`, `trace_flags` | 32, 16 and 2 hexadecimal digits | in records that have [trace ids](Record::trace); the span field `traceparent` is then left out |
/// | `event_name` | the name given to the event | [`event_name`](Self::event_name) |
/// | `file`, `line`, `module_path` | the call site | [`source`](Self::source) |
/// | `thread_name`, `thread_id` | | [`thread`](Self::thread) |
/// | `process_name`, `process_id` | | [`process`](Self::process) |
/// | `fields` | object of the event's fields | [`nest_fields`](Self::nest_fields) |
/// | `span` | object: the innermost span's name and fields | [`current_span`](Self::current_span) |
/// | `spans` | array of such objects, outermost first | [`span_list`](Self::span_list) |
/// | `context` | object of all spans' fields | [`nest_context`](Self::nest_context) |
/// | the event's fields | | always, unless nested |
/// | the spans' fields | innermost span first | always, unless nested or listed |
/// | global fields | of the layer | always |
/// | static fields | of the format | [`field`](Self::field) |
///
/// # Names that clash
///
/// No object ever has the same key twice:
/// - If several sources of an object have a name, it is written once: the event wins over spans, an inner span over an
///   outer one, spans over global fields.
/// - The format's keys are reserved: those that this configuration writes (trace ids only in records that have them),
///   constant fields, and `name` in the objects of spans. A field with such a name gets `_` appended, as often as needed
///   until no other field of the record and no key has the name.
/// - So do the keys that an error adds (see below) if a field has their name.
/// - If two options ask for the same key, the one that was set last gets it, and the other one `_` appended. Default names
///   count as set first. [`checked`](Self::checked) refuses such options.
/// - What is inside a list or map is as it was given.
///
/// # Values
///
/// | value | JSON |
/// |---|---|
/// | bool, integers of 64 bits | literals |
/// | wider integers | numbers if they fit into `i64` or `u64`, else strings of digits |
/// | floats | shortest number that reads back equal, with a point or exponent (`1.0`); `"NaN"`, `"Infinity"`, `"-Infinity"` |
/// | text, output of `Debug` or `Display` | strings |
/// | bytes | strings of lower-case hexadecimal digits |
/// | errors | the message; beside it `<key>.causes`, an array of messages, and `<key>.type`, if known |
///
/// In all strings, keys too, every control character, DEL, C1, U+2028/2029, the bidirectional controls and U+FEFF are
/// escaped: one record is always one physical line.
///
/// Python: `logging` has no formatter for JSON.
#[derive(Clone, Debug)]
pub struct Json {
    options: Options,
    plan: Plan,
}

#[derive(Clone, Debug)]
struct Options {
    table: &'static [(&'static str, Member)],
    /// Resource attributes of the environment.
    resource: Fields,
    /// Before the trace id.
    trace_prefix: String,
    time: Time,
    /// Keys that setters ask for, in their order.
    name_requests: Vec<(Owner, String)>,
    omitted: Vec<Key>,
    fixed: Fields,
    lower_case: bool,
    level_number: bool,
    event_name: bool,
    source: bool,
    thread: bool,
    process: bool,
    current_span: bool,
    span_list: bool,
    /// Inside `fields`, if there is such an object.
    message_in_fields: bool,
}

impl Json {
    /// The flat shape: all fields beside the members of the record.
    pub fn new() -> Self {
        Self::planned(Options::new(table::FLAT))
    }

    /// The shape that `tracing_subscriber::fmt().json()` has by default, for readers that expect it.
    ///
    /// `timestamp`, `level`, `fields` with the message inside, `target`, and within spans `span` and `spans`. There are no
    /// trace ids, and `traceparent` stays a span's field. Differences: values stay typed (wide integers, NaN, causes of
    /// errors: see [Values](Self#values)), no key is written twice, and [`source`](Self::source) and
    /// [`thread`](Self::thread) add `module_path` and a numeric `threadId`.
    pub fn tracing_subscriber() -> Self {
        let mut options = Options::new(table::TRACING_SUBSCRIBER);
        (options.message_in_fields, options.current_span, options.span_list) = (true, true, true);
        options.request_name(Owner::Fields, "fields");
        options.omitted = vec![Key::TraceId, Key::SpanId, Key::TraceFlags];
        Self::planned(options)
    }

    /// Your own shape, from a table of members. All of them are written.
    ///
    /// [`Member::Global`] also uses the environment, which is read once, here: `OTEL_SERVICE_NAME` and
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    ///
    /// # Errors
    /// An object has a key twice, or a member is not allowed in its position ([`checked`](Self::checked)).
    ///
    /// ```
    /// use tracing_strata::format::{Json, Key, Member};
    ///
    /// let twice = &[("m", Member::Key(Key::Message)), ("m", Member::Key(Key::Level))];
    /// let error = Json::table(twice).unwrap_err();
    /// assert_eq!(error.to_string(), "the key \"m\" is asked for by `message` and by `level`");
    /// ```
    pub fn table(table: &'static [(&'static str, Member)]) -> Result<Self, Error> {
        Self::of(table).checked()
    }

    fn of(table: &'static [(&'static str, Member)]) -> Self {
        let mut options = Options::new(table);
        options.resource = resource::from_env();
        (options.level_number, options.event_name, options.source) = (true, true, true);
        (options.thread, options.process) = (true, true);
        Self::planned(options)
    }

    /// How the time is written; [`Time::none`] leaves it out.
    pub fn time(self, time: Time) -> Self {
        self.with(|options| options.time = time)
    }

    /// Gives a member another key, and undoes [`omit`](Self::omit).
    pub fn rename(self, key: Key, name: impl Into<String>) -> Self {
        self.with(|options| {
            options.omitted.retain(|omitted| *omitted != key);
            options.request_name(Owner::Key(key), name);
        })
    }

    /// Leaves a member out.
    pub fn omit(self, key: Key) -> Self {
        self.with(|options| options.omitted.push(key))
    }

    /// Puts the event's fields into an object of this name. It is always written, even if empty.
    pub fn nest_fields(self, name: impl Into<String>) -> Self {
        self.with(|options| options.request_name(Owner::Fields, name))
    }

    /// Puts the spans' fields into an object of this name. It is always written, even if empty.
    pub fn nest_context(self, name: impl Into<String>) -> Self {
        self.with(|options| options.request_name(Owner::Context, name))
    }

    /// Whether `spans` lists the spans, outermost first, each with its name and fields, instead of flat fields. Not
    /// written outside of spans.
    pub fn span_list(self, on: bool) -> Self {
        self.with(|options| options.span_list = on)
    }

    /// Whether `span` is an object of the innermost span. Not written outside of spans.
    pub fn current_span(self, on: bool) -> Self {
        self.with(|options| options.current_span = on)
    }

    /// Adds a constant field (service, host …). An error is added as one text.
    pub fn field<'v>(self, name: impl Into<String>, value: impl Into<Value<'v>>) -> Self {
        self.with(|options| {
            let name = name.into();
            match value.into() {
                Value::Error(chain) => options.fixed.set_display(name.clone(), chain),
                value => options.fixed.set(name.clone(), value),
            }
            let index = options.fixed.iter().position(|(other, _)| other == name);
            if let Some(index) = index {
                options.request_name(Owner::Fixed(index), name);
            }
        })
    }

    /// Adds the constant field `schema_version`, for readers, should the shape change.
    pub fn schema_version<'v>(self, version: impl Into<Value<'v>>) -> Self {
        self.field("schema_version", version)
    }

    /// A prefix of every trace id: Cloud Logging requires one in lines that do not come from the standard streams.
    ///
    /// ```
    /// let json = tracing_strata::format::Json::gcp().trace_prefix("projects/shop-7/traces/");
    /// # drop(json);
    /// ```
    pub fn trace_prefix(self, prefix: impl Into<String>) -> Self {
        self.with(|options| options.trace_prefix = prefix.into())
    }

    /// Whether file, line and module path of the call site are written, if known.
    pub fn source(self, on: bool) -> Self {
        self.with(|options| options.source = on)
    }

    /// Whether the thread's name (if it has one) and id are written.
    pub fn thread(self, on: bool) -> Self {
        self.with(|options| options.thread = on)
    }

    /// Whether the process's name and id are written. The id costs a system call.
    pub fn process(self, on: bool) -> Self {
        self.with(|options| options.process = on)
    }

    /// Whether the severity's number is written beside its name.
    pub fn level_number(self, on: bool) -> Self {
        self.with(|options| options.level_number = on)
    }

    /// Whether the event's name is written, if it was given one.
    pub fn event_name(self, on: bool) -> Self {
        self.with(|options| options.event_name = on)
    }

    /// Whether levels are `info` rather than `INFO`.
    pub fn lower_case_levels(self, on: bool) -> Self {
        self.with(|options| options.lower_case = on)
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        Self::planned(self.options)
    }

    fn planned(options: Options) -> Self {
        Self { plan: Plan::new(&options), options }
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::new()
    }
}

impl Format for Json {
    #[inline]
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        self.plan.write(&self.options, record, out.bytes_mut());
        Ok(())
    }
}

impl Options {
    fn new(table: &'static [(&'static str, Member)]) -> Self {
        Self {
            table,
            resource: Fields::new(),
            trace_prefix: String::new(),
            time: Time::default(),
            name_requests: Vec::new(),
            omitted: Vec::new(),
            fixed: Fields::new(),
            lower_case: false,
            level_number: false,
            event_name: false,
            source: false,
            thread: false,
            process: false,
            current_span: false,
            span_list: false,
            message_in_fields: false,
        }
    }

    fn request_name(&mut self, owner: Owner, name: impl Into<String>) {
        self.name_requests.retain(|(other, _)| *other != owner);
        self.name_requests.push((owner, name.into()));
    }

    fn is_requested(&self, owner: Owner) -> bool {
        self.name_requests.iter().any(|(other, _)| *other == owner)
    }

    fn is_on(&self, key: Key) -> bool {
        let on = match key {
            Key::Timestamp => !self.time.is_none(),
            Key::LevelNumber => self.level_number,
            Key::EventName => self.event_name,
            Key::File | Key::Line | Key::ModulePath | Key::Function => self.source,
            Key::ThreadName | Key::ThreadId => self.thread,
            Key::ProcessName | Key::ProcessId => self.process,
            Key::Span => self.current_span,
            Key::Spans => self.span_list,
            _ => true,
        };
        on && !self.omitted.contains(&key)
    }
}
