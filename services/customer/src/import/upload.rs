//! What the API says of files and of what could not be done.

use super::intake::About;
use super::mapping::ColumnMapping;
use super::rows::{Fault, Format};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_types::{CustomerId, OperationId, UploadId};

/// What is kept of a file besides its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileFacts {
    pub(crate) encoding: String,
    pub(crate) format: Format,
    pub(crate) columns: Vec<String>,
    pub(crate) preview: Vec<Vec<String>>,
    pub(crate) mapping: Vec<ColumnMapping>,
    pub(crate) rows: u64,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

impl FileFacts {
    pub(crate) fn new(about: About, mapping: Vec<ColumnMapping>) -> Self {
        Self {
            encoding: about.encoding.to_owned(),
            format: about.format,
            columns: about.columns,
            preview: about.preview,
            mapping,
            rows: about.rows,
            start: about.start,
            bytes: about.bytes,
        }
    }
}

/// A file as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredUpload {
    pub(crate) id: UploadId,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: String,
    pub(crate) facts: FileFacts,
    pub(crate) operation_id: Option<OperationId>,
}

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Cells between delimiters (RFC 4180); the first row names the columns.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A file that was sent to be imported. It can be used for seven days.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// How its rows are written.
    pub format: FileFormat,
    /// What stands between the cells of CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// The encoding that it was read in, such as `UTF-8`, `UTF-16LE` or `windows-1252`.
    pub encoding: String,
    /// Rows without the header.
    pub rows: u64,
    /// Its columns, in order; repeated and missing names are numbered.
    pub columns: Vec<String>,
    /// The first rows, at most 20, as they will be read; cells are cut to 200 characters.
    pub preview: Vec<Vec<String>>,
    /// What each column most likely is, as `start` takes it.
    pub mapping: Vec<ColumnMapping>,
    /// The operation that was started last with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Who sent it.
    pub created_by: String,
}

impl From<StoredUpload> for Upload {
    fn from(stored: StoredUpload) -> Self {
        let facts = stored.facts;
        let (format, delimiter) = match facts.format {
            Format::Csv { delimiter } => (FileFormat::Csv, Some(char::from(delimiter))),
            Format::Ndjson => (FileFormat::Ndjson, None),
        };
        Self {
            id: stored.id,
            format,
            delimiter,
            encoding: facts.encoding,
            rows: facts.rows,
            columns: facts.columns,
            preview: facts.preview,
            mapping: facts.mapping,
            operation_id: stored.operation_id,
            created_at: stored.created_at,
            created_by: stored.created_by,
        }
    }
}

/// Something that an operation could not do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationError {
    /// The row in the file: of CSV the header is row 1, of NDJSON the first line; blank lines do not count. Of a bulk
    /// update, the customer's turn.
    pub row: i64,
    /// The customer of a bulk update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
    /// What was wrong.
    pub faults: Vec<Fault>,
    /// The row's cells as they were in the file, cut to 200 characters; what belongs to no column stands behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<String>>,
}
