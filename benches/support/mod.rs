//! The parts of a bench: what is run (`cases`, `work`), by whom (`peers`), where to (`place`), how it is measured
//! (`child`, `clock`, `alloc`), and what is shown (`parent`, `table`).

pub(crate) mod alloc;
pub(crate) mod cases;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod parent;
pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod table;
pub(crate) mod work;
