//! Places where records end.
pub struct Stream;
