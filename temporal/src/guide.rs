//! Two pages to begin with.

#[doc = include_str!("../docs/from_pytorch.md")]
pub mod from_pytorch {}

#[doc = include_str!("../docs/training.md")]
pub mod training {}
