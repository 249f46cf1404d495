//! An own model from own drives, with nothing to set up.
//!
//! - [`split`]: which drives there are, and which seconds of them validate
//! - [`labels`]: labels that do not belong to the pictures, found before the work
//! - [`purpose`]: what the model is for, as a recipe and a budget of savings
//! - [`choose`]: the thresholds and the phase that reach it with the lowest error
//! - [`history`]: how loss, error and savings went
//! - [`findings`]: what the figures say in words, and what would help
//! - [`page`]: the report as a page and as a card

pub mod choose;
pub mod findings;
pub mod history;
pub mod labels;
pub mod page;
pub mod purpose;
pub mod split;
