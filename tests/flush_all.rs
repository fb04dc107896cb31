//! `flush_all` flushes every handler of the process, which other tests would notice.
#![allow(clippy::unwrap_used)]

use tracing::info;
use tracing_strata::{HandlerExt as _, format::Json, output::LogFile};
use tracing_subscriber::{Layer as _, Registry, filter::LevelFilter, layer::SubscriberExt as _, reload};

#[test]
fn flush_all_reaches_every_handler() {
    let folder = std::env::temp_dir().join(format!("strata-flush-all-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| LogFile::builder(folder.join(name)).buffer(64 << 10).format(Json::new()).build().unwrap();
    let written = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap().lines().count();

    let (reloaded, handle) = reload::Layer::new(Some(file("first").into_layer()));
    let shared = file("shared").named("shared");
    let subscriber = Registry::default()
        .with(reloaded)
        .with(file("plain").into_layer())
        .with(vec![file("vec").into_layer().with_filter(LevelFilter::INFO)])
        .with(Some(shared.clone().into_layer()));
    tracing::subscriber::with_default(subscriber, || {
        handle.reload(Some(file("reloaded").into_layer())).unwrap();
        info!("held back");
        let names = ["plain", "vec", "shared", "reloaded"];
        assert_eq!(names.map(written), [0; 4]);
        tracing_strata::flush_all().unwrap();
        assert_eq!(names.map(written), [1; 4]);
        assert_eq!((shared.stats().written, shared.stats().queued), (1, 0));
    });
    std::fs::remove_dir_all(folder).unwrap();
}
