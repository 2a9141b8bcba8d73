//! The routes in memory: an immutable snapshot that is swapped as a whole.

mod live;
mod pattern;
mod snapshot;
mod table;

pub(crate) use live::{Live, REPLICATE};
pub(crate) use pattern::Pattern;
pub(crate) use snapshot::{Loaded, Snapshot};
pub(crate) use table::{Match, Question, Upstream};
