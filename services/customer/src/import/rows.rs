//! Text to rows: CSV (RFC 4180) or one JSON object a line.

mod csv;

use self::csv::Csv;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The most columns of a file.
pub(crate) const MAX_COLUMNS: usize = 200;
/// The largest cell, in bytes.
pub(crate) const MAX_CELL: usize = 32 << 10;
/// The largest row, in bytes.
const MAX_ROW: usize = 1 << 20;
/// The longest name of a column, in characters.
pub(crate) const MAX_NAME: usize = 200;
/// The most characters of a cell that are shown where a file is only looked at.
const SHOWN: usize = 200;
/// The bytes that hold these.
const SHOWN_BYTES: usize = 4 * (SHOWN + 1);

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "format")]
pub(crate) enum Format {
    /// Cells between delimiters; the first row names the columns.
    Csv { delimiter: u8 },
    /// One JSON object a line; its members are the columns.
    Ndjson,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// A row of CSV.
    Cells(Vec<String>),
    /// A row of NDJSON: names and values.
    Members(Vec<(String, String)>),
    /// A row that cannot be read, and its text: of CSV how it begins.
    Fault(Fault, String),
}

/// Why a row cannot be read, or what it says is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The column, when one is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule that was broken, as a stable word: `required`, `length`, `type`, `unknown`, `unique`, `forbidden` …
    pub rule: String,
    /// The rule in words.
    pub detail: String,
}

impl Fault {
    pub(crate) fn of_row(rule: &str, detail: impl Into<String>) -> Self {
        Self {
            column: None,
            rule: rule.to_owned(),
            detail: detail.into(),
        }
    }

    pub(crate) fn of_column(column: &str, rule: &str, detail: impl Into<String>) -> Self {
        Self {
            column: Some(column.to_owned()),
            ..Self::of_row(rule, detail)
        }
    }
}

/// The text as it is shown: what is longer than 200 characters ends with `…` instead.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some(_) => text
            .chars()
            .take(SHOWN - 1)
            .chain(['…'])
            .collect::<String>()
            .into(),
        None => text.into(),
    }
}

/// What stands where a reader stopped. The three that are within a row belong to one that is too long: of what follows
/// only its end matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Place {
    /// A row's beginning, or the rest of a line's end.
    #[default]
    Row,
    /// A cell's beginning, or what follows its closing quote: a quote opens it.
    Cell,
    /// The inside of a cell without quotes.
    Open,
    /// The inside of quotes.
    Quoted,
}

/// Reads rows from text that arrives in pieces. A new reader may begin at any row's end.
pub(crate) struct Rows {
    kind: Kind,
}

enum Kind {
    Csv(Box<Csv>),
    Lines {
        line: Vec<u8>,
        /// How a line begins that is too long.
        too_long: Option<String>,
    },
}

impl Rows {
    /// At a row's beginning.
    pub(crate) fn new(format: Format) -> Self {
        let kind = match format {
            Format::Csv { delimiter } => Kind::Csv(Box::new(Csv::new(delimiter))),
            Format::Ndjson => Kind::Lines {
                line: Vec::new(),
                too_long: None,
            },
        };
        Self { kind }
    }

    /// At a place that another reader told of, in a row with this beginning.
    pub(crate) fn at(format: Format, place: Place, beginning: &str) -> Self {
        let mut rows = Self::new(format);
        match &mut rows.kind {
            Kind::Csv(csv) => csv.go_on(place, beginning),
            Kind::Lines { too_long, .. } => *too_long = (place != Place::Row).then(|| beginning.to_owned()),
        }
        rows
    }

    /// Where reading stopped; `None` within a row of which something is kept.
    pub(crate) fn place(&self) -> Option<Place> {
        match &self.kind {
            Kind::Csv(csv) => csv.place(),
            Kind::Lines {
                too_long: Some(_), ..
            } => Some(Place::Open),
            Kind::Lines { line, .. } => line.is_empty().then_some(Place::Row),
        }
    }

    /// How the row begins, up to 200 characters, of which the rest is skipped; empty at other places.
    pub(crate) fn beginning(&self) -> String {
        match &self.kind {
            Kind::Csv(csv) => csv.beginning(),
            Kind::Lines { too_long, .. } => too_long.clone().unwrap_or_default(),
        }
    }

    /// The bytes that it holds of a row.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        match &self.kind {
            Kind::Csv(csv) => csv.held(),
            Kind::Lines { line, .. } => line.len(),
        }
    }

    /// The next row, taken off the front of `input`; `None` when it needs more. `last` says that no more will come.
    pub(crate) fn next(&mut self, input: &mut &[u8], last: bool) -> Option<Record> {
        match &mut self.kind {
            Kind::Csv(csv) => csv.next(input, last),
            Kind::Lines { line, too_long } => next_line(line, too_long, input, last),
        }
    }
}

