//! Rows of CSV (RFC 4180), one after another.

use super::{Fault, MAX_CELL, MAX_COLUMNS, MAX_ROW, Place, Record, SHOWN_BYTES, first_of};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

pub(super) struct Csv {
    delimiter: u8,
    reader: Reader,
    /// Whether a row has begun.
    begun: bool,
    cells: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    counted: usize,
    /// The row's first bytes, as they are in the file.
    beginning: Vec<u8>,
    /// Why the row is given up, and where in it reading stands.
    fault: Option<(Fault, Place)>,
}

impl Csv {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            begun: false,
            cells: vec![0; 4096],
            filled: 0,
            ends: vec![0; MAX_COLUMNS + 1],
            counted: 0,
            beginning: Vec::new(),
            fault: None,
        }
    }

    /// Goes on within a row that another reader gave up.
    pub(super) fn go_on(&mut self, place: Place, beginning: &str) {
        if place != Place::Row {
            self.begun = true;
            self.beginning = beginning.as_bytes().to_owned();
            self.fault = Some((endless(), place));
        }
    }

    pub(super) fn place(&self) -> Option<Place> {
        match &self.fault {
            Some((_, place)) => Some(*place),
            None => (!self.begun).then_some(Place::Row),
        }
    }

    /// How the row begins that was given up.
    pub(super) fn beginning(&self) -> String {
        match &self.fault {
            Some(_) => first_of(&self.beginning),
            None => String::new(),
        }
    }

    pub(super) fn next(&mut self, input: &mut &[u8], last: bool) -> Option<Record> {
        if !self.begun {
            let text = input.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
            *input = input.get(text.unwrap_or(input.len())..).unwrap_or_default();
            self.begun = !input.is_empty();
        }
        loop {
            if input.is_empty() && !last {
                return None;
            }
            if self.fault.is_some() {
                if self.skip(input) {
                    return Some(self.take());
                }
                if last {
                    self.end_within();
                    return Some(self.take());
                }
                continue;
            }
            // A line's end closes the last row, unless it is within quotes.
            let at_end = input.is_empty() && self.begun;
            let text = if at_end { b"\n" } else { *input };
            let (cells, ends) = (
                self.cells.get_mut(self.filled..).unwrap_or_default(),
                self.ends.get_mut(self.counted..).unwrap_or_default(),
            );
            let (result, read, written, ended) = self.reader.read_record(text, cells, ends);
            if !at_end {
                self.keep(text.get(..read).unwrap_or_default());
                *input = text.get(read..).unwrap_or_default();
            }
            self.filled += written;
            self.counted += ended;
            match result {
                ReadRecordResult::InputEmpty if at_end => {
                    self.fault = Some((unclosed(), Place::Quoted));
                    self.reader.reset();
                    return Some(self.take());
                }
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

    /// Keeps the row's first bytes.
    fn keep(&mut self, text: &[u8]) {
        let room = SHOWN_BYTES.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// The file ends in a row that was given up.
    fn end_within(&mut self) {
        if let Some((fault, Place::Quoted)) = &mut self.fault {
            *fault = unclosed();
        }
    }

    fn grow(&mut self) {
        if self.cells.len() < MAX_ROW {
            self.cells.resize((self.cells.len() * 2).min(MAX_ROW), 0);
            return;
        }
        self.give_up(endless());
    }

    /// The row's end is found by [`Csv::skip`]. What the reader makes of two bytes tells where it stands in the row;
    /// after them, or as many again, it stands before the next one.
    fn give_up(&mut self, fault: Fault) {
        let mut end = || {
            let (result, _, written, _) = self.reader.read_record(b"\"\n", &mut self.cells, &mut self.ends);
            (result, written)
        };
        let place = match end() {
            (ReadRecordResult::Record, 0) => Place::Quoted,
            (ReadRecordResult::Record, _) => Place::Open,
            _ => {
                end();
                Place::Cell
            }
        };
        self.fault = Some((fault, place));
    }

    /// Takes what belongs to the row that was given up; whether it ended.
    fn skip(&mut self, input: &mut &[u8]) -> bool {
        let Some((_, place)) = &mut self.fault else {
            return false;
        };
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            *place = match (*place, *byte) {
                (Place::Quoted, b'"') => Place::Cell,
                (Place::Quoted, _) => Place::Quoted,
                (_, b'\r' | b'\n') => return true,
                (_, byte) if byte == self.delimiter => Place::Cell,
                (Place::Cell, b'"') => Place::Quoted,
                _ => Place::Open,
            };
        }
        false
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.cells.len()
    }

    fn take(&mut self) -> Record {
        let record = self.record();
        (self.filled, self.counted, self.begun) = (0, 0, false);
        self.beginning.clear();
        record
    }

    fn record(&mut self) -> Record {
        let (filled, counted) = (self.filled, self.counted);
        if let Some((fault, _)) = self.fault.take() {
            return Record::Fault(fault, first_of(&self.beginning));
        }
        let (mut cells, mut from) = (Vec::with_capacity(counted), 0);
        for end in self.ends.iter().take(counted) {
            let cell = self.cells.get(from..(*end).min(filled)).unwrap_or_default();
            from = *end;
            match text(cell) {
                Ok(cell) => cells.push(cell),
                Err(fault) => return Record::Fault(fault, first_of(&self.beginning)),
            }
        }
        Record::Cells(cells)
    }
}

fn endless() -> Fault {
    Fault::of_row(
        "length",
        "the row exceeds 1 MiB; perhaps a quote is not closed, and other rows were skipped as a part of this one, up to \
         the line whose quote closes it: close it, and import the file again",
    )
}

fn unclosed() -> Fault {
    Fault::of_row(
        "quote",
        "the quote that begins in this row is not closed, and all that follows, up to the end of the file, was skipped: \
         close it, and import the file again",
    )
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
