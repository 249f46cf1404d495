//! The inner loops.

mod aligned;
pub(crate) mod portable;

pub(crate) use aligned::Aligned;
