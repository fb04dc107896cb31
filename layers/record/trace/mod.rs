//! W3C trace context and baggage, without any SDK: parsed strictly, and produced.

mod baggage;
mod context;
mod parent;
mod state;

pub use self::{baggage::Baggage, context::TraceContext, parent::TraceParent, state::TraceState};
