//! Text to rows: CSV (RFC 4180) or one JSON object a line.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most columns of a file.
pub(crate) const MAX_COLUMNS: usize = 200;
/// The largest cell, in bytes.
pub(crate) const MAX_CELL: usize = 32 << 10;
/// The largest row, in bytes.
const MAX_ROW: usize = 1 << 20;

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
    /// A row that cannot be read.
    Fault(Fault),
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

/// Reads rows from text that arrives in pieces. A new reader may begin at any row's end.
pub(crate) struct Rows {
    kind: Kind,
}

enum Kind {
    Csv(Box<Csv>),
    Lines { line: Vec<u8>, too_long: bool },
}

impl Rows {
    /// At a row's beginning.
    pub(crate) fn new(format: Format) -> Self {
        let kind = match format {
            Format::Csv { delimiter } => Kind::Csv(Box::new(Csv::new(delimiter))),
            Format::Ndjson => Kind::Lines {
                line: Vec::new(),
                too_long: false,
            },
        };
        Self { kind }
    }

    /// The next row, taken off the front of `input`; `None` when it needs more. `last` says that no more will come.
    pub(crate) fn next(&mut self, input: &mut &[u8], last: bool) -> Option<Record> {
        match &mut self.kind {
            Kind::Csv(csv) => csv.next(input, last),
            Kind::Lines { line, too_long } => next_line(line, too_long, input, last),
        }
    }
}

struct Csv {
    reader: Reader,
    cells: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    counted: usize,
    fault: Option<Fault>,
}

impl Csv {
    fn new(delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            cells: vec![0; 4096],
            filled: 0,
            ends: vec![0; MAX_COLUMNS + 1],
            counted: 0,
            fault: None,
        }
    }

    fn next(&mut self, input: &mut &[u8], last: bool) -> Option<Record> {
        loop {
            if input.is_empty() && !last {
                return None;
            }
            let (cells, ends) = (
                self.cells.get_mut(self.filled..).unwrap_or_default(),
                self.ends.get_mut(self.counted..).unwrap_or_default(),
            );
            let (result, read, written, ended) = self.reader.read_record(input, cells, ends);
            *input = input.get(read..).unwrap_or_default();
            self.filled += written;
            self.counted += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.grow(),
                ReadRecordResult::OutputEndsFull => {
                    let detail = format!("the row has more than {MAX_COLUMNS} cells");
                    self.give_up(Fault::of_row("columns", detail));
                }
                ReadRecordResult::Record => return Some(self.take()),
                ReadRecordResult::End => return None,
            }
        }
    }

    fn grow(&mut self) {
        if self.cells.len() < MAX_ROW {
            self.cells.resize((self.cells.len() * 2).min(MAX_ROW), 0);
            return;
        }
        let detail = "the row exceeds 1 MiB; perhaps a quote is not closed";
        self.give_up(Fault::of_row("length", detail));
    }

    /// Reads on to the row's end without keeping it.
    fn give_up(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        (self.filled, self.counted) = (0, 0);
    }

    fn take(&mut self) -> Record {
        let (filled, counted) = (self.filled, self.counted);
        (self.filled, self.counted) = (0, 0);
        if let Some(fault) = self.fault.take() {
            return Record::Fault(fault);
        }
        let (mut cells, mut from) = (Vec::with_capacity(counted), 0);
        for end in self.ends.iter().take(counted) {
            let cell = self.cells.get(from..(*end).min(filled)).unwrap_or_default();
            from = *end;
            match text(cell) {
                Ok(cell) => cells.push(cell),
                Err(fault) => return Record::Fault(fault),
            }
        }
        Record::Cells(cells)
    }
}

fn text(cell: &[u8]) -> Result<String, Fault> {
    if cell.len() > MAX_CELL {
        return Err(Fault::of_row("length", "a cell exceeds 32 KiB"));
    }
    match std::str::from_utf8(cell) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Fault::of_row("encoding", "a cell is not UTF-8")),
    }
}

