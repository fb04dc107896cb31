//! Any template in Python's three styles: an error or a format that works.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracing_strata::{
    Record, Severity,
    format::{Buffer, Format, Template},
};

fuzz_target!(|text: &str| {
    let mut record = Record::new(Severity::WARN, "shop.db", "slow");
    record.set("user", 7);
    record.set("ms", 1.25);
    for template in [Template::percent(text), Template::brace(text), Template::dollar(text)].into_iter().flatten() {
        // A field may be missing, or of another kind: an error, no panic.
        let mut out = Buffer::new();
        drop(template.format(&record, &mut out));
        assert!(out.to_str().is_ok());
    }
});