/// What is shown of a row's first bytes.
fn first_of(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..SHOWN_BYTES).unwrap_or(text));
    shown(text.trim_end_matches(['\r', '\n'])).into_owned()
}

fn next_line(
    line: &mut Vec<u8>,
    too_long: &mut Option<String>,
    input: &mut &[u8],
    last: bool,
) -> Option<Record> {
    loop {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (piece, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        *input = rest;
        if too_long.is_none() {
            if line.len() + piece.len() > MAX_ROW {
                line.extend_from_slice(piece.get(..SHOWN_BYTES).unwrap_or(piece));
                *too_long = Some(first_of(line));
                line.clear();
            } else {
                line.extend_from_slice(piece);
            }
        }
        if end.is_none() && !(last && (!line.is_empty() || too_long.is_some())) {
            return None;
        }
        let whole = std::mem::take(line);
        if let Some(beginning) = too_long.take() {
            let fault = Fault::of_row("length", "the line exceeds 1 MiB");
            return Some(Record::Fault(fault, beginning));
        }
        let whole = whole.trim_ascii();
        if !whole.is_empty() {
            let text = || String::from_utf8_lossy(whole).into_owned();
            return Some(members(whole).map_or_else(|fault| Record::Fault(fault, text()), Record::Members));
        }
        if input.is_empty() {
            return None;
        }
    }
}

fn members(line: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let object: Map<String, Value> = serde_json::from_slice(line).map_err(|e| {
        let cause = e.to_string();
        Fault::of_row(
            "json",
            format!("the line is not a JSON object: {}", shown(&cause)),
        )
    })?;
    let mut members = Vec::with_capacity(object.len());
    for (name, value) in object {
        check_name(&name)?;
        match value {
            Value::Object(inner) if name == "custom" => {
                for (key, value) in inner {
                    check_name(&key)?;
                    let name = format!("custom.{key}");
                    let cell = cell(&name, value)?;
                    members.push((name, cell));
                }
            }
            value => {
                let cell = cell(&name, value)?;
                members.push((name, cell));
            }
        }
    }
    if members.len() > MAX_COLUMNS {
        let detail = format!("the line has more than {MAX_COLUMNS} members");
        return Err(Fault::of_row("columns", detail));
    }
    Ok(members)
}

/// The name itself is not in the error, which is kept and shown.
fn check_name(name: &str) -> Result<(), Fault> {
    if name.chars().any(char::is_control) {
        return Err(Fault::of_row(
            "name",
            "the name of a member holds a control character",
        ));
    }
    if name.chars().count() > MAX_NAME {
        let detail = format!("the name of a member has more than {MAX_NAME} characters");
        return Err(Fault::of_row("name", detail));
    }
    Ok(())
}

/// A JSON value as a cell of CSV would have it; the values of an array stand between bars.
fn cell(name: &str, value: Value) -> Result<String, Fault> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => {
            let cells: Result<Vec<_>, _> = values.into_iter().map(|value| cell(name, value)).collect();
            cells?.join("|")
        }
        Value::Object(_) => {
            return Err(Fault::of_column(
                name,
                "type",
                "must be a text, a number, a boolean or an array of these",
            ));
        }
    };
    if text.len() > MAX_CELL {
        return Err(Fault::of_column(name, "length", "exceeds 32 KiB"));
    }
    if text.contains('\0') {
        return Err(Fault::of_column(name, "nul", "holds the character NUL"));
    }
    Ok(text)
}

/// A record's cells in the order of the file's columns.
///
/// # Errors
/// When the row has other cells than there are columns.
pub(crate) fn aligned(record: Record, columns: &[String]) -> Result<Vec<String>, Fault> {
    match record {
        Record::Fault(fault, _) => Err(fault),
        Record::Cells(cells) if cells.len() == columns.len() => Ok(cells),
        Record::Cells(cells) => {
            let count = match cells.len() {
                1 => "1 cell".to_owned(),
                count => format!("{count} cells"),
            };
            let detail = format!("the row has {count}, the header {}", columns.len());
            Err(Fault::of_row("columns", detail))
        }
        Record::Members(members) => {
            let mut cells = vec![String::new(); columns.len()];
            for (name, value) in members {
                let cell = columns
                    .iter()
                    .position(|column| *column == name)
                    .and_then(|n| cells.get_mut(n));
                if let Some(cell) = cell {
                    *cell = value;
                }
            }
            Ok(cells)
        }
    }
}

#[cfg(test)]
mod tests;
