//! Which peers do what, and the bars of the project.

use super::{
    peers::Peer::{self, *},
    place::Place,
    work::Work,
};

/// One row group of the table.
pub(crate) struct Case {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its name in the table.
    pub(crate) title: &'static str,
    pub(crate) work: Work,
    pub(crate) place: Place,
    pub(crate) threads: u64,
    /// How many events one sample takes, for each thread.
    pub(crate) events: u64,
    pub(crate) peers: &'static [Peer],
    pub(crate) bars: &'static [Bar],
}

/// What [`Peer::Strata`] is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// At most this part of `json()`'s time.
    Ratio(f64),
    /// At most this many allocations an event.
    Allocations(f64),
    /// Each shape of JSON takes at most this many times what the default one does, and logfmt no more than it.
    Shapes(f64),
    /// A second handler on a `Tee` adds no more than what the first takes beyond the capture.
    SecondHandler,
}

const NULL: Case = Case {
    name: "",
    title: "",
    work: Work::Event,
    place: Place::Null,
    threads: 1,
    events: 100_000,
    peers: &[],
    bars: &[],
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "W1",
        title: "W1: event → null writer",
        peers: &[Strata, StrataLoggers, Capture, Floor, Json, JsonSubscriber, SlogJson],
        bars: &[Bar::Ratio(0.20), Bar::Allocations(0.0)],
        ..NULL
    },
    Case {
        name: "W2",
        title: "W2: event in two spans → null writer",
        work: Work::EventInSpans,
        peers: &[Strata, Capture, Floor, Json, JsonSubscriber, SlogJson],
        bars: &[Bar::Ratio(0.11), Bar::Allocations(0.0)],
        ..NULL
    },
    Case {
        name: "W1-lines",
        title: "W1 → file, a write a line",
        place: Place::Lines,
        events: 50_000,
        peers: &[Strata, StrataText, Floor, Json, Fmt, JsonSubscriber, SlogJson, Fern],
        bars: &[Bar::Ratio(0.50)],
        ..NULL
    },
    Case {
        name: "W1-buffer",
        title: "W1 → file, 64 KiB buffer",
        place: Place::Buffer,
        peers: &[Strata, StrataText, Floor, Json, Fmt, JsonSubscriber, SlogJson],
        bars: &[Bar::Ratio(0.26)],
        ..NULL
    },
    Case {
        name: "W3-level",
        title: "W3: disabled by level",
        work: Work::DisabledByLevel,
        events: 16_000_000,
        peers: &[Strata, Json, SlogJson],
        ..NULL
    },
    Case {
        name: "W3-name",
        title: "W3: disabled by name",
        work: Work::DisabledByName,
        events: 16_000_000,
        peers: &[Strata, Json],
        ..NULL
    },
    Case {
        name: "W4",
        title: "W4: span made, entered, left, closed",
        work: Work::Span,
        peers: &[Strata, Floor, Json, Fmt, JsonSubscriber, Registry],
        bars: &[Bar::Ratio(0.55), Bar::Allocations(2.0)],
        ..NULL
    },
    Case {
        name: "W5",
        title: "W5: two threads → one file (wall time)",
        place: Place::Lines,
        threads: 2,
        events: 50_000,
        peers: &[Strata, StrataText, Json, Fmt, SlogJson, Fern],
        bars: &[Bar::Ratio(0.70)],
        ..NULL
    },
    Case {
        name: "second",
        title: "W1 → two handlers",
        peers: &[Strata, StrataTee, StrataTen, StrataTenWrapped, StrataLayers, Capture, Json, JsonLayers],
        bars: &[Bar::SecondHandler],
        ..NULL
    },
    Case {
        name: "people",
        title: "W2 as text for people → null writer",
        work: Work::EventInSpans,
        peers: &[StrataText, StrataPretty, StrataPrettyNarrow, Json, Fmt],
        bars: &[],
        ..NULL
    },
    Case {
        name: "shapes",
        title: "W1 in other shapes",
        peers: SHAPES,
        bars: &[Bar::Shapes(1.15), Bar::Allocations(0.0)],
        ..NULL
    },
    Case {
        name: "shapes-spans",
        title: "W2 in other shapes",
        work: Work::EventInSpans,
        peers: SHAPES,
        bars: &[Bar::Shapes(1.15), Bar::Allocations(0.0)],
        ..NULL
    },
];

const SHAPES: &[Peer] = &[
    Strata,
    StrataEcs,
    StrataGcp,
    StrataDatadog,
    StrataLogstash,
    StrataBunyan,
    StrataOtel,
    StrataPython,
    StrataLogfmt,
];
