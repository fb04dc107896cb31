//! Ourselves.

use std::{hint::black_box, num::NonZeroU16, path::Path};

use tracing_strata::{
    Delivery, Error, Loggers, Outcome, Record, Severity, Tee,
    format::{Buffer, Color, Format, Json, Logfmt, Text},
    output::{LogFile, Stream},
    prelude::*,
};
use tracing_subscriber::{Layer, layer::SubscriberExt, registry, util::SubscriberInitExt};

use super::{Failure, Peer, install_layer};
use crate::support::{
    cases::Case,
    place::{BUFFER, Null, Place},
    work::{Facade, Work},
};

pub(super) fn install(peer: Peer, case: &Case, path: &Path) -> Result<Facade, Failure> {
    match peer {
        Peer::Strata if case.work == Work::DisabledByName => {
            let by_name = Loggers::parse("info,noisy=off")?;
            registry().with(null().into_layer().with_filter(by_name)).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Strata => output(Json::new(), case, path),
        Peer::StrataText => output(Text::plain(), case, path),
        Peer::StrataPretty => output(Text::pretty().color(Color::Never), case, path),
        Peer::StrataPrettyNarrow => output(OnTerminal(Text::pretty().color(Color::Always)), case, path),
        Peer::StrataEcs => output(Json::ecs(), case, path),
        Peer::StrataGcp => output(Json::gcp(), case, path),
        Peer::StrataDatadog => output(Json::datadog(), case, path),
        Peer::StrataLogstash => output(Json::logstash(), case, path),
        Peer::StrataBunyan => output(Json::bunyan(), case, path),
        Peer::StrataOtel => output(Json::otel(), case, path),
        Peer::StrataPython => output(Json::python(), case, path),
        Peer::StrataLogfmt => output(Logfmt::new(), case, path),
        Peer::StrataTee => install_layer(Tee::new().with("one", null()).with("two", null()).into_layer(), case.work),
        Peer::StrataTen => {
            let refusing = |number| {
                let refuses = null().named(format!("refuses {number}"));
                refuses.set_level(Severity::ERROR);
                refuses
            };
            let ten: Tee = std::iter::once(null().named("takes")).chain((1..10).map(refusing)).collect();
            install_layer(ten.into_layer(), case.work)
        }
        Peer::StrataTenWrapped => {
            let refusing = |number| null().min_level(Severity::ERROR).named(format!("refuses {number}"));
            let ten: Tee = std::iter::once(null().named("takes")).chain((1..10).map(refusing)).collect();
            install_layer(ten.into_layer(), case.work)
        }
        Peer::StrataLoggers => {
            let loggers = Loggers::parse("info,noisy=off")?;
            loggers.add_handler("", null().named("one"))?;
            registry().with(loggers.into_layer()).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::StrataLayers => {
            registry().with(null().into_layer()).with(null().into_layer()).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Capture => install_layer(Capture.into_layer(), case.work),
        other => unreachable!("{other:?} is not us"),
    }
}

/// On a terminal of 80 columns.
struct OnTerminal(Text);

impl Format for OnTerminal {
    fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
        out.set_columns(NonZeroU16::new(80));
        self.0.format(record, out)
    }
}

fn output(format: impl Format, case: &Case, path: &Path) -> Result<Facade, Failure> {
    let file = LogFile::builder(path).truncate(true);
    match case.place {
        Place::Null => install_layer(Stream::sink(Null).format(format).into_layer(), case.work),
        Place::Lines => install_layer(file.format(format).build()?.into_layer(), case.work),
        Place::Buffer => install_layer(file.buffer(BUFFER).format(format).build()?.into_layer(), case.work),
    }
}

fn null() -> impl Handler {
    Stream::sink(Null).format(Json::new())
}

/// Looks at the record and no more: what remains is the capture.
struct Capture;

impl Handler for Capture {
    #[inline]
    fn handle(&self, record: Delivery<'_>) -> Result<Outcome, Error> {
        black_box(record);
        Ok(Outcome::Written)
    }
}
