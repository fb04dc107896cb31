//! Records to a receiver that Python's `logging` has been sending to: its `SocketHandler` form, read by CPython itself.
//! Where there is no `python3`, the receiver is a few lines of Rust that look at the frames.
//!
//! `cargo run --example socket_to_python`

use std::{
    error::Error,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use tracing::{error, info, info_span};
use tracing_strata::{format::Pickle, output::Socket, prelude::*, sink::net::Address};
use tracing_subscriber::prelude::*;

/// What the documentation of Python's `logging` shows, with an unpickler that refuses anything but plain data.
const RECEIVER: &str = r#"
import io, logging, pickle, struct, sys
class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")
frames = sys.stdin.buffer
while head := frames.read(4):
    record = logging.makeLogRecord(Plain(io.BytesIO(frames.read(struct.unpack(">L", head)[0]))).load())
    print(record.levelno, record.levelname, record.name, record.getMessage(), getattr(record, "order", None), record.user)
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let to = Address::tcp("127.0.0.1", receiver.local_addr()?.port());
    let (socket, guard) = Socket::builder(to).format(Pickle::new()).build_with_guard()?;
    tracing::subscriber::with_default(tracing_subscriber::registry().with(socket.into_layer()), || {
        let _request = info_span!("request", user = "ann").entered();
        info!(target: "shop::orders", order = 7, "order paid");
        error!(target: "shop::db", "connection lost");
    });
    guard.shutdown(Duration::from_secs(5))?;

    let mut frames = Vec::new();
    receiver.accept()?.0.read_to_end(&mut frames)?;
    let python = Command::new("python3").args(["-c", RECEIVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    match python {
        Ok(mut python) => {
            python.stdin.take().ok_or("no stdin")?.write_all(&frames)?;
            let output = python.wait_with_output()?;
            let said = String::from_utf8(output.stdout)?;
            print!("{said}");
            assert!(output.status.success());
            assert_eq!(said, "20 INFO shop.orders order paid 7 ann\n40 ERROR shop.db connection lost None ann\n");
        }
        Err(error) => {
            println!("no python3 ({error}); the frames:");
            let mut rest = &frames[..];
            let mut count = 0;
            while let Some((head, tail)) = rest.split_first_chunk::<4>() {
                let (frame, after) = tail.split_at(u32::from_be_bytes(*head) as usize);
                println!("{} bytes of pickle", frame.len());
                assert_eq!(frame.last(), Some(&b'.'));
                (rest, count) = (after, count + 1);
            }
            assert_eq!(count, 2);
        }
    }
    Ok(())
}
