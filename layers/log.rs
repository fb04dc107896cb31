//! Makes events of the [`log` crate](::log) events of `tracing`, with their own target, file and line, and typed
//! key-values. (Feature `log`.)
//!
//! Unlike with `tracing-log`, nothing is sent in extra fields: every layer, also of another crate, sees the real target.
//! Events from `tracing-log` are understood, too; only one of the two can be installed.
//!
//! # Beside `tracing-subscriber`'s own bridge
//!
//! With its default feature `tracing-log`, the `init()` of a subscriber installs that crate's bridge, and panics if there
//! is one already. You need not install this one then: the layers of this crate restore target, file and line; only the
//! key-values are lost. To use this bridge, turn the feature off (`default-features = false`), or set the subscriber with
//! [`tracing::subscriber::set_global_default`], which installs none.
//!
//! ```
//! tracing_strata::log::install().unwrap();
//! log::info!(target: "legacy::db", rows = 3; "query done");
//! assert!(tracing_strata::log::install().is_err(), "one logger per process");
//! ```

use log::kv::{Error as KvError, Key, Value as KvValue, VisitSource, VisitValue};
use tracing_core::{Level, LevelFilter};

use crate::{
    Error, Severity,
    logger::{EventMeta, EventValue, is_enabled, send},
};

/// Installs the bridge as the `log` crate's logger.
///
/// Levels always follow those of `tracing`, also later changes: the `log` crate's own maximum is set to `Trace`, and the
/// bridge asks `tracing`. That costs a disabled `log` macro one more load.
///
/// # Errors
/// Another logger is installed; see [above](self#beside-tracing-subscribers-own-bridge).
pub fn install() -> Result<(), Error> {
    log::set_logger(&Bridge)
        .map_err(|error| Error::with_source("cannot install the bridge from the log crate (tracing-subscriber's feature tracing-log may have installed its own)", error))?;
    log::set_max_level(log::LevelFilter::Trace);
    Ok(())
}

struct Bridge;

impl log::Log for Bridge {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let level = level(metadata.level());
        level <= LevelFilter::current()
            && is_enabled(EventMeta { target: metadata.target(), level, module_path: None, file: None, line: None })
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = level(record.level());
        if level > LevelFilter::current() {
            return;
        }
        let meta = EventMeta {
            target: record.target(),
            level,
            module_path: record.module_path(),
            file: record.file(),
            line: record.line(),
        };
        let mut pairs = Pairs(Vec::new());
        // `Pairs` never fails; a source that does has passed what it could.
        record.key_values().visit(&mut pairs).unwrap_or_default();
        let mut values: Vec<(&str, EventValue<'_>)> = Vec::with_capacity(pairs.0.len());
        for (key, value) in &pairs.0 {
            values.retain(|(earlier, _)| *earlier != key.as_str());
            values.push((key.as_str(), typed(value)));
        }
        send(meta, Severity::from(level), record.args(), &values);
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::ERROR,
        log::Level::Warn => Level::WARN,
        log::Level::Info => Level::INFO,
        log::Level::Debug => Level::DEBUG,
        log::Level::Trace => Level::TRACE,
    }
}

struct Pairs<'kvs>(Vec<(Key<'kvs>, KvValue<'kvs>)>);

impl<'kvs> VisitSource<'kvs> for Pairs<'kvs> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: KvValue<'kvs>) -> Result<(), KvError> {
        self.0.push((key, value));
        Ok(())
    }
}

fn typed<'v>(value: &'v KvValue<'_>) -> EventValue<'v> {
    struct Typed<'v>(Option<EventValue<'v>>);
    impl<'v> VisitValue<'v> for Typed<'v> {
        fn visit_any(&mut self, _: KvValue<'_>) -> Result<(), KvError> {
            Ok(())
        }
        fn visit_bool(&mut self, value: bool) -> Result<(), KvError> {
            self.0 = Some(EventValue::Bool(value));
            Ok(())
        }
        fn visit_i64(&mut self, value: i64) -> Result<(), KvError> {
            self.0 = Some(EventValue::I64(value));
            Ok(())
        }
        fn visit_u64(&mut self, value: u64) -> Result<(), KvError> {
            self.0 = Some(EventValue::U64(value));
            Ok(())
        }
        fn visit_i128(&mut self, value: i128) -> Result<(), KvError> {
            self.0 = Some(EventValue::I128(value));
            Ok(())
        }
        fn visit_u128(&mut self, value: u128) -> Result<(), KvError> {
            self.0 = Some(EventValue::U128(value));
            Ok(())
        }
        fn visit_f64(&mut self, value: f64) -> Result<(), KvError> {
            self.0 = Some(EventValue::F64(value));
            Ok(())
        }
        fn visit_borrowed_str(&mut self, value: &'v str) -> Result<(), KvError> {
            self.0 = Some(EventValue::Str(value));
            Ok(())
        }
    }
    let mut typed = Typed(None);
    // Other types are printed.
    value.visit(&mut typed).unwrap_or_default();
    typed.0.unwrap_or(EventValue::Display(tracing_core::field::display(value)))
}
