//! The work: the same events through each facade.

use std::{hint::black_box, net::Ipv4Addr};

use tracing::span::EnteredSpan;

/// What is done for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// W1: message and five fields, no span.
    Event,
    /// W2: the same inside two spans of two fields each.
    EventInSpans,
    /// W3: an event whose level is disabled.
    DisabledByLevel,
    /// W3: an event whose level is enabled and whose target is not.
    DisabledByName,
    /// W4: a span of two fields, made, entered, left and closed.
    Span,
}

/// How the application speaks.
pub(crate) enum Facade {
    Tracing,
    Log,
    Slog(slog::Logger),
}

/// The spans around the events of W2, left when it is dropped. `slog` has loggers with values in their stead.
pub(crate) struct Inside<'a> {
    facade: &'a Facade,
    logger: Option<slog::Logger>,
    _spans: Option<[EnteredSpan; 2]>,
}

/// A disabled event takes a fraction of a nanosecond: this many stand in one turn of the loop.
const AT_ONCE: u64 = 16;

impl Facade {
    /// Enters what the work happens in.
    pub(crate) fn enter(&self, work: Work) -> Inside<'_> {
        let mut inside = Inside { facade: self, logger: None, _spans: None };
        match self {
            Self::Tracing if work == Work::EventInSpans => {
                let request = tracing::info_span!("request", request_id = "7f3a-91c2", tenant = 12_u64).entered();
                let query = tracing::info_span!("query", table = "orders", attempt = 1_u64).entered();
                // Dropped in order: the inner one first.
                inside._spans = Some([query, request]);
            }
            Self::Slog(logger) if work == Work::EventInSpans => {
                let request = logger.new(slog::o!("request_id" => "7f3a-91c2", "tenant" => 12_u64));
                inside.logger = Some(request.new(slog::o!("table" => "orders", "attempt" => 1_u64)));
            }
            Self::Slog(logger) => inside.logger = Some(logger.clone()),
            Self::Tracing | Self::Log => {}
        }
        inside
    }
}

impl Inside<'_> {
    /// Does the work `events` times.
    pub(crate) fn run(&self, work: Work, events: u64) {
        match (self.facade, work, &self.logger) {
            (Facade::Tracing, Work::Event | Work::EventInSpans, _) => tracing_events(events),
            (Facade::Tracing, Work::DisabledByLevel, _) => tracing_disabled_by_level(events / AT_ONCE),
            (Facade::Tracing, Work::DisabledByName, _) => tracing_disabled_by_name(events / AT_ONCE),
            (Facade::Tracing, Work::Span, _) => tracing_spans(events),
            (Facade::Log, Work::Event, _) => log_events(events),
            (Facade::Slog(_), Work::Event | Work::EventInSpans, Some(logger)) => slog_events(logger, events),
            (Facade::Slog(_), Work::DisabledByLevel, Some(logger)) => slog_disabled_by_level(logger, events / AT_ONCE),
            (_, work, _) => unreachable!("{work:?} has no equal in this facade"),
        }
    }
}

pub(crate) struct Values {
    pub(crate) user: u64,
    pub(crate) route: &'static str,
    pub(crate) ms: f64,
    pub(crate) cached: bool,
    pub(crate) client: Ipv4Addr,
}

#[inline(always)]
pub(crate) fn values(index: u64) -> Values {
    Values {
        user: black_box(index),
        route: black_box("/orders"),
        ms: (index % 1_000) as f64 / 8.0,
        cached: index.is_multiple_of(2),
        client: Ipv4Addr::from_bits(0x0a00_0000 | index as u32 & 0xffff),
    }
}

#[inline(never)]
fn tracing_events(events: u64) {
    for index in 0..events {
        let Values { user, route, ms, cached, client } = values(index);
        tracing::info!(target: "shop::http", user, route, ms, cached, client = %client, "request served");
    }
}

#[inline(never)]
fn log_events(events: u64) {
    for index in 0..events {
        let Values { user, route, ms, cached, client } = values(index);
        log::info!(target: "shop::http", "request served user={user} route={route} ms={ms} cached={cached} client={client}");
    }
}

#[inline(never)]
fn slog_events(logger: &slog::Logger, events: u64) {
    for index in 0..events {
        let Values { user, route, ms, cached, client } = values(index);
        slog::info!(logger, "request served"; "user" => user, "route" => route, "ms" => ms,
            "cached" => cached, "client" => %client);
    }
}

macro_rules! four {
    ($($event:tt)*) => {
        $($event)*;
        $($event)*;
        $($event)*;
        $($event)*;
    };
}

macro_rules! sixteen {
    ($($event:tt)*) => {
        four!($($event)*);
        four!($($event)*);
        four!($($event)*);
        four!($($event)*);
    };
}

#[inline(never)]
fn tracing_disabled_by_level(turns: u64) {
    for index in 0..turns {
        sixteen!(tracing::debug!(index, "not wanted"));
    }
}

#[inline(never)]
fn tracing_disabled_by_name(turns: u64) {
    for index in 0..turns {
        sixteen!(tracing::info!(target: "noisy", index, "not wanted"));
    }
}

#[inline(never)]
fn slog_disabled_by_level(logger: &slog::Logger, turns: u64) {
    for index in 0..turns {
        sixteen!(slog::debug!(logger, "not wanted"; "index" => index));
    }
}

#[inline(never)]
fn tracing_spans(spans: u64) {
    for index in 0..spans {
        let span = tracing::info_span!("request", user = black_box(index), route = black_box("/orders"));
        span.in_scope(|| black_box(()));
    }
}
