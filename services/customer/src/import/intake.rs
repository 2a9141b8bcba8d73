//! A file on its way in: unpacked, made UTF-8, looked through, and cut into chunks to keep.

use super::BadFile;
use super::charset::Charset;
use super::dialect;
use super::inflate::Inflate;
use super::rows::{Format, MAX_COLUMNS, MAX_NAME, Record, Rows, aligned, shown};
use encoding_rs::Encoding;
use std::collections::HashSet;

/// The size of every chunk but the last, in bytes. A position in a file is a count of bytes; with chunks of one size it
/// says which chunk.
pub(crate) const CHUNK: usize = 128 << 10;
/// The most bytes of text in a file.
pub(crate) const MAX_TEXT: u64 = 1 << 30;
/// How much is looked at before the delimiter is guessed.
const SAMPLE: usize = 64 << 10;
/// The rows that are shown before the import starts.
const PREVIEW: usize = 20;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) encoding: &'static str,
    pub(crate) format: Format,
    pub(crate) columns: Vec<String>,
    /// The first rows, aligned with the columns, their cells cut to be shown; what cannot be read is left out.
    pub(crate) preview: Vec<Vec<String>>,
    /// Rows without the header, faulty ones included.
    pub(crate) rows: u64,
    /// Where the first row begins, in bytes of text.
    pub(crate) start: u64,
    /// Bytes of text.
    pub(crate) bytes: u64,
}

/// Takes a file in pieces and gives it back in chunks.
pub(crate) struct Intake {
    inflate: Inflate,
    charset: Charset,
    packed: Vec<u8>,
    text: String,
    /// Text that waits for its dialect.
    sample: String,
    scan: Option<Scan>,
    /// Text that waits for its chunk.
    kept: Vec<u8>,
    stated: Option<Format>,
}

impl Intake {
    /// Finds encoding and format by itself unless they are stated.
    pub(crate) fn new(encoding: Option<&'static Encoding>, format: Option<Format>) -> Self {
        Self {
            inflate: Inflate::new(MAX_TEXT),
            charset: Charset::new(encoding),
            packed: Vec::new(),
            text: String::new(),
            sample: String::new(),
            scan: None,
            kept: Vec::new(),
            stated: format,
        }
    }

    /// Takes a piece. Keep pieces small (4 KiB), because packed ones grow; take the chunks after each.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), BadFile> {
        self.packed.clear();
        self.inflate.push(piece, &mut self.packed)?;
        self.text.clear();
        self.charset.push(&self.packed, &mut self.text)?;
        self.look(false)
    }

    /// The end of the file.
    ///
    /// # Errors
    /// When it breaks off, or holds no row.
    pub(crate) fn finish(&mut self) -> Result<About, BadFile> {
        self.packed.clear();
        self.inflate.finish(&mut self.packed)?;
        self.text.clear();
        self.charset.push(&self.packed, &mut self.text)?;
        self.charset.finish(&mut self.text)?;
        self.look(true)?;
        let scan = self.scan.take().ok_or_else(empty)?;
        scan.about(self.charset.name())
    }

    /// A chunk to keep, if there is a whole one; with `last`, what is left.
    pub(crate) fn chunk(&mut self, last: bool) -> Option<Vec<u8>> {
        if self.kept.len() >= CHUNK {
            let rest = self.kept.split_off(CHUNK);
            return Some(std::mem::replace(&mut self.kept, rest));
        }
        (last && !self.kept.is_empty()).then(|| std::mem::take(&mut self.kept))
    }

    fn look(&mut self, last: bool) -> Result<(), BadFile> {
        self.kept.extend_from_slice(self.text.as_bytes());
        if let Some(scan) = &mut self.scan {
            return scan.push(self.text.as_bytes(), last);
        }
        self.sample.push_str(&self.text);
        if self.sample.len() < SAMPLE && !last {
            return Ok(());
        }
        let sample = std::mem::take(&mut self.sample);
        let format = self.stated.unwrap_or_else(|| {
            if dialect::is_ndjson(&sample) {
                Format::Ndjson
            } else {
                let delimiter = dialect::delimiter(&sample);
                Format::Csv { delimiter }
            }
        });
        self.scan.insert(Scan::new(format)).push(sample.as_bytes(), last)
    }
}

