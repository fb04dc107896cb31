//! Tests through the public API, one binary.
#![allow(clippy::unwrap_used)]

mod hostile;
mod json;
mod text;
