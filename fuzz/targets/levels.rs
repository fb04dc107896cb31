//! Any `RUST_LOG`: an error, or levels that read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracing_strata::{Loggers, Severity};

fuzz_target!(|text: &str| {
    let Ok(loggers) = Loggers::parse(text) else { return };
    let shown = loggers.to_string();
    let again = Loggers::parse(&shown).unwrap_or_else(|error| panic!("{error}: {shown:?} of {text:?}"));
    assert_eq!(again.to_string(), shown, "{text:?}");
    for target in ["shop", "shop::db", "shop.db.pool", "hyper", ""] {
        for severity in [Severity::TRACE, Severity::INFO, Severity::ERROR] {
            let both = [&loggers, &again].map(|loggers| loggers.is_enabled_for(target, severity));
            assert_eq!(both[0], both[1], "{target} at {severity}: {text:?}");
        }
    }
});
