//! Records to a service over HTTP, as JSON lines: `cargo run --example http -- https://logs.example.org/ingest`. Without a
//! URL, the example itself is the service and shows what it gets.

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread,
};

use tracing_strata::{
    format::Json,
    output::Http,
    prelude::*,
    sink::http::{Auth, Credential},
};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let (url, service) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let url = format!("http://{}/ingest", listener.local_addr()?);
            (url, Some(thread::spawn(move || serve(&listener))))
        }
    };

    // A token that may be renewed: it is asked for with each request.
    let token = Credential::from_fn(|| Ok(std::env::var("LOGS_TOKEN").unwrap_or_else(|_| "t-1".into())));
    let http = Http::builder(url).format(Json::new().field("service", "shop")).auth(Auth::bearer(token)).build()?;
    let layer = http.into_layer();
    let ledger = layer.ledger();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _request = tracing::info_span!("request", user = 7).entered();
        tracing::info!(order = 12, "paid");
        tracing::warn!("low on paper");
    });

    // The subscriber is gone, and what waited was sent.
    println!("{}", ledger.stats());
    if let Some(service) = service {
        let (authorization, body) = service.join().map_err(|_| "the service panicked")??;
        println!("{authorization}\n{body}");
        assert_eq!((authorization.as_str(), body.lines().count()), ("authorization: Bearer t-1", 2));
        assert!(body.contains(r#""message":"paid","order":12,"user":7,"service":"shop""#));
        assert_eq!((ledger.stats().written, ledger.stats().queued), (2, 0));
    }
    Ok(())
}

/// Answers one request.
fn serve(listener: &TcpListener) -> std::io::Result<(String, String)> {
    let mut reader = BufReader::new(listener.accept()?.0);
    let (mut authorization, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        let header = line.trim_end().to_ascii_lowercase();
        if header.starts_with("authorization:") {
            authorization = line.trim_end().to_owned();
        }
        if let Some(text) = header.strip_prefix("content-length: ") {
            length = text.parse().unwrap_or_default();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    Ok((authorization, String::from_utf8_lossy(&body).into_owned()))
}
