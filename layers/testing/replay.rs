//! An event once more, under the id by which another subscriber knows its span.

use std::{error::Error as StdError, fmt};

use tracing_core::{
    Event, Field,
    field::{self, Value as FieldValue},
    span,
};

use crate::{
    Fields, Value,
    record::{self, ErrorChain},
};

/// `tracing` makes sets of at most as many values for us; its macros allow no more either.
const MOST: usize = 32;

/// An event with an explicit parent has that id in it, and `tracing` lets nobody change it: the event is made anew.
pub(super) fn with_parent(event: &Event<'_>, parent: Option<span::Id>, then: impl FnOnce(&Event<'_>)) {
    let metadata = event.metadata();
    let mut fields = Fields::new();
    record::capture_fields(&mut fields, |visit| event.record(visit));
    let named: Vec<Field> = metadata.fields().iter().take(MOST).collect();
    let values: Vec<Option<Box<dyn FieldValue + '_>>> =
        named.iter().map(|field| fields.get(field.name()).map(boxed)).collect();
    let Some(first) = named.first() else {
        return then(&Event::new_child_of(parent, metadata, &metadata.fields().value_set(&[])));
    };
    let at = |index: usize| match (named.get(index), values.get(index)) {
        (Some(field), Some(value)) => (field, value.as_deref()),
        _ => (first, None),
    };
    let set: [(&Field, Option<&dyn FieldValue>); MOST] = std::array::from_fn(at);
    then(&Event::new_child_of(parent, metadata, &metadata.fields().value_set(&set)));
}

fn boxed<'a>(value: Value<'a>) -> Box<dyn FieldValue + 'a> {
    match value {
        Value::Bool(value) => Box::new(value),
        Value::I64(number) => Box::new(number),
        Value::U64(number) => Box::new(number),
        Value::I128(number) => Box::new(number),
        Value::U128(number) => Box::new(number),
        Value::F64(number) => Box::new(number),
        Value::Str(text) => Box::new(text),
        Value::Bytes(bytes) => Box::new(bytes),
        Value::Error(chain) => Box::new(Box::new(Link::of(chain)) as Box<dyn StdError + 'static>),
        Value::Rendered(text) => Box::new(field::display(text)),
        Value::Json(json) => Box::new(field::display(json.as_str())),
    }
}

/// An error with the messages of another and its causes.
#[derive(Debug)]
struct Link {
    message: String,
    cause: Option<Box<Link>>,
}

impl Link {
    fn of(chain: ErrorChain<'_>) -> Self {
        let causes: Vec<_> = chain.causes().collect();
        let further = |cause, message: &&str| Some(Box::new(Self { message: (*message).to_owned(), cause }));
        Self { message: chain.message().to_owned(), cause: causes.iter().rev().fold(None, further) }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Link {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
