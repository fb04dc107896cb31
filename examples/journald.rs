//! Records in the systemd journal, with all their fields: `cargo run --example journald`, then
//! `journalctl -t shop -o verbose`. Where there is no journal, the example listens in its place and shows what it gets.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::os::unix::net::UnixDatagram;

    use tracing_strata::{Severity, output::Journald, prelude::*};
    use tracing_subscriber::prelude::*;

    let (journald, stand_in) = match Journald::builder().identifier("shop").build() {
        Ok(journald) => (journald, None),
        Err(error) => {
            println!("{error}: the example listens itself");
            let path = std::env::temp_dir().join(format!("strata-journald-{}", std::process::id()));
            let stand_in = UnixDatagram::bind(&path)?;
            (Journald::builder().identifier("shop").socket(&path).build()?, Some((stand_in, path)))
        }
    };

    let layer = journald.min_level(Severity::INFO).into_layer();
    let ledger = layer.ledger();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let _request = tracing::info_span!("request", http.method = "PUT", user = 7).entered();
        tracing::warn!(free_bytes = 3_000, message = "nearly full\nplease clean up", disk = "/dev/sda1");
    });
    assert_eq!((ledger.stats().written, ledger.stats().failed), (1, 0));

    if let Some((stand_in, path)) = stand_in {
        let mut entry = [0; 4096];
        let length = stand_in.recv(&mut entry)?;
        let entry = String::from_utf8_lossy(&entry[..length]);
        println!("{entry}");
        for field in [
            "PRIORITY=4\n",
            "SYSLOG_IDENTIFIER=shop\n",
            "SPAN_NAME=request\n",
            "HTTP__METHOD=PUT\n",
            "FREE_BYTES=3000\n",
        ] {
            assert!(entry.contains(field), "{field}");
        }
        std::fs::remove_file(path)?;
    } else {
        println!("see journalctl -t shop -o verbose");
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("systemd's journal is Linux's");
}
