//! DEBUG records only of the requests that went wrong: each request's are remembered, and written if it fails or takes
//! too long.
//!
//! `cargo run --example flight_recorder`

use std::{sync::Arc, thread, time::Duration};

use tracing::{debug, error, info, info_span, trace};
use tracing_strata::{
    FlightRecorder, Loggers,
    format::{Json, Text},
    output::{LogFile, Stream},
    prelude::*,
};
use tracing_subscriber::prelude::*;

fn serve(request: u32) {
    let _request = info_span!("request", request).entered();
    debug!("reading the body");
    trace!(bytes = 512, "read");
    if request == 4 {
        thread::sleep(Duration::from_millis(60));
    }
    if request == 7 {
        // Something about it is odd, though it is neither slow nor an error.
        FlightRecorder::trigger_current();
    }
    debug!(table = "orders", "asking the database");
    match request {
        5 => error!("the database said no"),
        _ => info!("served"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("strata-flight-recorder-{}.jsonl", std::process::id()));
    let file = LogFile::builder(&path).format(Json::new()).build()?;
    let recorder = Arc::new(FlightRecorder::new(file).release_after(Duration::from_millis(50)).max_bytes(8 << 20));

    tracing_subscriber::registry()
        .with(Stream::stdout().format(Text::new()).into_layer().with_filter(Loggers::parse("info")?))
        .with(recorder.clone().into_layer().with_filter(Loggers::parse("trace")?))
        .init();

    (1..=8).for_each(serve);

    let lines = std::fs::read_to_string(&path)?;
    println!("\n--- {}\n{lines}", path.display());
    println!("{:?}", recorder.stats());

    let of = |request: u32| lines.lines().filter(|line| line.contains(&format!("\"request\":{request}"))).count();
    assert_eq!((1..=8).map(of).collect::<Vec<_>>(), [1, 1, 1, 4, 4, 1, 4, 1]);
    assert_eq!((recorder.stats().released, recorder.stats().forgotten), (3, 5));
    std::fs::remove_file(path)?;
    Ok(())
}
