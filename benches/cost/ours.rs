//! A console, and rotating JSON behind a queue: this crate.

use tracing_strata::output::RotatingFile;

fn main() -> Result<(), tracing_strata::Error> {
    let file = RotatingFile::builder("logs/app.jsonl").max_bytes(10 << 20).backups(5).create_dirs(true);
    let _logging = tracing_strata::setup().file(file).init()?;
    tracing::info!(user = 7, route = "/orders", "request served");
    Ok(())
}
