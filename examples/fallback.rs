//! Where do records go while the collector is away?

use std::{
    error::Error,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    time::Duration,
};

use tracing::info;
use tracing_strata::{
    format::Json,
    output::{LogFile, Socket},
    prelude::*,
    sink::net::{Address, Backoff, Connection},
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("strata-fallback-{}.jsonl", std::process::id()));
    // A port where nobody listens yet.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();

    let to = Connection::builder(Address::tcp("127.0.0.1", port)).backoff(Backoff::default().initial(Duration::ZERO));
    let (socket, guard) =
        Socket::builder(to).fallback(LogFile::builder(&path).format(Json::new()).build()?).build_with_guard()?;
    let layer = socket.into_layer().named("collector");
    let ledger = layer.ledger();
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    info!(order = 1, "while it is away");
    guard.flush(Duration::from_secs(5))?;

    let collector = TcpListener::bind(("127.0.0.1", port))?;
    info!(order = 2, "when it is there");
    guard.shutdown(Duration::from_secs(5))?;

    let mut there = String::new();
    BufReader::new(collector.accept()?.0).read_line(&mut there)?;
    let here = fs::read_to_string(&path)?;
    fs::remove_file(&path)?;
    println!("the collector got\n{there}\nthe file got\n{here}");
    println!("{}", ledger.stats());

    assert!(there.contains(r#""order":2"#) && !there.contains(r#""order":1"#));
    let messages = ["is away; its records come here", "while it is away", "is back"];
    assert!(here.lines().count() == 3 && here.lines().zip(messages).all(|(line, message)| line.contains(message)));
    assert_eq!((ledger.stats().written, ledger.stats().fallback_written), (2, 1));
    Ok(())
}
