//! The black-box suite. Every journey runs in both topologies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod api;
mod catalogue;
mod journey;
