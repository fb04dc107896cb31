//! Our files under `tracing_subscriber::fmt` and `tracing_appender`, and their files under our handlers.

use std::{fs, io::Write as _};

use tracing::info;
use tracing_strata::{
    HandlerExt as _,
    output::{LogFile, Stream},
    sink::{Durability, ReopenPolicy},
};

use super::{read, record};
use crate::{
    places::{Bare, Dir},
    support::{Give as _, with_layer},
};

#[test]
fn t41_every_file_sink_serves_fmt_and_tracing_appender() {
    let dir = Dir::new();
    let sinks = [
        ("plain", LogFile::builder(dir.path("plain"))),
        ("buffered", LogFile::builder(dir.path("buffered")).buffer(100)),
        ("watched", LogFile::builder(dir.path("watched")).watch(ReopenPolicy::each_record())),
        (
            "watched-buffered",
            LogFile::builder(dir.path("watched-buffered")).watch(ReopenPolicy::each_record()).buffer(100),
        ),
        ("synced", LogFile::builder(dir.path("synced")).durability(Durability::system().sync_every(2))),
    ];
    for (name, builder) in sinks {
        let sink = builder.build_sink().unwrap();
        let fmt = || tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        tracing::subscriber::with_default(fmt().with_writer(sink.clone()).finish(), || info!("through fmt"));
        let (appender, guard) = tracing_appender::non_blocking(sink.clone());
        tracing::subscriber::with_default(fmt().with_writer(appender).finish(), || {
            info!("through an appender");
            info!("twice");
        });
        drop(guard);
        (&sink).flush().unwrap();
        assert_eq!(read(&dir.path(name)), " INFO through fmt\n INFO through an appender\n INFO twice\n");
    }
}

#[test]
fn tracing_appender_s_rolling_file_is_a_sink() {
    let dir = Dir::new();
    let rolling = || tracing_appender::rolling::never(dir.path(""), "app.log");
    // As a maker of writers, without a lock of ours; and as a writer.
    with_layer(Stream::make_writer(rolling()).format(Bare).into_layer(), || info!("made"));
    with_layer(Stream::writer(rolling()).format(Bare).into_layer(), || info!("written"));
    // Behind its thread.
    let (appender, guard) = tracing_appender::non_blocking(rolling());
    with_layer(Stream::make_writer(appender).format(Bare).into_layer(), || info!("behind a thread"));
    drop(guard);
    assert_eq!(read(&dir.path("app.log")), "made\nwritten\nbehind a thread\n");
    let daily = tracing_appender::rolling::daily(dir.path("daily"), "app");
    Stream::make_writer(daily).format(Bare).give(&record("today")).unwrap();
    let entry = fs::read_dir(dir.path("daily")).unwrap().next().unwrap().unwrap();
    assert!(entry.file_name().to_str().unwrap().starts_with("app.2"));
    assert_eq!(read(&entry.path()), "today\n");
}
