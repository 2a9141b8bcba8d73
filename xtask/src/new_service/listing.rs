//! Where a new service is listed. Each function takes a file's text and returns it with the service's lines, or
//! an error when the file is not as expected.
#![allow(clippy::string_slice, reason = "every position was found in the same text")]

use super::names::Names;
use anyhow::{Context, Result};

type List = fn(&str, &Names) -> Result<String>;

pub(super) const FILES: &[(&str, List)] = &[
    ("Cargo.toml", workspace),
    ("platform/Cargo.toml", dependency),
    ("platform/src/services.rs", service),
    ("crates/types/src/id.rs", typed_id),
    ("crates/types/src/lib.rs", exported_id),
    ("crates/contracts/src/lib.rs", |text, names| {
        module(text, "pub mod ", names)
    }),
    ("tests/e2e/tests/it/main.rs", |text, names| {
        module(text, "mod ", names)
    }),
    ("services/gateway/src/docs/problems.rs", problems),
];

/// A member and a dependency of the workspace.
fn workspace(text: &str, names: &Names) -> Result<String> {
    let members = after(text, 0, "members = [")?;
    let members_end = text[members..].find("\n]").context("no end of members")? + members;
    let last = text[members..members_end]
        .rfind("\"services/")
        .context("no member in services/")?
        + members;
    let end = after(text, last + 1, "\"")?;
    let text = insert(text, end, &names.fill(", \"services/__service__\""));
    let last = text
        .rfind(" = { path = \"services/")
        .context("no dependency in services/")?;
    let end = after(&text, last, "\n")?;
    Ok(insert(
        &text,
        end,
        &names.fill("stoa-__service__ = { path = \"services/__service__\" }\n"),
    ))
}

/// A dependency of the platform.
fn dependency(text: &str, names: &Names) -> Result<String> {
    let start = after(text, 0, "[dependencies]\n")?;
    let end = text[start..].find("\n[").map_or(text.len(), |at| start + at);
    let last = text[start..end]
        .rfind("\nstoa-")
        .context("no dependency stoa-…")?
        + start;
    let end = after(text, last + 1, "\n")?;
    Ok(insert(
        text,
        end,
        &names.fill("stoa-__service__.workspace = true\n"),
    ))
}

/// A line of THE list of services.
fn service(text: &str, names: &Names) -> Result<String> {
    let last = text.rfind("::service(),\n").context("no service in the list")?;
    let end = after(text, last, "\n")?;
    Ok(insert(
        text,
        end,
        &names.fill("        stoa___service__::service(),\n"),
    ))
}

/// The type of the resource's id.
fn typed_id(text: &str, names: &Names) -> Result<String> {
    let start = after(text, 0, "\ntyped_id! {\n")?;
    let end = text[start..].find("}\n").context("no end of typed_id!")? + start;
    Ok(insert(
        text,
        end,
        &names.fill("    /// __A_resource__.\n    __Resource__Id;\n"),
    ))
}

/// The same, among what the crate exports.
fn exported_id(text: &str, names: &Names) -> Result<String> {
    let start = after(text, 0, "pub use id::{")?;
    let end = text[start..].find("};").context("no end of pub use id")? + start;
    let new = names.fill("__Resource__Id");
    let mut ids: Vec<_> = text[start..end]
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .collect();
    ids.push(&new);
    // Types before functions; the lines are rustfmt's to break.
    ids.sort_by_key(|id| (id.starts_with(char::is_lowercase), *id));
    let list = ids.join(", ");
    Ok(format!("{}\n    {list},\n{}", &text[..start], &text[end..]))
}

/// A line `mod NAME;`, in alphabetical order.
fn module(text: &str, keyword: &str, names: &Names) -> Result<String> {
    let new = format!("{keyword}{};", names.service);
    let lines: Vec<_> = text.lines().collect();
    let is_module = |line: &&str| line.starts_with(keyword) && line.ends_with(';');
    let last = lines
        .iter()
        .rposition(is_module)
        .with_context(|| format!("no line `{keyword}…;`"))?;
    let next = lines
        .iter()
        .position(|line| is_module(line) && *line > new.as_str())
        .unwrap_or(last + 1);
    let mut lines = lines;
    lines.insert(next, &new);
    Ok(lines.join("\n") + "\n")
}