fn next_line(line: &mut Vec<u8>, too_long: &mut bool, input: &mut &[u8], last: bool) -> Option<Record> {
    loop {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (piece, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        *input = rest;
        if line.len() + piece.len() > MAX_ROW {
            *too_long = true;
        }
        if !*too_long {
            line.extend_from_slice(piece);
        }
        if end.is_none() && !(last && (!line.is_empty() || *too_long)) {
            return None;
        }
        let whole = std::mem::take(line);
        if std::mem::take(too_long) {
            return Some(Record::Fault(Fault::of_row("length", "the line exceeds 1 MiB")));
        }
        let whole = whole.trim_ascii();
        if !whole.is_empty() {
            return Some(members(whole).map_or_else(Record::Fault, Record::Members));
        }
        if input.is_empty() {
            return None;
        }
    }
}

fn members(line: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let object: Map<String, Value> = serde_json::from_slice(line)
        .map_err(|e| Fault::of_row("json", format!("the line is not a JSON object: {e}")))?;
    let mut members = Vec::with_capacity(object.len());
    for (name, value) in object {
        match value {
            Value::Object(inner) if name == "custom" => {
                for (key, value) in inner {
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
        Record::Fault(fault) => Err(fault),
        Record::Cells(cells) if cells.len() == columns.len() => Ok(cells),
        Record::Cells(cells) => {
            let detail = format!("the row has {} cells, the header {}", cells.len(), columns.len());
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
mod tests {
    use super::*;

    const COMMA: Format = Format::Csv { delimiter: b',' };

    /// The rows and where each ended, the same in any pieces.
    fn read(format: Format, text: &str) -> (Vec<Record>, Vec<usize>) {
        let mut results = [1, 2, 5, usize::MAX].into_iter().map(|piece| {
            let (mut rows, mut found, mut ends, mut at) = (Rows::new(format), Vec::new(), Vec::new(), 0);
            for piece in text.as_bytes().chunks(piece.min(text.len().max(1))) {
                let mut input = piece;
                while let Some(record) = rows.next(&mut input, false) {
                    found.push(record);
                    ends.push(at + piece.len() - input.len());
                }
                at += piece.len();
            }
            let mut nothing: &[u8] = &[];
            while let Some(record) = rows.next(&mut nothing, true) {
                found.push(record);
                ends.push(at);
            }
            (found, ends)
        });
        let first = results.next().unwrap();
        for other in results {
            assert_eq!(other.0, first.0, "the pieces make no difference");
        }
        first
    }

    fn cells(cells: &[&str]) -> Record {
        Record::Cells(cells.iter().map(|c| (*c).to_owned()).collect())
    }

    // covers: CRM-09
    #[test]
    fn quotes_newlines_and_blank_lines() {
        let text = "a,b\r\n\"x,1\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",\nlast,row";
        let (rows, _) = read(COMMA, text);
        let expected = [
            cells(&["a", "b"]),
            cells(&["x,1", "say \"hi\""]),
            cells(&["two\nlines", ""]),
            cells(&["last", "row"]),
        ];
        assert_eq!(rows, expected);
        assert_eq!(read(COMMA, "").0, []);
        let wide = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(matches!(&read(COMMA, &wide).0[..], [Record::Cells(c)] if c.len() == 100));
    }

    // covers: CRM-09
    #[test]
    fn reading_goes_on_from_any_rows_end() {
        for (format, text) in [
            (COMMA, "a,b\r\n\"x\n1\",2\r\n\r\n3,4\n5,\"6\"\r\n"),
            (Format::Ndjson, "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}"),
        ] {
            let (rows, ends) = read(format, text);
            for (n, end) in ends.iter().enumerate() {
                let (rest, _) = read(format, text.get(*end..).unwrap());
                assert_eq!(rest, rows[n + 1..], "from {end}");
            }
        }
    }

    // covers: CRM-09
    #[test]
    fn faulty_rows_do_not_stop_the_others() {
        let long = "x".repeat(MAX_CELL + 1);
        let wide = ",".repeat(MAX_COLUMNS + 1);
        let text = format!("a\n{long}\n{wide}\nb\n");
        let (rows, _) = read(COMMA, &text);
        assert_eq!((&rows[0], &rows[3]), (&cells(&["a"]), &cells(&["b"])));
        assert!(matches!(&rows[1], Record::Fault(f) if f.rule == "length"));
        assert!(matches!(&rows[2], Record::Fault(f) if f.rule == "columns"));
        let open = format!("a\n\"{}", "x\n".repeat(MAX_ROW));
        let mut rest = open.as_bytes();
        let mut rows = Rows::new(COMMA);
        assert_eq!(rows.next(&mut rest, true), Some(cells(&["a"])));
        assert!(matches!(rows.next(&mut rest, true), Some(Record::Fault(f)) if f.detail.contains("quote")));
    }

    // covers: CRM-09
    #[test]
    fn lines_of_json_are_rows() {
        let text = "{\"name\":\"A\",\"tags\":[\"x\",\"y\"],\"custom\":{\"size\":3},\"none\":null}\n[1]\n{\"o\":{}}\n";
        let (rows, _) = read(Format::Ndjson, text);
        let Record::Members(members) = &rows[0] else {
            panic!("{rows:?}")
        };
        let pairs: Vec<_> = members.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert!(
            pairs.contains(&("tags", "x|y")) && pairs.contains(&("custom.size", "3")),
            "{pairs:?}"
        );
        assert!(matches!(&rows[1], Record::Fault(f) if f.rule == "json"));
        assert!(matches!(&rows[2], Record::Fault(f) if f.column.as_deref() == Some("o")));
        let columns = ["name".to_owned(), "absent".to_owned()];
        assert_eq!(aligned(rows[0].clone(), &columns).unwrap(), ["A", ""]);
        assert_eq!(aligned(cells(&["only"]), &columns).unwrap_err().rule, "columns");
    }
}