fn empty() -> BadFile {
    BadFile::new("empty", "the file is empty; the first row must name the columns")
}

/// Counts the rows, and remembers the columns and the first rows.
struct Scan {
    format: Format,
    rows: Rows,
    columns: Vec<String>,
    known: HashSet<String>,
    first: Vec<Record>,
    count: u64,
    start: Option<u64>,
    bytes: u64,
}

impl Scan {
    fn new(format: Format) -> Self {
        Self {
            format,
            rows: Rows::new(format),
            columns: Vec::new(),
            known: HashSet::new(),
            first: Vec::new(),
            count: 0,
            start: matches!(format, Format::Ndjson).then_some(0),
            bytes: 0,
        }
    }

    fn push(&mut self, text: &[u8], last: bool) -> Result<(), BadFile> {
        let mut rest = text;
        while let Some(record) = self.rows.next(&mut rest, last) {
            if self.start.is_none() {
                self.columns = header(record)?;
                self.start = Some(self.bytes + (text.len() - rest.len()) as u64);
                continue;
            }
            self.count += 1;
            if let Record::Members(members) = &record {
                self.learn(members)?;
            }
            if self.first.len() < PREVIEW {
                self.first.push(record);
            }
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// The members of a line of JSON are columns.
    fn learn(&mut self, members: &[(String, String)]) -> Result<(), BadFile> {
        for (name, _) in members {
            if self.known.contains(name) {
                continue;
            }
            if self.columns.len() == MAX_COLUMNS {
                let detail = format!("the lines have more than {MAX_COLUMNS} different members");
                return Err(BadFile::new("columns", detail));
            }
            self.known.insert(name.clone());
            self.columns.push(name.clone());
        }
        Ok(())
    }

    fn about(self, encoding: &'static str) -> Result<About, BadFile> {
        let start = self.start.ok_or_else(empty)?;
        if self.count == 0 {
            let detail = "the file has a header and no rows; there is nothing to import";
            return Err(BadFile::new("no_rows", detail));
        }
        let columns = self.columns;
        let preview = self
            .first
            .into_iter()
            .filter_map(|record| aligned(record, &columns).ok())
            .map(|cells| cells.iter().map(|cell| shown(cell).into_owned()).collect())
            .collect();
        Ok(About {
            encoding,
            format: self.format,
            preview,
            columns,
            rows: self.count,
            start,
            bytes: self.bytes,
        })
    }
}

/// The columns' names: trimmed, numbered where they are missing or repeated.
fn header(record: Record) -> Result<Vec<String>, BadFile> {
    let cells = match record {
        Record::Cells(cells) => cells,
        Record::Members(_) => return Err(empty()),
        Record::Fault(fault, _) => {
            let detail = format!(
                "the first row must name the columns, and cannot be read: {}",
                fault.detail
            );
            return Err(BadFile::new("header", detail));
        }
    };
    if cells.iter().all(|cell| cell.trim().is_empty()) {
        return Err(BadFile::new(
            "header",
            "the first row must name the columns, and is blank",
        ));
    }
    if cells.len() > MAX_COLUMNS {
        let detail = format!("the file has more than {MAX_COLUMNS} columns");
        return Err(BadFile::new("columns", detail));
    }
    let mut columns: Vec<String> = Vec::with_capacity(cells.len());
    for (position, cell) in cells.iter().enumerate() {
        let wanted = name(cell, position + 1)?;
        let mut name = wanted.clone();
        let mut again = 2;
        while columns.contains(&name) {
            name = format!("{wanted} ({again})");
            again += 1;
        }
        columns.push(name);
    }
    Ok(columns)
}

/// A column's name on one line; spreadsheets break the lines of their headers.
fn name(cell: &str, position: usize) -> Result<String, BadFile> {
    let lines = ['\n', '\r', '\t'];
    let name = if cell.contains(lines) {
        cell.split(lines)
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        cell.trim().to_owned()
    };
    if name.is_empty() {
        return Ok(format!("Column {position}"));
    }
    if name.chars().any(char::is_control) {
        let detail = format!("the name of column {position} holds a control character; write it without");
        return Err(BadFile::new("header", detail));
    }
    if name.chars().count() > MAX_NAME {
        let detail = format!(
            "the name of column {position} has more than {MAX_NAME} characters; perhaps the first row names no columns"
        );
        return Err(BadFile::new("header", detail));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::rows::Fault;

    fn take(bytes: &[u8]) -> Result<(About, Vec<u8>), BadFile> {
        let (mut intake, mut kept) = (Intake::new(None, None), Vec::new());
        for piece in bytes.chunks(4096) {
            intake.push(piece)?;
            while let Some(chunk) = intake.chunk(false) {
                assert_eq!(chunk.len(), CHUNK);
                kept.extend(chunk);
            }
        }
        let about = intake.finish()?;
        while let Some(chunk) = intake.chunk(true) {
            kept.extend(chunk);
        }
        Ok((about, kept))
    }

    // covers: CRM-09
    #[test]
    fn a_file_is_described_and_kept_as_text() {
        let (about, kept) =
            take("\u{feff}Name;Phone;Phone;\r\nMüller;1;2;x\r\nKöln;3\r\n".as_bytes()).unwrap();
        assert_eq!(about.columns, ["Name", "Phone", "Phone (2)", "Column 4"]);
        assert_eq!(
            (about.encoding, about.format),
            ("UTF-8", Format::Csv { delimiter: b';' })
        );
        assert_eq!(
            (about.rows, about.preview.len()),
            (2, 1),
            "the ragged row is counted and not shown"
        );
        assert_eq!(about.bytes, kept.len() as u64);
        let mut rest = &kept[usize::try_from(about.start).unwrap()..];
        let first = Rows::new(about.format).next(&mut rest, true);
        assert!(matches!(first, Some(Record::Cells(c)) if c[0] == "Müller"));
    }

    // covers: CRM-09
    #[test]
    fn large_files_come_in_chunks_of_one_size() {
        let rows: String = (0..40_000)
            .map(|n| format!("Customer {n},c{n}@x.example\n"))
            .collect();
        let text = format!("name,email\n{rows}");
        let (about, kept) = take(text.as_bytes()).unwrap();
        assert_eq!(about.rows, 40_000);
        assert_eq!(kept, text.as_bytes());
        let lines: String = (0..5_000)
            .map(|n| format!("{{\"name\":\"C{n}\",\"k{}\":1}}\n", n % 3))
            .collect();
        let (about, _) = take(lines.as_bytes()).unwrap();
        assert_eq!(
            (about.rows, about.start, about.format),
            (5_000, 0, Format::Ndjson)
        );
        assert_eq!(
            about.columns,
            ["k0", "name", "k1", "k2"],
            "a line's members in alphabetical order"
        );
    }

    // covers: CRM-09
    #[test]
    fn files_without_rows_are_refused() {
        let wide = vec!["c"; MAX_COLUMNS + 1].join(",");
        for (text, rule) in [
            ("", "empty"),
            ("\n\n", "empty"),
            ("name,email\n", "no_rows"),
            (",,\nx,y,z\n", "header"),
            (&format!("{wide}\n{wide}\n"), "columns"),
            ("name\nA\0\n", "nul"),
            ("name,a\u{7}b\nA,1\n", "header"),
            (&format!("name,{}\nA,1\n", "é".repeat(MAX_NAME + 1)), "header"),
        ] {
            assert_eq!(take(text.as_bytes()).unwrap_err().rule, rule, "{text:.20}");
        }
        assert_eq!(Fault::of_row("x", "y").column, None);
        let long = format!("name,{}\nA,1\n", "x".repeat(MAX_NAME + 1));
        assert!(take(long.as_bytes()).unwrap_err().detail.contains("column 2"));
    }

    // covers: CRM-09
    #[test]
    fn what_is_shown_is_short_and_names_have_one_line() {
        let (name, cell) = ("é".repeat(MAX_NAME), "y".repeat(20_000));
        let (about, _) = take(format!("{name},\"office\r\n location\"\nA,{cell}\n").as_bytes()).unwrap();
        assert_eq!(about.columns, [name, "office location".to_owned()]);
        assert_eq!(about.preview, [["A".to_owned(), format!("{}…", "y".repeat(199))]]);
    }
}
