//! Records to Graylog by GELF over UDP: `cargo run --example gelf -- graylog.example.org 12201`. Without a host, the example
//! itself is the server and shows what it gets.

use std::{error::Error, net::UdpSocket, time::Duration};

use tracing_strata::{format::Gelf, output::Datagram, prelude::*};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (host, port, server) = match (arguments.next(), arguments.next()) {
        (Some(host), Some(port)) => (host, port.parse()?, None),
        _ => {
            let server = UdpSocket::bind("127.0.0.1:0")?;
            server.set_read_timeout(Some(Duration::from_secs(10)))?;
            ("127.0.0.1".to_owned(), server.local_addr()?.port(), Some(server))
        }
    };

    let (graylog, guard) =
        Datagram::gelf(host, port).format(Gelf::new().field("service", "shop")).build_with_guard()?;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(graylog.into_layer()), || {
        let _request = tracing::info_span!("request", http.method = "PUT", user = 7).entered();
        tracing::warn!(id = "order-12", amount = 12.5, "refused\nby the bank");
    });
    // What waits in the queue is sent.
    guard.shutdown(Duration::from_secs(5))?;

    if let Some(server) = server {
        let mut message = [0; 8_192];
        let length = server.recv(&mut message)?;
        let message: serde_json::Value = serde_json::from_slice(&message[..length])?;
        println!("{message:#}");
        assert_eq!(message["short_message"], "refused");
        assert_eq!(message["full_message"], "refused\nby the bank");
        assert_eq!((&message["_http.method"], &message["_user"]), (&"PUT".into(), &7.into()));
        assert_eq!(message["_id_"], "order-12");
        assert_eq!(message["_service"], "shop");
    }
    Ok(())
}
