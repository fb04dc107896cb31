//! How do I log from a script, in one line?

use tracing::{debug, info};
use tracing_strata::{Severity, config::BasicConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("strata-basic-{}.log", std::process::id()));
    BasicConfig::new().level(Severity::INFO).file(&path).format("%(asctime)s %(levelname)s %(message)s").init()?;
    info!("started");
    debug!("not at this level");

    // A second call is not silent, as it is in Python.
    let error = BasicConfig::new().level(Severity::DEBUG).init().unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("`force` replaces them"));

    // Unless it is meant: from now on to stdout.
    let logging = BasicConfig::new()
        .stdout()
        .level(Severity::DEBUG)
        .format("{levelname}: {message}")
        .style("{")
        .force(true)
        .init()?;
    debug!("to stdout");
    assert_eq!(logging.loggers().to_string(), "debug");

    let text = std::fs::read_to_string(&path)?;
    assert!(text.ends_with(" INFO started\n") && text.lines().count() == 1, "{text}");
    std::fs::remove_file(path)?;
    Ok(())
}
