//! Tests of the decision engine through its public API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod conditions;
mod decisions;
mod endpoints;
mod filters;
mod generate;
mod oracle;
mod properties;
