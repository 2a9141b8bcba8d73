//! Puts the newest results into `docs/benchmarks.md`.

use crate::report::short;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- results: written by `stoa-bench docs` -->";
const END: &str = "<!-- end of results -->";
const BENCHMARKS: [&str; 7] = [
    "decide",
    "read_customer",
    "list_customers",
    "import",
    "proxy",
    "log",
    "start",
];

/// Replaces the results in `page` by the newest ones in `folder`; a benchmark without new ones keeps those of the page.
///
/// # Errors
/// When a benchmark has results neither here nor there, or the page has no place for them.
pub fn update(page: &Path, folder: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
    let mut results = String::new();
    for name in BENCHMARKS {
        let file = folder.join(format!("{name}.json"));
        if file.exists() {
            let json = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let entries: Vec<Value> = serde_json::from_slice(&json)?;
            write_table(&mut results, name, &entries)?;
        } else {
            let kept = standing(&text, name);
            results +=
                kept.with_context(|| format!("{name} has no results; run `stoa-bench {name}` first"))?;
        }
    }
    let updated = replaced(&text, &results)
        .with_context(|| format!("{} lacks the lines `{BEGIN}` and `{END}`", page.display()))?;
    std::fs::write(page, updated).with_context(|| format!("writing {}", page.display()))
}

/// The section of a benchmark between the marks.
fn standing<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    let results = page.split_once(BEGIN)?.1.split_once(END)?.0;
    let heading = format!("### {name}\n");
    let section = results.get(results.find(&heading)?..)?;
    let end = section
        .get(heading.len()..)?
        .find("### ")
        .map(|at| at + heading.len());
    section.get(..end.unwrap_or(section.len()))
}

fn replaced(page: &str, results: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{results}{END}{after}"))
}

/// The figures of the last run: those that began together.
fn write_table(out: &mut String, name: &str, entries: &[Value]) -> anyhow::Result<()> {
    let last = entries.last().map(|entry| &entry["at"]);
    let run: Vec<_> = entries
        .iter()
        .filter(|entry| Some(&entry["at"]) == last)
        .collect();
    let first = run.first().with_context(|| format!("{name} has no results"))?;
    ensure!(first["commit"].is_string(), "the results of {name} are damaged");
    writeln!(out, "### {name}\n")?;
    writeln!(
        out,
        "| figure | value | peer | ratio | goal | met |\n|---|---|---|---|---|---|"
    )?;
    for entry in &run {
        let number = |key: &str| entry[key].as_f64().map(short).unwrap_or_default();
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let peer = match entry["peer"].as_str() {
            Some(peer) => format!("{} ({peer})", number("peer_value")),
            None => String::new(),
        };
        let met = match entry["met"].as_bool() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let value = format!("{} {}", number("value"), text("unit"));
        writeln!(
            out,
            "| {} | {value} | {peer} | {} | {} | {met} |",
            text("name"),
            number("ratio"),
            text("goal")
        )?;
    }
    let text = |key: &str| first[key].as_str().unwrap_or("unknown").to_owned();
    writeln!(
        out,
        "\n`{}` at commit {}, {}, load average before {}. {}.\n",
        text("command"),
        text("commit"),
        text("at").split('T').next().unwrap_or_default(),
        first["load"].as_f64().map(short).unwrap_or_default(),
        text("machine")
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_benchmark_without_new_results_keeps_those_of_the_page() {
        let page = format!("### log\nprose\n{BEGIN}\n\n### log\n\nold\n\n### start\n\nolder\n\n{END}\n");
        assert_eq!(standing(&page, "log"), Some("### log\n\nold\n\n"));
        assert_eq!(standing(&page, "start"), Some("### start\n\nolder\n\n"));
        assert_eq!(standing(&page, "decide"), None);
    }

    #[test]
    fn only_the_last_run_is_shown_between_the_marks() {
        let entry = |at: &str, value: f64| {
            json!({ "name": "p50", "value": value, "unit": "ns", "peer": "other", "peer_value": 4.0, "ratio": 0.5,
                    "goal": "< 3 ns", "met": true, "commit": "abc", "machine": "m", "command": "c", "at": at, "load": 0.1 })
        };
        let mut table = String::new();
        write_table(
            &mut table,
            "decide",
            &[entry("2026-01-01T1", 1.0), entry("2026-01-02T1", 2.0)],
        )
        .expect("a table");
        let page = replaced(&format!("a\n{BEGIN}\nold\n{END}\nb\n"), &table).expect("a place");
        assert!(
            page.contains("| p50 | 2 ns | 4 (other) | 0.500 | < 3 ns | yes |"),
            "{page}"
        );
        assert!(!page.contains("1 ns") && !page.contains("old"), "{page}");
        assert!(page.starts_with("a\n") && page.ends_with("b\n"), "{page}");
    }
}
