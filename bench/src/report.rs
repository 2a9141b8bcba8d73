//! What a benchmark found: appended to `target/bench/NAME.json` and printed as a table.

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use crate::machine::Surroundings;

/// One figure, with the peer's of the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The figure: the median of the repetitions unless the name says otherwise.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is compared with.
    pub peer: Option<String>,
    /// The peer's figure, in the same unit.
    pub peer_value: Option<f64>,
    /// `value / peer_value`.
    pub ratio: Option<f64>,
    /// The goal, as text.
    pub goal: Option<String>,
    /// Whether the goal is met.
    pub met: Option<bool>,
    /// The figure of each repetition.
    pub repetitions: Vec<f64>,
}

impl Figure {
    /// A figure without peer and goal.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            peer: None,
            peer_value: None,
            ratio: None,
            goal: None,
            met: None,
            repetitions: Vec::new(),
        }
    }

    /// With the peer's figure.
    #[must_use]
    pub fn against(self, peer: impl Into<String>, peer_value: f64) -> Self {
        Self {
            peer: Some(peer.into()),
            peer_value: Some(peer_value),
            ratio: (peer_value != 0.0).then(|| self.value / peer_value),
            ..self
        }
    }

    /// With a goal for the figure itself.
    #[must_use]
    pub fn below(self, limit: f64) -> Self {
        Self {
            goal: Some(format!("< {} {}", short(limit), self.unit)),
            met: Some(self.value < limit),
            ..self
        }
    }

    /// With a goal for the ratio to the peer.
    #[must_use]
    pub fn ratio_at_most(self, limit: f64) -> Self {
        Self {
            goal: Some(format!("≤ {} ×", short(limit))),
            met: self.ratio.map(|ratio| ratio <= limit),
            ..self
        }
    }

    /// With the figures of the repetitions.
    #[must_use]
    pub fn of(self, repetitions: &[f64]) -> Self {
        Self {
            repetitions: repetitions.to_vec(),
            ..self
        }
    }
}

/// Where results go and under which circumstances they are taken.
#[derive(Debug)]
pub struct Report {
    folder: PathBuf,
    surroundings: Surroundings,
}

impl Report {
    /// Results of `surroundings` go to `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, surroundings: Surroundings) -> Self {
        Self { folder, surroundings }
    }

    /// Appends the figures of benchmark `name` to its file and prints them.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn add(&self, name: &str, figures: &[Figure]) -> anyhow::Result<()> {
        let file = self.folder.join(format!("{name}.json"));
        let mut entries = read(&file)?;
        for figure in figures {
            entries.push(self.entry(figure)?);
        }
        std::fs::create_dir_all(&self.folder).with_context(|| format!("making {}", self.folder.display()))?;
        std::fs::write(&file, serde_json::to_vec_pretty(&entries)?)
            .with_context(|| format!("writing {}", file.display()))?;
        print(name, figures);
        println!("  -> {}\n", file.display());
        Ok(())
    }

    fn entry(&self, figure: &Figure) -> anyhow::Result<Value> {
        let mut entry = serde_json::to_value(figure)?;
        if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), json!(self.surroundings)) {
            entry.extend(more);
        }
        Ok(entry)
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<Value>> {
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("reading {}; move it away if it is damaged", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

fn print(name: &str, figures: &[Figure]) {
    let header = ["", "value", "peer", "ratio", "goal", "met"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(figures.iter().map(row));
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    println!("\n{name}");
    for row in &rows {
        let mut line = String::from(" ");
        for (column, cell) in row.iter().enumerate() {
            line.push_str(&format!(" {cell:<width$} ", width = width(column)));
        }
        println!("{}", line.trim_end());
    }
}

fn row(figure: &Figure) -> [String; 6] {
    let peer = match (&figure.peer, figure.peer_value) {
        (Some(peer), Some(value)) => format!("{} ({peer})", short(value)),
        _ => String::new(),
    };
    let met = match figure.met {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    [
        figure.name.clone(),
        format!("{} {}", short(figure.value), figure.unit),
        peer,
        figure.ratio.map(short).unwrap_or_default(),
        figure.goal.clone().unwrap_or_default(),
        met.to_owned(),
    ]
}

/// About three significant digits; whole numbers in full.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        a if a >= 100.0 || value.fract() == 0.0 => 0,
        a if a >= 10.0 => 1,
        a if a >= 1.0 => 2,
        a if a >= 0.1 => 3,
        a if a >= 0.001 => 5,
        _ => return format!("{value:.1e}"),
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_what_it_is_about() {
        let figure = Figure::new("x", 3.0, "ms").against("y", 2.0);
        assert_eq!(figure.ratio, Some(1.5));
        assert_eq!(figure.clone().ratio_at_most(2.0).met, Some(true));
        assert_eq!(figure.below(3.0).met, Some(false));
        assert_eq!(Figure::new("x", 3.0, "ms").ratio_at_most(2.0).met, None);
    }

    #[test]
    fn figures_are_appended_with_their_circumstances() {
        let folder = tempfile::tempdir().expect("a folder");
        let report = Report::new(folder.path().to_owned(), Surroundings::look());
        for _ in 0..2 {
            report
                .add("some", &[Figure::new("x", 1.0, "ns")])
                .expect("written");
        }
        let entries = read(&folder.path().join("some.json")).expect("read");
        assert_eq!(entries.len(), 2);
        for key in [
            "name", "value", "unit", "peer", "ratio", "commit", "machine", "command", "at",
        ] {
            assert!(entries[1].get(key).is_some(), "{key} is missing");
        }
    }
}
