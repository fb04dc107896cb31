//! Connections: they send bytes to a peer.
//!
//! | | what it is |
//! |---|---|
//! | [`Address`] | the address of a peer: UDP, TCP, TLS, a unix socket |
//! | [`Connection`] | a [`Sink`](super::Sink) over a stream (TCP, unix, TLS): persistent, opened with the first record, reconnecting |
//! | [`Framing`] | where a record ends in a stream |
//! | [`Backoff`] | when an unavailable peer is tried again |
//! | `Tls` (feature `tls`) | trusted certificate authorities, and our own certificate |
//!
//! # What a stream promises
//! - A record arrives completely or not at all: a write that fails midway closes the connection, and if that was an old
//!   one, the complete record is sent again over a new one. No peer ever sees a part of a record followed by another.
//! - Before a record is written, a close by the peer is noticed if it has arrived by then. Records written while the
//!   peer is closing count as written and are lost.
//! - "Written" means that the operating system accepted all bytes. No protocol here has acknowledgements, so what was
//!   on its way when a peer died counts as written and is lost.
//! - A record is sent twice only if the first attempt failed. A peer that treats the end of a connection as the end of
//!   a record may then have it twice ([`Framing::Lines`], with only the line break missing). With a length prefix
//!   ([`Framing::Length`], [`Framing::OctetCounting`]) it recognizes a partial record.
//! - A child of fork(2) opens a connection of its own.

mod address;
mod backoff;
mod builder;
mod connection;
mod datagrams;
#[cfg(feature = "forward")]
mod dialog;
mod net_sink;
mod resolve;
mod stream;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "forward")]
pub(crate) use self::dialog::{Deadline, Dialog, DialogPeer};
#[cfg(feature = "tls")]
pub use self::tls::Tls;
pub use self::{address::Address, backoff::Backoff, builder::ConnectionBuilder, connection::Connection};
pub(crate) use self::{
    datagrams::{Datagrams, Peer, Socket, is_too_long},
    net_sink::NetSink,
};
pub use crate::framing::Framing;