/// The documented problem codes, in alphabetical order.
fn problems(text: &str, names: &Names) -> Result<String> {
    const ENTRIES: [&str; 3] = [
        "    \"__resources__.archived\" 409 \"Conflict\":
        \"The __resource__ is archived, so it cannot be changed.\"
        => \"Restore it first.\";\n",
        "    \"__resources__.name_taken\" 409 \"Conflict\":
        \"Another live __resource__ of the tenant has the name; case and accents do not count.\"
        => \"Choose another name, or rename or archive the other one.\";\n",
        "    \"__resources__.not_archived\" 409 \"Conflict\":
        \"The __resource__ is not archived, so there is nothing to restore.\"
        => \"Read it again; somebody may have restored it already.\";\n",
    ];
    ENTRIES.iter().try_fold(text.to_owned(), |text, entry| {
        let entry = names.fill(entry);
        let start = after(&text, 0, "= codes! {\n")?;
        let end = text[start..].find("\n};").context("no end of codes!")? + start + 1;
        let mut at = end;
        let mut line_at = start;
        for line in text[start..end].split_inclusive('\n') {
            // An entry begins with its code; what it says is indented more.
            if line.starts_with("    \"") && line > entry.as_str() {
                at = line_at;
                break;
            }
            line_at += line.len();
        }
        Ok(insert(&text, at, &entry))
    })
}

/// The position right after the first `mark` from `from` on.
fn after(text: &str, from: usize, mark: &str) -> Result<usize> {
    let found = text[from..]
        .find(mark)
        .with_context(|| format!("no `{}`", mark.trim()))?;
    Ok(from + found + mark.len())
}

fn insert(text: &str, at: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..at], &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("inventory", Some("shelf"), Some("shelves")).unwrap()
    }

    #[test]
    fn the_workspace_has_a_member_and_a_dependency() {
        let text = "[workspace]\nmembers = [\n  \"services/a\", \"services/b\",\n  \"xtask\",\n]\n\
                    [workspace.dependencies]\nstoa-b = { path = \"services/b\" }\nx = \"1\"\n";
        let expected = text
            .replace("\"services/b\",", "\"services/b\", \"services/inventory\",")
            .replace(
                "x = \"1\"",
                "stoa-inventory = { path = \"services/inventory\" }\nx = \"1\"",
            );
        assert_eq!(workspace(text, &names()).unwrap(), expected);
    }

    #[test]
    fn modules_keep_their_order() {
        let listed = |text: &str| module(text, "mod ", &names()).unwrap();
        assert_eq!(
            listed("//! X\n\nmod api;\nmod journey;\n"),
            "//! X\n\nmod api;\nmod inventory;\nmod journey;\n"
        );
        assert_eq!(
            listed("mod api;\n\nuse x;\n"),
            "mod api;\nmod inventory;\n\nuse x;\n"
        );
        assert!(module("use x;\n", "mod ", &names()).is_err());
    }

    #[test]
    fn dependencies_stay_in_their_section() {
        let text = "[dependencies]\nserde = \"1\"\nstoa-b = \"1\"\nx = \"1\"\n\n[dev-dependencies]\nstoa-c = \"1\"\n";
        let expected = text.replace("x = \"1\"", "stoa-inventory.workspace = true\nx = \"1\"");
        assert_eq!(dependency(text, &names()).unwrap(), expected);
    }

    #[test]
    fn ids_are_exported_in_order() {
        let listed = exported_id("pub use id::{\n    BranchId, UserId, new_id,\n};\n", &names()).unwrap();
        assert_eq!(
            listed,
            "pub use id::{\n    BranchId, ShelfId, UserId, new_id,\n};\n"
        );
    }

    #[test]
    fn problem_codes_keep_their_order() {
        let text = "const X: &[Entry] = codes! {\n    \"a.b\" 409 \"C\":\n        \"z\"\n        => \"z\";\n    \
                    \"z.z\" 409 \"C\":\n        \"m\"\n        => \"m\";\n};\n";
        let listed = problems(text, &names()).unwrap();
        let codes: Vec<_> = listed
            .lines()
            .filter(|l| l.starts_with("    \""))
            .map(|l| &l[5..10])
            .collect();
        assert_eq!(codes, ["a.b\" ", "shelv", "shelv", "shelv", "z.z\" "]);
    }
}
