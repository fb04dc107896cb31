//! Any header of W3C Trace Context and Baggage: an error, or what reads back as the same.
#![no_main]

use std::{fmt::Display, str::FromStr};

use libfuzzer_sys::fuzz_target;
use tracing_strata::record::{Baggage, TraceParent, TraceState};

fn same<T: FromStr<Err: Display> + Display>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let shown = value.to_string();
    let again = shown.parse::<T>().unwrap_or_else(|error| panic!("{error}: {shown:?} of {text:?}"));
    assert_eq!(again.to_string(), shown, "{text:?}");
}

fuzz_target!(|text: &str| {
    same::<TraceParent>(text);
    same::<TraceState>(text);
    same::<Baggage>(text);
});
