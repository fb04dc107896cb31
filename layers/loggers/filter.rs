//! [`Loggers`] as a `tracing_subscriber` filter.

use std::fmt;

use tracing_core::{
    Event, Interest, Level, LevelFilter, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

use super::{Loggers, cache};
use crate::{
    Severity,
    record::{SEVERITY_FIELD, severity_of},
};

impl<S: Subscriber> Filter<S> for Loggers {
    /// For call sites on which filters disagree, and for events of the `log` crate, which have no call site.
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        if metadata.is_span() {
            return self.passes_span(metadata);
        }
        is_log(metadata) || highest(metadata) >= cache::threshold(&self.0, metadata.target()).minimum
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let passes = if metadata.is_span() {
            self.passes_span(metadata)
        } else if is_log(metadata) {
            return Interest::sometimes();
        } else {
            highest(metadata) >= self.0.read().threshold(metadata.target()).minimum
        };
        // If the event carries its severity in a field, `event_enabled` decides: it cannot refuse what is always enabled.
        match passes {
            false => Interest::never(),
            true if !metadata.is_span() && carries_severity(metadata) => Interest::sometimes(),
            true => Interest::always(),
        }
    }

    /// For every event that gets here, even from call sites that are always enabled.
    #[inline]
    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if is_log(metadata) || carries_severity(metadata) { self.passes(event) } else { true }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let minimum = self.0.read().lowest_minimum();
        let records = i32::try_from(minimum).map_or(LevelFilter::OFF, |minimum| Severity::new(minimum).level().into());
        let spans = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
        let spans = spans.into_iter().find(|level| Severity::from(level) >= self.span_level());
        Some(spans.map_or(records, |spans| records.max(spans.into())))
    }
}

impl Loggers {
    #[inline]
    fn passes_span(&self, metadata: &Metadata<'_>) -> bool {
        Severity::from(metadata.level()) >= self.span_level()
    }

    /// Decides by the severity and the target that the event carries in fields.
    fn passes(&self, event: &Event<'_>) -> bool {
        struct Find<'a> {
            loggers: &'a Loggers,
            minimum: Option<i64>,
        }
        impl Visit for Find<'_> {
            fn record_str(&mut self, field: &Field, target: &str) {
                if field.name() == LOG_TARGET {
                    self.minimum = Some(cache::threshold(&self.loggers.0, target).minimum);
                }
            }
            fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
        }
        let metadata = event.metadata();
        let mut find = Find { loggers: self, minimum: None };
        if is_log(metadata) {
            event.record(&mut find);
        }
        let minimum = find.minimum.unwrap_or_else(|| cache::threshold(&self.0, metadata.target()).minimum);
        let severity = severity_of(event).unwrap_or_else(|| Severity::from(metadata.level()));
        i64::from(severity.number()) >= minimum
    }
}

/// An event whose target is a field: from `tracing-log`, or from a [`Logger`](crate::Logger) beyond its limit of call
/// sites. (`tracing-log` passes other metadata to `enabled`, with the real target.)
#[inline]
fn is_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.name() == "log event"
}

/// The field with that target.
const LOG_TARGET: &str = "log.target";

/// Whether events of this call site carry a severity in a field.
#[inline]
fn carries_severity(metadata: &Metadata<'_>) -> bool {
    metadata.fields().field(SEVERITY_FIELD).is_some()
}

/// The highest severity number that an event may have: one with its severity in a field has the next lower `tracing` level.
#[inline]
fn highest(metadata: &Metadata<'_>) -> i64 {
    let number = Severity::from(metadata.level()).number();
    if !carries_severity(metadata) {
        return number.into();
    }
    match *metadata.level() {
        Level::ERROR => i32::MAX.into(),
        Level::TRACE => 9,
        _ => i64::from(number) + 9,
    }
}
