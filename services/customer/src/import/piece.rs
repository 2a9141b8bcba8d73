//! The rows of one step, taken from the file's chunks while these are read: a step holds its rows and one chunk.

use super::rows::{Fault, Format, Place, Record, Rows, aligned};

/// The most rows of a step.
pub(super) const ROWS: usize = 500;
/// How much text is enough for a step that has a row, in bytes.
const ENOUGH: usize = 1 << 20;
/// How much of a row that is too long is read in one step, in bytes; the next step goes on with it.
const PATIENCE: usize = 8 << 20;

/// A row of the file.
pub(super) struct FileRow {
    /// Bytes from the step's beginning to the row's end.
    pub(super) end: u64,
    pub(super) cells: Result<Vec<String>, Fault>,
    /// Of a row that cannot be read, for the error file: its cells, or none, and behind the columns' the rest of it.
    pub(super) unread: Option<Vec<String>>,
}

/// What a step works on.
pub(super) struct Piece {
    /// None when all that was read belongs to a row that is too long, or is blank.
    pub(super) rows: Vec<FileRow>,
    /// Whether the file ends with these rows.
    pub(super) last: bool,
    /// Where to go on when there are no rows: bytes from the step's beginning, and what stands there.
    pub(super) taken: u64,
    pub(super) place: Place,
    /// How the row begins that stands there.
    pub(super) beginning: String,
}

/// Takes chunks until there is enough for a step.
pub(super) struct Taking<'s> {
    columns: &'s [String],
    reader: Rows,
    rows: Vec<FileRow>,
    taken: usize,
    last: bool,
}

impl<'s> Taking<'s> {
    pub(super) fn new(format: Format, columns: &'s [String], place: Place, beginning: &str) -> Self {
        Self {
            columns,
            reader: Rows::at(format, place, beginning),
            rows: Vec::new(),
            taken: 0,
            last: false,
        }
    }

    /// Takes a chunk, of which nothing but its rows is kept; whether that is enough. `ends` says that it is the last.
    pub(super) fn push(&mut self, chunk: &[u8], ends: bool) -> bool {
        let mut rest = chunk;
        while self.rows.len() < ROWS {
            let Some(record) = self.reader.next(&mut rest, ends) else {
                self.taken += chunk.len();
                self.last = ends;
                return ends || self.is_enough();
            };
            let unread = match &record {
                Record::Cells(cells) if cells.len() != self.columns.len() => Some(cells.clone()),
                Record::Fault(_, text) => {
                    let none = std::iter::repeat_n(String::new(), self.columns.len());
                    Some(none.chain([text.clone()]).collect())
                }
                Record::Cells(_) | Record::Members(_) => None,
            };
            self.rows.push(FileRow {
                end: (self.taken + chunk.len() - rest.len()) as u64,
                cells: aligned(record, self.columns),
                unread,
            });
        }
        // Whether something follows, the next step sees.
        true
    }

    fn is_enough(&self) -> bool {
        if self.rows.is_empty() {
            self.taken >= PATIENCE && self.reader.place().is_some()
        } else {
            self.taken >= ENOUGH
        }
    }

