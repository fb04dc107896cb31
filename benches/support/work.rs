//! The work: the same events through each facade.

use std::{hint::black_box, net::Ipv4Addr};

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

/// A disabled event takes a fraction of a nanosecond: this many stand in one turn of the loop.
const AT_ONCE: u64 = 16;

/// Does it `events` times.
pub(crate) fn run(facade: &Facade, work: Work, events: u64) {
    match (facade, work) {
        (Facade::Tracing, Work::Event) => tracing_events(events),
        (Facade::Tracing, Work::EventInSpans) => {
            let request = tracing::info_span!("request", request_id = "7f3a-91c2", tenant = 12_u64);
            let _request = request.enter();
            let query = tracing::info_span!("query", table = "orders", attempt = 1_u64);
            let _query = query.enter();
            tracing_events(events);
        }
        (Facade::Tracing, Work::DisabledByLevel) => tracing_disabled_by_level(events / AT_ONCE),
        (Facade::Tracing, Work::DisabledByName) => tracing_disabled_by_name(events / AT_ONCE),
        (Facade::Tracing, Work::Span) => tracing_spans(events),
        (Facade::Log, Work::Event) => log_events(events),
        (Facade::Slog(logger), Work::Event) => slog_events(logger, events),
        (Facade::Slog(logger), Work::EventInSpans) => {
            let request = logger.new(slog::o!("request_id" => "7f3a-91c2", "tenant" => 12_u64));
            let query = request.new(slog::o!("table" => "orders", "attempt" => 1_u64));
            slog_events(&query, events);
        }
        (Facade::Slog(logger), Work::DisabledByLevel) => slog_disabled_by_level(logger, events / AT_ONCE),
        (Facade::Log | Facade::Slog(_), work) => unreachable!("{work:?} has no equal in this facade"),
    }
}

struct Values {
    user: u64,
    route: &'static str,
    elapsed_ms: f64,
    cached: bool,
    client: Ipv4Addr,
}

#[inline(always)]
fn values(index: u64) -> Values {
    Values {
        user: black_box(index),
        route: black_box("/api/orders"),
        elapsed_ms: (index % 1_000) as f64 / 8.0,
        cached: index.is_multiple_of(2),
        client: Ipv4Addr::from_bits(0xc0a8_0000 | index as u32 & 0xffff),
    }
}

#[inline(never)]
fn tracing_events(events: u64) {
    for index in 0..events {
        let Values { user, route, elapsed_ms, cached, client } = values(index);
        tracing::info!(user, route, elapsed_ms, cached, client = %client, "request served");
    }
}

#[inline(never)]
fn log_events(events: u64) {
    for index in 0..events {
        let Values { user, route, elapsed_ms, cached, client } = values(index);
        log::info!("request served user={user} route={route} elapsed_ms={elapsed_ms} cached={cached} client={client}");
    }
}

#[inline(never)]
fn slog_events(logger: &slog::Logger, events: u64) {
    for index in 0..events {
        let Values { user, route, elapsed_ms, cached, client } = values(index);
        slog::info!(logger, "request served"; "user" => user, "route" => route, "elapsed_ms" => elapsed_ms,
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
        let span = tracing::info_span!("request", user = black_box(index), route = black_box("/api/orders"));
        span.in_scope(|| black_box(()));
    }
}
