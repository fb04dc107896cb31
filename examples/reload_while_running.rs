//! How do I change levels, formats and files of a running service, without a restart and without losing a record?

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use tracing::info;
use tracing_strata::{
    Severity,
    config::{Config, Logging},
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-reload-{}", std::process::id()));
    std::fs::create_dir_all(&logs)?;
    let config = |format: &str, file: &str| {
        Config::from_yaml(&format!(
            "{{version: 1, formatters: {{line: {{format: '{format}'}}}}, \
             handlers: {{file: {{class: logging.FileHandler, filename: {}, formatter: line}}}}, \
             root: {{level: INFO, handlers: [file]}}}}",
            logs.join(file).display()
        ))
    };
    let logging = Logging::builder().build(&config("%(message)s", "one.log")?)?;
    tracing_subscriber::registry().with(logging.layer()).init();

    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
        for worker in 0..4 {
            let (stop, sent) = (&stop, &sent);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    info!(worker, "working");
                    sent.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_micros(200));
                }
            });
        }
        let changed = || -> Result<(), Box<dyn std::error::Error>> {
            // Another format: the handler goes on, with its file and its account.
            println!("{}", logging.reload(&config("%(worker)d %(message)s", "one.log")?)?);
            // Another file.
            println!("{}", logging.reload(&config("%(message)s", "two.log")?)?);
            // A mistake: everything is told, and nothing happens.
            let error = logging.reload(&Config::from_yaml("{version: 1, root: {levle: INFO}}")?).unwrap_err();
            println!("{error}");
            // A single level.
            logging.loggers().set_level("noisy", Severity::ERROR)?;
            for turn in 0..200 {
                logging.reload(&config(
                    &format!("{turn} %(message)s"),
                    if turn % 3 == 0 { "one.log" } else { "two.log" },
                )?)?;
            }
            Ok(())
        };
        let result = changed();
        stop.store(true, Ordering::Relaxed);
        result
    })?;

    let lines =
        |file: &str| -> std::io::Result<u64> { Ok(std::fs::read_to_string(logs.join(file))?.lines().count() as u64) };
    let written = lines("one.log")? + lines("two.log")?;
    println!("{} sent, {written} written", sent.load(Ordering::Relaxed));
    assert_eq!(written, sent.load(Ordering::Relaxed));
    std::fs::remove_dir_all(logs)?;
    Ok(())
}
