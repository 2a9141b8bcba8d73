//! Where things may stand in the sources.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// Words of SQL that begin a statement in a string literal.
const SQL: &[&str] = &[
    "\"select ",
    "\"insert into ",
    "\"update ",
    "\"delete from ",
    "\"begin",
    "\"set local ",
];
const SQL_FREE: &[&str] = &["services/", "platform/"];
/// A call, where it may stand, and why.
const CALLS: &[(&str, &[&str], &str)] = &[
    (
        "RequestContext::new(",
        &[
            "services/gateway/src/edge",
            "crates/kernel/src/mesh",
            "crates/kernel/src/request.rs",
        ],
        "only the gateway and the mesh's server have verified credentials",
    ),
    (
        ".enter(&",
        &["crates/eventlog/src", "crates/kernel/src/db"],
        "only the log's consumers span tenants",
    ),
    (
        "Scope::from_job(",
        &["crates/eventlog/src/jobs", "crates/kernel/src/scope.rs"],
        "only a worker acts for who queued a job",
    ),
    (
        "tokio_postgres::",
        &["crates/kernel/src", "crates/pgcluster/src", "platform/src/up.rs"],
        "no raw client leaves the kernel",
    ),
    ("#[ignore", &[], "a skipped test proves nothing"),
    ("todo!(", &[], "a stub is a defect"),
    ("unimplemented!(", &[], "a stub is a defect"),
];
const NAMES: &[&str] = &["utils", "common", "helpers", "manager", "util", "misc"];
/// A file past this tells that it does more than one thing.
const LINES: usize = 430;

struct Source {
    path: String,
    text: String,
    is_test: bool,
}

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for folder in ["crates", "services", "platform", "xtask", "bench", "tests"] {
        for path in rust_files(&root.join(folder))? {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let is_test = path.contains("/tests/")
                || path.ends_with("tests.rs")
                || path.starts_with("bench/")
                || path.starts_with("crates/testkit")
                || path.starts_with("xtask/");
            wrong.extend(judge(&Source { path, text, is_test }));
        }
    }
    Ok(wrong)
}

fn judge(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut wrong = Vec::new();
    let stem = Path::new(path)
        .file_stem()
        .and_then(|s| s.to_str())
        .unwrap_or_default();
    if NAMES.contains(&stem) || path.split('/').any(|part| NAMES.contains(&part)) {
        wrong.push(format!(
            "{path}: a name that says nothing; name the file for what it does"
        ));
    }
    let lines = source.text.lines().count();
    if lines > LINES {
        wrong.push(format!("{path}: {lines} lines; split it by what its parts do"));
    }
    if source.is_test {
        return wrong;
    }
    // Unit tests at the end of a file may do what tests do.
    let code = source
        .text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let is_store = stem == "store" || path.contains("/store/");
    for (number, line) in code.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("//") {
            continue;
        }
        let at = format!("{path}:{}", number + 1);
        let lower = trimmed.to_lowercase();
        if !is_store
            && SQL_FREE.iter().any(|folder| path.starts_with(folder))
            && path != "platform/src/up.rs"
            && (SQL.iter().any(|word| lower.contains(word))
                || (lower.contains("\"with ") && lower.contains(" as (")))
        {
            wrong.push(format!("{at}: SQL outside store.rs"));
        }
        for (call, places, why) in CALLS {
            if trimmed.contains(call) && !places.iter().any(|place| path.starts_with(place)) {
                wrong.push(format!("{at}: {call}…: {why}"));
            }
        }
    }
    wrong
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            let skip = path
                .file_name()
                .is_some_and(|name| name == "target" || name == "node_modules");
            if !skip {
                files.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(path: &str, text: &str) -> Vec<String> {
        judge(&Source {
            path: path.into(),
            text: text.into(),
            is_test: false,
        })
    }

    #[test]
    fn the_rules_can_fail() {
        assert_eq!(
            judged("services/x/src/api/get.rs", "let q = \"select 1\";").len(),
            1
        );
        assert_eq!(
            judged("services/x/src/store.rs", "let q = \"select 1\";").len(),
            0
        );
        assert_eq!(
            judged("services/x/src/lib.rs", "RequestContext::new(None)").len(),
            1
        );
        assert_eq!(judged("services/x/src/utils.rs", "").len(), 1);
        assert_eq!(judged("services/x/src/lib.rs", &"\n".repeat(500)).len(), 1);
        assert_eq!(
            judged("services/x/src/lib.rs", "use tokio_postgres::Client;").len(),
            1
        );
    }
}
