//! Requests over HTTP/1.1: for outputs that send to services.
//!
//! | | what it is |
//! |---|---|
//! | [`Auth`], [`Credential`] | what a receiver asks for: a password, a token, a key; from a file, the environment or a function |
//! | [`Redirects`] | whether an answer may send us elsewhere |

mod auth;
pub(crate) mod base64;
mod client;
mod endpoint;
mod retry_after;
mod tls;

pub use self::{auth::Auth, client::Redirects};
pub(crate) use self::{
    client::{Client, ClientOptions, Method, Request, Response},
    endpoint::Endpoint,
};
pub use super::credential::Credential;
