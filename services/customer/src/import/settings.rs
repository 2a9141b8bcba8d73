//! What an import is told to do.

use super::mapping::Target;
use super::rows::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_contracts::customer::CustomerStatus;
use stoa_types::{BranchId, UploadId, UserId};

/// What rows are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyField {
    /// The id that this API gave the customer.
    Id,
    /// The key of the system that the file comes from.
    ExternalKey,
    /// The e-mail address.
    Email,
}

impl KeyField {
    /// Its name as a field of a mapping.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::ExternalKey => "externalKey",
            Self::Email => "email",
        }
    }
}

/// What becomes of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Each row is a new customer; one whose key exists is refused.
    Create,
    /// Each row changes the customer with its key; one without is refused.
    Update,
    /// A row changes the customer with its key, or is a new one.
    #[default]
    Upsert,
}

/// What new customers get where their row says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Defaults {
    /// The owner; the caller unless given.
    #[serde(rename = "ownerId")]
    pub owner: Option<UserId>,
    /// The branch; the caller's unless given.
    #[serde(rename = "branchId")]
    pub branch: Option<BranchId>,
    /// The status; `lead` unless given.
    pub status: Option<CustomerStatus>,
}

/// An import as it was started: the input of its job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) upload: UploadId,
    pub(crate) format: Format,
    pub(crate) columns: Vec<String>,
    /// A field for each column, or `ignore`.
    pub(crate) fields: Vec<String>,
    /// Where the first row begins, and where the text ends, in bytes.
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// What rows are found by.
    pub(crate) key: Option<KeyField>,
    /// What rows are found by whose cell of `key` is empty: the first of these whose cell is not.
    #[serde(default)]
    pub(crate) other_keys: Vec<KeyField>,
    pub(crate) mode: Mode,
    pub(crate) dry_run: bool,
    pub(crate) defaults: Defaults,
    pub(crate) max_errors: Option<u32>,
}

impl Settings {
    /// The targets of the columns.
    pub(crate) fn targets(&self) -> Vec<Option<Target>> {
        self.fields.iter().map(|field| Target::named(field)).collect()
    }

    pub(crate) fn is_csv(&self) -> bool {
        matches!(self.format, Format::Csv { .. })
    }

    /// What rows are found by: the first of these whose cell is not empty.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeyField> + '_ {
        self.key.into_iter().chain(self.other_keys.iter().copied())
    }
}
