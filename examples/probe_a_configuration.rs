//! A test of a configuration, on a machine that has none of its files and servers: who gets what, and what a change changes.
//!
//! `cargo run --example probe_a_configuration`; the same assertions would be in a `#[test]`.

use tracing_strata::{Error, Severity, config::Config};

const PRODUCTION: &str = "
version: 1
formatters:
  short: {format: '%(levelname)s %(name)s: %(message)s'}
handlers:
  file: {class: logging.handlers.RotatingFileHandler, filename: /var/log/shop/shop.log, maxBytes: 10_000_000, backupCount: 5, formatter: short}
  pager: {class: logging.handlers.SysLogHandler, address: [pager.example, 514], level: CRITICAL}
  old: {class: logging.FileHandler, filename: /var/log/shop/old.log}
loggers:
  shop: {level: INFO, handlers: [file]}
  shop.audit: {level: DEBUG, handlers: [file], propagate: no}
  hyper: {level: OFF}
root: {level: WARNING, handlers: [pager]}
";

fn main() -> Result<(), Error> {
    let probe = Config::from_yaml(PRODUCTION)?.probe()?;
    println!("{probe}");

    let answer = probe.ask("shop.db", Severity::CRITICAL);
    assert_eq!(answer.handlers(), ["file", "pager"]);
    assert_eq!(answer.text("file"), Some("CRITICAL shop.db: message\n"));
    println!("{answer}\n");

    // Nobody wrote these lists: they are what the configuration does.
    assert_eq!(probe.silent_loggers(), ["hyper"]);
    assert_eq!(probe.unreached_handlers(), ["old"]);
    // An audit never pages anybody: it does not propagate.
    assert!(!probe.ask("shop.audit", Severity::CRITICAL).handlers().contains(&"pager"));

    let changed = PRODUCTION.replace("shop: {level: INFO", "shop: {level: WARNING").replace("%(levelname)s ", "");
    println!("With another level and another format:");
    for difference in probe.diff(&Config::from_yaml(&changed)?.probe()?) {
        println!("  {difference}");
    }
    Ok(())
}
