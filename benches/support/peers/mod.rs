//! Who is measured. Each is installed in a process of its own.

mod fern;
mod floor;
mod fmt;
mod slog;
mod strata;

use std::path::Path;

use tracing_subscriber::{
    Layer, Registry, filter::LevelFilter, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use super::{
    cases::Case,
    work::{Facade, Work},
};

/// What may go wrong while a peer is set up.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

macro_rules! peers {
    ($($peer:ident $name:literal $title:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Peer { $($peer),* }

        impl Peer {
            const ALL: &[Self] = &[$(Self::$peer),*];

            /// Its name on the command line.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$peer => $name),* }
            }

            /// Its name in the table.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$peer => $title),* }
            }
        }
    };
}

peers! {
    Strata "strata" "**tracing-strata** `Json`",
    StrataText "strata-text" "**tracing-strata** `Text`",
    StrataPretty "strata-pretty" "**tracing-strata** `Text::pretty`",
    StrataPrettyNarrow "strata-pretty-narrow" "**tracing-strata** `Text::pretty`, coloured, 80 columns",
    StrataEcs "strata-ecs" "**tracing-strata** `Json::ecs`",
    StrataGcp "strata-gcp" "**tracing-strata** `Json::gcp`",
    StrataDatadog "strata-datadog" "**tracing-strata** `Json::datadog`",
    StrataLogstash "strata-logstash" "**tracing-strata** `Json::logstash`",
    StrataBunyan "strata-bunyan" "**tracing-strata** `Json::bunyan`",
    StrataOtel "strata-otel" "**tracing-strata** `Json::otel`",
    StrataPython "strata-python" "**tracing-strata** `Json::python`",
    StrataLogfmt "strata-logfmt" "**tracing-strata** `Logfmt`",
    StrataTee "strata-tee" "**tracing-strata** `Tee` of two `Json`",
    StrataTen "strata-ten" "**tracing-strata** `Tee` of ten, nine refuse by `set_level`",
    StrataTenWrapped "strata-ten-wrapped" "**tracing-strata** `Tee` of ten, nine refuse by `min_level`",
    StrataLoggers "strata-loggers" "**tracing-strata** `Json` on `Loggers`",
    StrataLayers "strata-layers" "**tracing-strata** two layers of `Json`",
    Capture "capture" "**tracing-strata** capture alone",
    Json "json" "tracing-subscriber `json()`",
    JsonLayers "json-layers" "tracing-subscriber two layers of `json()`",
    Fmt "fmt" "tracing-subscriber `fmt()` text",
    JsonSubscriber "json-subscriber" "json-subscriber",
    SlogJson "slog-json" "slog + slog-json",
    Fern "fern" "log + fern text",
    Floor "floor" "hand-written floor",
    Registry "registry" "`Registry` and an idle layer",
}

impl Peer {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|peer| peer.name() == name)
    }

    /// Makes it the logger of this process.
    pub(crate) fn install(self, case: &Case, path: &Path) -> Result<Facade, Failure> {
        match self {
            Self::Strata
            | Self::StrataText
            | Self::StrataPretty
            | Self::StrataPrettyNarrow
            | Self::StrataEcs
            | Self::StrataGcp
            | Self::StrataDatadog
            | Self::StrataLogstash
            | Self::StrataBunyan
            | Self::StrataOtel
            | Self::StrataPython
            | Self::StrataLogfmt
            | Self::StrataTee
            | Self::StrataTen
            | Self::StrataTenWrapped
            | Self::StrataLoggers
            | Self::StrataLayers
            | Self::Capture => strata::install(self, case, path),
            Self::Json | Self::JsonLayers | Self::Fmt | Self::JsonSubscriber => fmt::install(self, case, path),
            Self::SlogJson => slog::install(case, path),
            Self::Fern => fern::install(path),
            Self::Floor => floor::install(case, path),
            Self::Registry => install_layer(Idle, case.work),
        }
    }
}

/// Does nothing. (Without any layer the registry never closes a span.)
struct Idle;

impl<S: tracing::Subscriber> Layer<S> for Idle {}

/// A layer on a registry, behind the filter that the work asks for.
fn install_layer(layer: impl Layer<Registry> + Send + Sync, work: Work) -> Result<Facade, Failure> {
    match work {
        Work::DisabledByLevel => registry().with(layer.with_filter(LevelFilter::INFO)).try_init()?,
        _ => registry().with(layer).try_init()?,
    }
    Ok(Facade::Tracing)
}
