//! How do I keep my `logging.yaml` from Django or uvicorn?
//!
//! The file is what such projects have: formatters, filters, rotating files, an access log of its own. It is read as it is;
//! what Python resolves by importing is registered by name.

use tracing::{debug, error, info, warn};
use tracing_strata::{
    Record, Severity,
    config::{ClassRegistry, Config, ConfigFilter, Logging, MigrationVerdict},
};
use tracing_subscriber::prelude::*;

const LOGGING_YAML: &str = r#"
version: 1
disable_existing_loggers: false
formatters:
  verbose:
    format: "{levelname} {asctime} {module} {process:d} {message}"
    style: "{"
  simple:
    format: "%(levelname)-8s %(name)s: %(message)s"
  access:
    format: '%(client_addr)s - "%(request_line)s" %(status_code)s'
    defaults: {client_addr: "-", request_line: "-", status_code: 0}
filters:
  require_debug_false:
    (): shop.filters.RequireDebugFalse
handlers:
  console:
    class: logging.StreamHandler
    stream: ext://sys.stdout
    level: WARNING
    formatter: simple
  file:
    class: logging.handlers.RotatingFileHandler
    filename: ${LOG_DIR:-/var/log/shop}/django.log
    maxBytes: 10000
    backupCount: 3
    formatter: verbose
    strata: {create_dirs: true}
  errors:
    class: logging.handlers.MemoryHandler
    capacity: 100
    flushLevel: ERROR
    target: file
    filters: [require_debug_false]
  access:
    class: logging.FileHandler
    filename: ${LOG_DIR:-/var/log/shop}/access.log
    formatter: access
loggers:
  django: {handlers: [console, errors], level: INFO}
  django.db.backends: {level: ERROR}
  uvicorn.access: {handlers: [access], level: INFO, propagate: false}
root: {handlers: [console], level: WARNING}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-dict-config-{}", std::process::id()));
    let directory = logs.display().to_string();

    // What of it is different here, before anything is changed.
    let config = Config::from_yaml(LOGGING_YAML)?.expand(|name| (name == "LOG_DIR").then(|| directory.clone()))?;
    let report = Logging::new().migration_report(&config);
    println!("{report}\n");
    let filter = report.entries().iter().find(|entry| entry.path() == "filters.require_debug_false").unwrap();
    assert_eq!(filter.verdict(), MigrationVerdict::NotSupported);

    // Python would import it; here it is registered.
    let debug_is_on = false;
    let registry = ClassRegistry::new()
        .filter("shop.filters.RequireDebugFalse", move |_| Ok(ConfigFilter::decides(move |_: &Record| !debug_is_on)));
    std::fs::create_dir_all(&logs)?;
    let logging = Logging::builder().registry(registry).build(&config)?;
    tracing_subscriber::registry().with(logging.layer()).init();

    info!(target: "django.request", "GET /");
    debug!(target: "django.db.backends", "SELECT 1");
    warn!(target: "django.security", host = "evil.example", "invalid host");
    info!(target: "uvicorn.access", client_addr = "10.0.0.7", request_line = "GET / HTTP/1.1", status_code = 200, "");
    error!(target: "django.request", "Internal Server Error: /pay");

    // The error brought everything that was held back.
    let file = std::fs::read_to_string(logs.join("django.log"))?;
    assert_eq!(file.lines().count(), 3, "{file}");
    assert!(file.starts_with("INFO "), "{file}");
    let access = std::fs::read_to_string(logs.join("access.log"))?;
    assert_eq!(access, "10.0.0.7 - \"GET / HTTP/1.1\" 200\n");
    println!("{}", logging.explain("django.db.backends", Severity::INFO));
    for warning in logging.check(&config)? {
        println!("doubtful: {warning}");
    }
    std::fs::remove_dir_all(logs)?;
    Ok(())
}
