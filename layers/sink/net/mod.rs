//! What outputs over sockets share: how a peer is found and reached, and reached again.

mod dgram;
mod resolve;

pub(crate) use self::dgram::{Datagrams, Peer, Socket, is_too_long};
