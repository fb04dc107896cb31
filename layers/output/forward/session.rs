//! A connection of the forward protocol: its handshake, and its acknowledgements.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
};

use sha2::{Digest as _, Sha512};

use crate::{
    Error,
    format::msgpack::{NoValue, Read, push_array, push_str, read},
    sink::{
        Credential,
        net::{Deadline, Dialog, DialogPeer},
    },
    text::{escaped, head},
};

/// The longest answer that is read, in bytes; those of the protocol have about 200.
const MAX_ANSWER: usize = 4_096;
/// How much of a receiver's reason is told, in bytes.
const MAX_REASON: usize = 200;

/// What a receiver with a shared key asks for.
pub(super) struct Access {
    pub(super) key: Credential,
    pub(super) login: Option<(String, Credential)>,
    pub(super) host: String,
}

impl Access {
    /// Reads the secrets once.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.key.read()?;
        self.login.as_ref().map_or(Ok(()), |(_, password)| password.read().map(drop))
    }
}

/// An open connection, after the handshake.
pub(super) struct Session {
    dialog: Dialog,
    received: Vec<u8>,
    keeps_alive: bool,
}

impl Session {
    pub(super) fn open(peer: &DialogPeer, access: Option<&Access>, deadline: Deadline) -> Result<Self, Error> {
        let dialog = peer.connect(deadline).map_err(|error| Error::with_source("cannot connect", error))?;
        let mut session = Self { dialog, received: Vec::new(), keeps_alive: true };
        if let Some(access) = access {
            session.shake_hands(access, deadline).map_err(|error| Error::with_source("the handshake failed", error))?;
        }
        Ok(session)
    }

    /// None if the receiver has closed it.
    pub(super) fn still_open(mut self) -> Option<Self> {
        self.received.clear();
        self.dialog.is_alive().then_some(self)
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    pub(super) fn close(self) {
        self.dialog.close();
    }

    pub(super) fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<(), Error> {
        self.dialog.write_all(bytes, deadline).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Error::new("the receiver took nothing in time"),
            _ => Error::with_source("cannot send", error),
        })
    }

    /// Takes out one of the chunks that wait: a receiver may acknowledge them in any order.
    pub(super) fn await_ack(&mut self, waiting: &mut [Option<&str>], deadline: Deadline) -> Result<(), Error> {
        self.answer("an acknowledgement", deadline, |answer| match answer.get("ack").and_then(Read::text) {
            Some(ack) => {
                let is_it = |chunk: &&mut Option<&str>| chunk.is_some_and(|chunk| chunk.as_bytes() == ack);
                let chunk = waiting.iter_mut().find(is_it);
                *chunk.ok_or_else(|| Error::new("the receiver acknowledged something else"))? = None;
                Ok(())
            }
            None if word(answer) == Some(b"HELO") => Err(Error::new("the receiver asks for a shared key")),
            None => Err(unexpected("an acknowledgement")),
        })
    }

    fn shake_hands(&mut self, access: &Access, deadline: Deadline) -> Result<(), Error> {
        let (nonce, auth, keeps_alive) = self.answer("HELO", deadline, |answer| {
            let (Some(b"HELO"), Read::List(parts)) = (word(answer), answer) else { return Err(unexpected("HELO")) };
            let options = parts.get(1);
            let text = |key| Some(options?.get(key)?.text()?.to_owned());
            let keeps_alive = options.and_then(|options| options.get("keepalive")) != Some(&Read::Bool(false));
            Ok((text("nonce").unwrap_or_default(), text("auth").unwrap_or_default(), keeps_alive))
        })?;
        self.keeps_alive = keeps_alive;
        let key = access.key.read()?;
        let salt = salt();
        let proof = |host: &[u8]| digest(&[salt.as_bytes(), host, &nonce, key.as_bytes()]);
        let (user, password) = match (&access.login, auth.is_empty()) {
            (Some((user, password)), false) => {
                (&**user, digest(&[&auth, user.as_bytes(), password.read()?.as_bytes()]))
            }
            (None, false) => return Err(Error::new("the receiver asks for a user and a password")),
            (_, true) => ("", String::new()),
        };
        let mut ping = Vec::new();
        push_array(6, &mut ping);
        let proof_of_ours = proof(access.host.as_bytes());
        for text in ["PING", &access.host, &salt, &proof_of_ours, user, &password] {
            push_str(text, &mut ping);
        }
        self.write(&ping, deadline)?;
        self.answer("PONG", deadline, |answer| {
            let (Some(b"PONG"), Read::List(parts)) = (word(answer), answer) else { return Err(unexpected("PONG")) };
            let text = |index: usize| parts.get(index).and_then(Read::text).unwrap_or_default();
            if parts.get(1) != Some(&Read::Bool(true)) {
                let reason = String::from_utf8_lossy(text(2));
                let reason = escaped(head(&reason, MAX_REASON));
                return Err(Error::new(format_args!("the receiver refuses us: \"{reason}\"")));
            }
            if text(4) != proof(text(3)).as_bytes() {
                return Err(Error::new("the receiver does not know the shared key"));
            }
            Ok(())
        })
    }

    /// The next thing that the receiver says.
    fn answer<R>(
        &mut self,
        expected: &str,
        deadline: Deadline,
        take: impl FnOnce(&Read<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        loop {
            match read(&self.received) {
                Ok((answer, length)) => {
                    let result = take(&answer);
                    self.received.drain(..length);
                    return result;
                }
                Err(NoValue::Incomplete) if self.received.len() < MAX_ANSWER => {}
                Err(_) => return Err(unexpected(expected)),
            }
            let mut buffer = [0; 1_024];
            let count = self.dialog.read(&mut buffer, deadline).map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => Error::new(format_args!("expected {expected}, nothing came in time")),
                _ => Error::with_source(format_args!("expected {expected}"), error),
            })?;
            self.received.extend_from_slice(&buffer[..count]);
        }
    }
}

fn unexpected(expected: &str) -> Error {
    Error::new(format_args!("expected {expected}, the receiver said something else"))
}

/// What a message of the handshake begins with.
fn word<'a>(answer: &Read<'a>) -> Option<&'a [u8]> {
    if let Read::List(parts) = answer { parts.first()?.text() } else { None }
}

/// In hexadecimal digits.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So that the receiver's proof cannot be an old one. The keys of std's hashers come from the system's randomness.
fn salt() -> String {
    let [one, other] = [0, 1].map(|index: u8| RandomState::new().hash_one((index, std::time::SystemTime::now())));
    format!("{one:016x}{other:016x}")
}
