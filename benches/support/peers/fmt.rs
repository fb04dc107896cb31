//! `tracing_subscriber::fmt` and its relatives.

use std::{io::BufWriter, path::Path, sync::Mutex};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt::{MakeWriter, layer},
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

use super::{Failure, Peer, install_layer};
use crate::support::{
    cases::Case,
    place::{self, BUFFER, Null, Place},
    work::{Facade, Work},
};

pub(super) fn install(peer: Peer, case: &Case, path: &Path) -> Result<Facade, Failure> {
    match case.place {
        Place::Null => with_writer(peer, case, Null),
        Place::Lines => with_writer(peer, case, place::open(path)?),
        Place::Buffer => with_writer(peer, case, Mutex::new(BufWriter::with_capacity(BUFFER, place::open(path)?))),
    }
}

fn with_writer<W>(peer: Peer, case: &Case, writer: W) -> Result<Facade, Failure>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    match peer {
        Peer::Json if case.work == Work::DisabledByName => {
            let by_name = Targets::new().with_default(LevelFilter::INFO).with_target("noisy", LevelFilter::OFF);
            registry().with(layer().json().with_writer(writer).with_filter(by_name)).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Json => install_layer(layer().json().with_writer(writer), case.work),
        Peer::JsonLayers => {
            registry().with(layer().json().with_writer(writer)).with(layer().json().with_writer(Null)).try_init()?;
            Ok(Facade::Tracing)
        }
        Peer::Fmt => install_layer(layer().with_ansi(false).with_writer(writer), case.work),
        Peer::JsonSubscriber => install_layer(json_subscriber::fmt::layer::<Registry>().with_writer(writer), case.work),
        other => unreachable!("{other:?} is not of this family"),
    }
}
