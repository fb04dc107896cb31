//! Loggers by name: inherited levels, handlers on a subtree, changes at run time, and why a record goes where it goes.
//!
//! `cargo run --example hierarchy`

use tracing::{debug, info, warn};
use tracing_strata::{Loggers, Severity, format::Text, output::Stream, prelude::*};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), tracing_strata::Error> {
    let loggers = Loggers::parse("warn,shop=info")?;
    loggers.add_handler("", Stream::stdout().format(Text::new()).named("all"))?;
    loggers.add_handler("shop.db", Stream::stdout().format(Text::new()).named("database only"))?;
    tracing_subscriber::registry().with(loggers.clone().into_layer()).init();

    info!(target: "shop", "seen: shop is at INFO");
    debug!(target: "shop::db", "not seen: shop.db inherits INFO");
    info!(target: "lib", "not seen: the root is at WARN");

    // A call site that was off is on from the next event.
    loggers.set_level("shop.db", Severity::DEBUG)?;
    debug!(target: "shop::db", "seen twice: its own handler and the root's");

    // Handlers of the ancestors do not see what happens below `shop.db` any more.
    loggers.set_propagate("shop.db", false)?;
    warn!(target: "shop::db", "seen once");

    println!("\n{}", loggers.explain("shop.db.pool", Severity::INFO));
    println!("{}", loggers.explain("lib", Severity::INFO));
    println!("\nloggers: {loggers}");
    Ok(())
}
