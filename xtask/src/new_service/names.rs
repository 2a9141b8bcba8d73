//! The names of a new service: their forms, and which ones cannot be used.

use super::template;
use anyhow::{Context, bail, ensure};
use std::path::Path;

/// Rust's keywords, also the reserved ones (The Rust Reference, section 2.1).
const RUST: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// PostgreSQL's words that cannot name a table or a schema (PostgreSQL 17, appendix C, reserved).
const SQL: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "similar",
    "some",
    "symmetric",
    "system",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// Schemas that are not a service's, and names that would shadow Rust's own crates.
const SCHEMAS: &[&str] = &["stoa", "log", "public", "core", "std", "alloc", "test"];

/// A service and its resource in every form.
#[derive(Debug)]
pub(super) struct Names {
    /// `inventory`.
    pub(super) service: String,
    /// `shelf`.
    resource: String,
    /// `shelves`.
    pub(super) resources: String,
}

impl Names {
    /// Checks what can be checked without the repository.
    ///
    /// # Errors
    /// When a name is not of lower-case letters, or means something to Rust, to PostgreSQL or in the code to write.
    pub(super) fn new(service: &str, resource: Option<&str>, plural: Option<&str>) -> anyhow::Result<Self> {
        let resource = resource.unwrap_or(service);
        let names = Self {
            service: service.to_owned(),
            resource: resource.to_owned(),
            resources: plural.map_or_else(|| plural_of(resource), str::to_owned),
        };
        for name in [&names.service, &names.resource, &names.resources] {
            let letters = name.bytes().all(|b| b.is_ascii_lowercase());
            ensure!(
                letters && (2..=30).contains(&name.len()),
                "`{name}`: a name has 2 to 30 letters from a to z"
            );
            ensure!(!RUST.contains(&name.as_str()), "`{name}` is a keyword of Rust");
            ensure!(
                !SQL.contains(&name.as_str()),
                "`{name}` is a reserved word of SQL"
            );
        }
        ensure!(
            names.resource != names.resources,
            "singular and plural are both `{resource}`; use --plural"
        );
        let reserved = SCHEMAS.contains(&service) || service.starts_with("pg");
        ensure!(
            !reserved,
            "`{service}` cannot name a service: it is not free as a schema or a crate"
        );
        for name in [&names.resource, &names.resources] {
            ensure!(
                !template::uses(name) && !template::uses(&capital(name)),
                "`{name}` means something else in the code of every service; choose a more specific name"
            );
        }
        Ok(names)
    }

    /// Replaces the placeholders: `__service__`, and the resource in singular, plural, capitalised and with its
    /// article.
    pub(super) fn fill(&self, text: &str) -> String {
        let article = if self.resource.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        text.replace("__service__", &self.service)
            .replace("__resource__", &self.resource)
            .replace("__resources__", &self.resources)
            .replace("__Resource__", &capital(&self.resource))
            .replace("__Resources__", &capital(&self.resources))
            .replace("__a_resource__", &format!("{article} {}", self.resource))
            .replace(
                "__A_resource__",
                &format!("{} {}", capital(article), self.resource),
            )
    }
}

/// Refuses names that the repository uses already.
///
/// # Errors
/// When one is taken, with the place.
pub(super) fn check_free(root: &Path, names: &Names) -> anyhow::Result<()> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).context("reading Cargo.toml")?;
    let package = format!("stoa-{}", names.service);
    ensure!(
        !manifest.contains(&format!("\n{package} =")),
        "there is a crate {package} already"
    );
    let taken = [
        names.fill("\"/api/__resources__\""),
        names.fill("\"__resources__:"),
        names.fill("struct __Resource__ "),
        names.fill("enum __Resource__ "),
        names.fill(" __Resource__Id;"),
    ];
    for folder in ["services", "crates/types/src"] {
        find(&root.join(folder), &taken)?;
    }
    Ok(())
}

fn find(folder: &Path, taken: &[String]) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, taken)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            if let Some(found) = taken.iter().find(|t| text.contains(t.as_str())) {
                bail!(
                    "{} has `{}` already; choose another resource",
                    path.display(),
                    found.trim()
                );
            }
        }
    }
    Ok(())
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn plural_of(name: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{name}es"),
        _ => format!("{name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_are_refused() {
        for bad in [
            "",
            "a",
            "Shelf",
            "shelf2",
            "two-words",
            "match",
            "order",
            "log",
            "pgsomething",
        ] {
            assert!(
                Names::new(bad, Some("shelf"), Some("shelves")).is_err(),
                "service {bad:?}"
            );
        }
        for bad in ["record", "page", "type", "user", "begun", "tx"] {
            assert!(
                Names::new("inventory", Some(bad), None).is_err(),
                "resource {bad:?}"
            );
        }
        assert!(Names::new("inventory", Some("sheep"), Some("sheep")).is_err());
        assert!(Names::new("inventory", Some("shelf"), Some("orders")).is_ok());
    }

    #[test]
    fn plurals_and_articles_are_english() {
        let filled = |name: &str| {
            Names::new("inventory", Some(name), None)
                .unwrap()
                .fill("__A_resource__ of __resources__")
        };
        assert_eq!(filled("entry"), "An entry of entries");
        assert_eq!(filled("tray"), "A tray of trays");
        assert_eq!(filled("index"), "An index of indexes");
        assert_eq!(filled("batch"), "A batch of batches");
    }
}
