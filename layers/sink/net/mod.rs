//! Connections: bytes → a peer.
//!
//! | | what it is |
//! |---|---|
//! | [`Address`] | where the peer is: UDP, TCP, TLS, a unix socket |
//! | [`Connection`] | a [`Sink`](super::Sink) over a stream (TCP, unix, TLS): persistent, opened with the first record, reconnecting |
//! | [`Framing`] | where a record ends in a stream |
//! | [`Backoff`] | when a peer that is away is tried again |
//! | `Tls` (feature `tls`) | whom to trust, and who we are |
//!
//! # What a stream promises
//! - A record is whole or not there: after a write that failed in the middle the connection is closed, and where that was an
//!   old one, the record is sent once more, whole, over a new one. No peer ever sees a part of a record followed by another.
//! - A peer that has closed the connection is noticed before a record is written to it, if its word has arrived by then.
//!   Who closes it at the same moment gets records that count as written and are lost.
//! - "Written" means that the operating system took all bytes; no protocol here has acknowledgements, so what was on its way
//!   when a peer died is lost and counts as written.
//! - A record is sent twice only where the first time failed: a peer that takes the end of a connection for the end of a
//!   record may then have it twice ([`Framing::Lines`], with only the line break missing). With a length in front
//!   ([`Framing::Length`], [`Framing::OctetCounting`]) a part is known as such.
//! - A child of fork(2) opens a connection of its own.

mod address;
mod backoff;
mod builder;
mod connection;
mod datagrams;
mod framing;
mod net_sink;
mod resolve;
mod stream;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "tls")]
pub use self::tls::Tls;
pub use self::{
    address::Address, backoff::Backoff, builder::ConnectionBuilder, connection::Connection, framing::Framing,
};
pub(crate) use self::{
    datagrams::{Datagrams, Peer, Socket, is_too_long},
    net_sink::NetSink,
};
