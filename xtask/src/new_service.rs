//! `new-service NAME`: a service with one resource, written in the pattern of `services/organization`.
//!
//! What is written lies in `xtask/templates`; where it must be listed is in [`listing`]. Everything is worked out
//! before the first file changes, so a refusal changes nothing.

mod listing;
mod names;
mod template;

use anyhow::{Context, ensure};
use names::Names;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The service's name: lower-case letters. Also its schema, its crate `stoa-NAME` and its folder.
    name: String,
    /// What it keeps, singular: lower-case letters. The service's name unless given.
    #[arg(long)]
    resource: Option<String>,
    /// The plural, for paths and permissions. The resource with an English ending unless given.
    #[arg(long)]
    plural: Option<String>,
}

/// A file to write.
struct Change {
    /// From the repository's root.
    path: String,
    text: String,
    is_new: bool,
}

/// Writes the service and lists it.
///
/// # Errors
/// When a name cannot be used, a file exists, or a file in which to list the service is not as expected.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let names = Names::new(&args.name, args.resource.as_deref(), args.plural.as_deref())?;
    let changes = plan(root, &names)?;
    for change in &changes {
        let path = root.join(&change.path);
        let folder = path.parent().unwrap_or(root);
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        std::fs::write(&path, &change.text).with_context(|| format!("writing {}", path.display()))?;
    }
    let locked = Command::new("cargo")
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(root)
        .status()
        .context("running cargo update")?;
    ensure!(
        locked.success(),
        "the service is written, but Cargo.lock is not; run `cargo update --workspace`"
    );
    report(&names, &changes);
    Ok(())
}

fn plan(root: &Path, names: &Names) -> anyhow::Result<Vec<Change>> {
    names::check_free(root, names)?;
    let mut changes = Vec::new();
    for file in template::FILES {
        let path = names.fill(file.path);
        ensure!(!root.join(&path).exists(), "{path} exists; choose another name");
        let mut text = names.fill(file.text);
        if path.ends_with(".rs") {
            text = formatted(root, &text).with_context(|| format!("formatting {path}"))?;
        }
        changes.push(Change {
            path,
            text,
            is_new: true,
        });
    }
    for (path, list) in listing::FILES {
        let old = std::fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
        let mut text = list(&old, names).with_context(|| {
            format!("{path} is not as new-service expects it; adapt xtask/src/new_service/listing.rs")
        })?;
        // What was formatted stays so; what was not is left for its author.
        if path.ends_with(".rs") && formatted(root, &old)? == old {
            text = formatted(root, &text)?;
        }
        changes.push(Change {
            path: (*path).to_owned(),
            text,
            is_new: false,
        });
    }
    Ok(changes)
}

/// As `cargo fmt` wants it: names of other lengths break lines elsewhere.
fn formatted(root: &Path, text: &str) -> anyhow::Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running rustfmt; `rustup component add rustfmt` installs it")?;
    // Its input is closed at the end of this statement; it reads all of it before it writes.
    rustfmt
        .stdin
        .take()
        .context("rustfmt's input")?
        .write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt refuses it");
    Ok(String::from_utf8(output.stdout)?)
}

fn report(names: &Names, changes: &[Change]) {
    for change in changes {
        println!(
            "{} {}",
            if change.is_new { "wrote " } else { "edited" },
            change.path
        );
    }
    println!(
        "edited Cargo.lock

Next:
  cargo build && cargo test -p stoa-{service} && cargo test -p stoa-e2e {service}
  make openapi    # the endpoints join the snapshot docs/openapi.json
  make up         # http://127.0.0.1:8080/api/{resources}, as admin@acme.test
docs/guides/new-service.md says what each file is for.",
        service = names.service,
        resources = names.resources,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_file_of_this_repository_is_as_expected() {
        let names = Names::new("inventory", Some("shelf"), Some("shelves")).unwrap();
        let changes = plan(root(), &names).unwrap();
        for Change { path, text, .. } in &changes {
            assert!(!text.contains("_resource"), "{path} has a placeholder left");
            assert!(!text.contains("__service"), "{path} has a placeholder left");
        }
        let text = |path: &str| &changes.iter().find(|c| c.path == path).unwrap().text;
        assert!(text("platform/src/services.rs").contains("        stoa_inventory::service(),\n    ]"));
        assert!(text("tests/e2e/tests/it/main.rs").contains("\nmod inventory;\n"));
        assert!(text("services/inventory/src/api/get.rs").contains("\"getShelf\""));
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        for (service, resource) in [
            ("customer", "shelf"),
            ("inventory", "customer"),
            ("inventory", "branch"),
        ] {
            let names = Names::new(service, Some(resource), None).unwrap();
            assert!(plan(root(), &names).is_err(), "{service} with {resource}");
        }
    }
}
