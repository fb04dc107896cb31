//! What a person sees at a terminal: messages below each other, an error with its causes, a panic with the frames that
//! matter. The picture in the README is made of it.
//!
//! `cargo run --example pretty`, and `-- --svg examples/pretty/console.svg` for the picture

mod svg;

use std::{error::Error, fmt, num::NonZeroU16, thread};

use tracing::{debug, error, info, info_span, warn};
use tracing_strata::{
    format::{Color, Text},
    output::Stream,
    prelude::*,
    shutdown,
};
use tracing_subscriber::prelude::*;

#[derive(Debug)]
struct ChargeError(std::io::Error);

impl fmt::Display for ChargeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot charge the card")
    }
}

impl Error for ChargeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

mod shop {
    pub(crate) mod orders {
        pub(crate) fn total(prices: &[u32]) -> u32 {
            prices[0] + prices[1]
        }
    }
}

fn serve() {
    info!(target: "shop", port = 8080, "listening");
    let _request = info_span!("request", id = "7f3a", method = "POST").entered();
    debug!(target: "shop::db", rows = 3, took_ms = 1.25, "query done");
    info!(target: "shop::orders", user = 7, amount = 12.5, "order placed");
    warn!(target: "shop::orders", user = "Ada Lovelace", left = 2, "low on stock: the next delivery comes on Monday, and until then only two are left");
    let failed = ChargeError(std::io::Error::other("the bank does not answer"));
    error!(target: "shop::pay::card::gateway", user = 7, error = &failed as &dyn Error, "payment failed");
    warn!(target: "shop::pay", "a message of an enemy: \u{1b}[2J\u{7}\nINFO     all is well");
    let worker = thread::Builder::new().name("worker".into());
    let _panicked = worker.spawn(|| shop::orders::total(&[12])).map(thread::JoinHandle::join);
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, flag, path] = &arguments[..]
        && flag == "--svg"
    {
        std::panic::set_hook(Box::new(|_| {})); // std's own message: the record in the picture says it all
        let terminal = svg::Terminal::new(NonZeroU16::new(100));
        let console = Stream::sink(terminal.clone()).format(Text::pretty().color(Color::Always));
        start(console);
        serve();
        std::fs::write(path, terminal.picture())?;
        return Ok(());
    }
    start(Stream::stderr().format(Text::pretty()));
    serve();
    Ok(())
}

fn start(console: impl Handler) {
    tracing_subscriber::registry().with(console.into_layer()).init();
    shutdown::panic_hook();
}
