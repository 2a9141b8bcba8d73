//! Reading files of customers: bytes to text, text to rows, rows to what a client would have said.
//!
//! Everything here is pure and takes its input in pieces: nothing holds a file, and a row's end is a place from which
//! reading can go on in another process.

pub(crate) mod charset;
pub(crate) mod dialect;
pub(crate) mod formula;
pub(crate) mod inflate;
pub(crate) mod intake;
pub(crate) mod mapping;
mod piece;
pub(crate) mod plan;
pub(crate) mod reading;
pub(crate) mod rows;
mod settings;
pub(crate) mod step;
pub(crate) mod synonyms;
mod upload;

pub use mapping::ColumnMapping;
pub use rows::Fault;
pub(crate) use settings::Settings;
pub use settings::{Defaults, KeyField, Mode};
pub(crate) use upload::{FileFacts, StoredUpload};
pub use upload::{FileFormat, OperationError, Upload};

use stoa_kernel::{FieldError, Problem};

/// Why a file cannot be read at all. What is wrong with one row is that row's error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadFile {
    /// A stable word for the rule.
    pub(crate) rule: &'static str,
    /// The rule in words, and what to do.
    pub(crate) detail: String,
}

impl BadFile {
    pub(crate) fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }
}

impl From<BadFile> for Problem {
    fn from(bad: BadFile) -> Self {
        Self::invalid(vec![FieldError::new("", bad.rule, bad.detail)])
    }
}
