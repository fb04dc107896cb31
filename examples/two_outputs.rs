//! One event, two outputs with their own formats and levels: warnings for people, everything as JSON in a file.
//!
//! `cargo run --example two_outputs`

use tracing::{debug, info, warn};
use tracing_strata::{
    Loggers, Record, Severity, Tee,
    format::{Json, Text},
    output::{LogFile, Stream},
    prelude::*,
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("strata-two-outputs-{}.jsonl", std::process::id()));
    // A password never reaches the file; the console has the original.
    let file = LogFile::builder(&path).format(Json::new()).build()?.transform(|record: &mut Record| {
        if record.fields().contains("password") {
            record.set("password", "***");
        }
    });
    let both =
        Tee::new().with("console", Stream::stdout().format(Text::new()).min_level(Severity::WARN)).with("file", file);
    let handlers = both.handlers().to_vec();
    tracing_subscriber::registry().with(both.into_layer().with_filter(Loggers::parse("debug")?)).init();

    debug!("for the file only");
    info!(user = 7, "for the file only");
    warn!(password = "s3cret", "for both");

    println!("\n--- {}\n{}", path.display(), std::fs::read_to_string(&path)?);
    for handler in &handlers {
        println!("{}: {}", handler.name(), handler.stats());
    }
    std::fs::remove_file(path)?;
    Ok(())
}
