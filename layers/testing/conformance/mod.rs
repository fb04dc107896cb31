//! What every handler, format and sink must withstand, as a suite that yours can be run through.
//!
//! ```
//! use tracing_strata::{Delivery, Error, Outcome, Record, format::{Buffer, Format}, prelude::*, testing::conformance};
//!
//! struct Short;
//! impl Format for Short {
//!     fn format(&self, record: &Record, out: &mut Buffer) -> Result<(), Error> {
//!         Ok(write!(out, "{} {}", record.severity(), record.message().escape_debug())?)
//!     }
//! }
//!
//! struct Discards;
//! impl Handler for Discards {
//!     fn handle(&self, _: Delivery<'_>) -> Result<Outcome, Error> {
//!         Ok(Outcome::Written)
//!     }
//! }
//!
//! conformance::line_format(&Short);
//! conformance::handler(|| Discards);
//! ```

mod format;
mod handler;
mod records;
mod sink;

pub use self::{
    format::{format, line_format},
    handler::handler,
    sink::sink,
};