    pub(super) fn piece(self) -> Piece {
        Piece {
            last: self.last,
            taken: self.taken as u64,
            place: self.reader.place().unwrap_or_default(),
            beginning: self.reader.beginning(),
            rows: self.rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::intake::CHUNK;
    use super::*;

    struct Seen {
        /// For each row, whether it can be read, and what is wrong with it.
        rows: Vec<Result<String, String>>,
        steps: usize,
        /// The most chunks of a step, and the most bytes that its reader held.
        chunks: usize,
        held: usize,
    }

    /// Reads a file in steps, as an import does.
    fn read(format: Format, text: &[u8]) -> Seen {
        let columns = ["name".to_owned()];
        let mut seen = Seen {
            rows: Vec::new(),
            steps: 0,
            chunks: 0,
            held: 0,
        };
        let (mut at, mut place, mut beginning) = (0, Place::default(), String::new());
        loop {
            seen.steps += 1;
            let mut taking = Taking::new(format, &columns, place, &beginning);
            let (mut chunks, mut from) = (0, at);
            loop {
                let to = (from / CHUNK * CHUNK + CHUNK).min(text.len());
                chunks += 1;
                let enough = taking.push(&text[from..to], to == text.len());
                seen.held = seen.held.max(taking.reader.held());
                from = to;
                if enough {
                    break;
                }
            }
            seen.chunks = seen.chunks.max(chunks);
            let piece = taking.piece();
            for row in &piece.rows {
                let told = row.cells.clone().map(|cells| cells.concat());
                let unread = row.unread.iter().flatten().cloned().collect::<String>();
                seen.rows
                    .push(told.map_err(|fault| format!("{}: {unread}", fault.detail)));
            }
            if piece.last {
                return seen;
            }
            (at, place, beginning) = match piece.rows.last() {
                Some(row) => (
                    at + usize::try_from(row.end).unwrap(),
                    Place::default(),
                    String::new(),
                ),
                None => (
                    at + usize::try_from(piece.taken).unwrap(),
                    piece.place,
                    piece.beginning,
                ),
            };
        }
    }

    const COMMA: Format = Format::Csv { delimiter: b',' };

    // covers: CRM-09
    #[test]
    fn a_row_without_end_is_one_error_and_does_not_fill_the_memory() {
        let lines = "Customer, with a comma\n".repeat((30 << 20) / 23);
        let quote = format!("Good\n\"Stray,{lines}");
        let (open, wide) = ("x".repeat(30 << 20), ",".repeat(30 << 20));
        let closed = format!("Good\n\"{}\"\nLast\n", "a \"\"quote\"\",\n".repeat(2 << 20));
        let json = format!("{{\"name\":\"Good\"}}\n{{\"name\":\"{open}\"}}\n{{\"name\":\"Last\"}}\n");
        let (open, wide) = (format!("Good\n{open}\nLast"), format!("Good\n{wide}\nLast"));
        for (format, text, told, last) in [
            (
                COMMA,
                &quote,
                "the quote that begins in this row is not closed",
                false,
            ),
            (COMMA, &open, "exceeds 1 MiB", true),
            (COMMA, &wide, "exceeds 1 MiB", true),
            (COMMA, &closed, "exceeds 1 MiB", true),
            (Format::Ndjson, &json, "exceeds 1 MiB", true),
        ] {
            let seen = read(format, text.as_bytes());
            assert_eq!(seen.rows[0], Ok("Good".to_owned()));
            let fault = seen.rows[1].clone().unwrap_err();
            assert!(fault.contains(told), "{fault}");
            let (_, beginning) = fault.rsplit_once(": ").unwrap();
            assert!(text.contains(beginning.trim_end_matches('…')), "{beginning}");
            assert_eq!(beginning.chars().count(), 200);
            let after: &[Result<String, String>] = if last { &[Ok("Last".to_owned())] } else { &[] };
            assert_eq!(seen.rows.len() - 2, after.len(), "{} of {told}", seen.steps);
            assert_eq!(&seen.rows[2..], after);
            assert!(seen.steps > 3, "{} steps", seen.steps);
            assert!(seen.chunks <= PATIENCE / CHUNK + 1, "{} chunks", seen.chunks);
            assert!(seen.held <= 1 << 20, "{} bytes", seen.held);
        }
    }

    // covers: CRM-09
    #[test]
    fn a_step_ends_after_so_many_rows_or_so_much_text() {
        for (line, rows, most) in [
            ("x\n".to_owned(), 1_200, 1),
            (format!("{}\n", "x".repeat(20_000)), 300, 9),
        ] {
            let seen = read(COMMA, line.repeat(rows).as_bytes());
            assert_eq!(seen.rows.len(), rows);
            assert!(seen.rows.iter().all(Result::is_ok));
            assert!(
                seen.chunks <= most && seen.steps >= 3,
                "{} in {}",
                seen.chunks,
                seen.steps
            );
        }
        let blank = format!("Good\n{}Last\n", "\r\n".repeat(10 << 20));
        for format in [COMMA, Format::Ndjson] {
            let blank = blank
                .replace("Good", "{\"name\":\"Good\"}")
                .replace("Last", "{\"name\":\"Last\"}");
            let seen = read(format, blank.as_bytes());
            assert_eq!(seen.rows.len(), 2);
            assert!(seen.chunks <= PATIENCE / CHUNK + 1, "{} chunks", seen.chunks);
        }
    }
}
