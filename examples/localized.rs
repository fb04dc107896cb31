//! One event, two readers: the console has the text of the source, the audit file speaks the user's language.
//!
//! ```text
//! cargo run --example localized
//! ```

use std::fs;

use tracing::{info, info_span};
use tracing_strata::{
    filter::{Fluent, Localize},
    format::{Text, Time},
    output::{LogFile, Stream},
    prelude::*,
};
use tracing_subscriber::prelude::*;

const GERMAN: &str = "
order-placed = { $items ->
    [one] { $user } hat einen Artikel bestellt
   *[other] { $user } hat { $items } Artikel bestellt
}
";
const SPANISH: &str = "order-paid = { $user } ha pagado";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("strata-localized-{}.log", std::process::id()));
    // German first; what it does not have is said in Spanish.
    let german = Localize::new(Fluent::parse("de", GERMAN)?.or("es", SPANISH)?);
    let text = || Text::plain().time(Time::none()).target(false).spans(false);
    let audit = LogFile::builder(&path).format(text()).build()?.transform(german.clone());

    let subscriber =
        tracing_subscriber::registry().with(Stream::stdout().format(text()).into_layer()).with(audit.into_layer());
    tracing::subscriber::with_default(subscriber, || {
        let _request = info_span!("request", user = "Ann").entered();
        info!(message_key = "order-placed", items = 1, "1 item ordered");
        info!(message_key = "order-placed", items = 3, "3 items ordered");
        info!(message_key = "order-paid", "paid");
        info!(message_key = "order-lost", "lost in the mail");
    });

    let audited = fs::read_to_string(&path)?;
    println!("--- the audit file");
    print!("{audited}");
    assert!(audited.contains("Ann hat einen Artikel bestellt") && audited.contains("Ann hat 3 Artikel bestellt"));
    assert!(audited.contains("Ann ha pagado"));
    // A key that no language has: the text of the source, counted.
    assert!(audited.contains("lost in the mail"));
    assert_eq!(german.missing(), 1);
    fs::remove_file(path)?;
    Ok(())
}
