//! How do records get to a syslog daemon, and what does it see?
//!
//! ```text
//! cargo run --example syslog                            # a daemon inside this program
//! cargo run --example syslog -- udp://localhost:514     # a real one: also tcp://HOST:PORT, /dev/log
//! ```

use std::{error::Error, io, net::UdpSocket, thread};

use tracing::{info_span, warn};
use tracing_strata::{
    format::{self, Facility},
    output::Syslog,
    prelude::*,
    sink::net::Address,
};
use tracing_subscriber::prelude::*;

/// A daemon that takes one message over UDP.
fn daemon() -> io::Result<(Address, thread::JoinHandle<io::Result<String>>)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = Address::udp("127.0.0.1", socket.local_addr()?.port());
    let receive = move || {
        let mut message = [0; 2048];
        let length = socket.recv(&mut message)?;
        Ok(String::from_utf8_lossy(&message[..length]).into_owned())
    };
    Ok((address, thread::spawn(receive)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (address, embedded) = match std::env::args().nth(1) {
        Some(address) => (address.parse()?, None),
        None => daemon().map(|(address, daemon)| (address, Some(daemon)))?,
    };
    println!("to {address}");

    let format = format::SyslogFormat::rfc5424().facility(Facility::Local3).app("shop").sd_id("shop@32473");
    // The queue's thread formats and sends; dropping the guard sends what waits.
    let (syslog, guard) = Syslog::builder(address).format(format).build_with_guard()?;
    let layer = syslog.into_layer().named("syslog");
    let ledger = layer.ledger();

    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _request = info_span!("request", id = "7f]3a").entered();
        warn!(target: "shop::pay", amount = 12.5, "card refused\n<34>1 - - - - - - not a second message");
    });
    drop(guard);
    println!("{}", ledger.stats());

    if let Some(daemon) = embedded {
        let message = daemon.join().map_err(|_| "the daemon panicked")??;
        println!("{message}");
        assert!(message.starts_with("<156>1 "));
        assert!(message.contains(r#" shop::pay [shop@32473 amount="12.5" id="7f\]3a"] card refused\n<34>1 "#));
    }
    assert_eq!(ledger.stats().written, 1);
    Ok(())
}
