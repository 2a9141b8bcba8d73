//! Who may depend on whom: types ← policy ← kernel ← {contracts, eventlog} ← services ← platform.
#![allow(clippy::indexing_slicing, reason = "a field that JSON lacks reads as null")]

use anyhow::Context;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The layers, lowest first. A crate may use lower layers only, and in the lowest its own.
const LAYERS: &[&[&str]] = &[
    &["stoa-types", "stoa-policy", "stoa-telemetry", "stoa-pgcluster"],
    &["stoa-kernel"],
    &["stoa-contracts", "stoa-eventlog", "stoa-mail"],
];
const ABOVE_SERVICES: &[&str] = &["stoa-platform", "stoa-testkit", "stoa-e2e", "stoa-bench", "xtask"];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let mut wrong = Vec::new();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let is_service = text(&package["manifest_path"]).contains("/services/");
        for dependency in array(&package["dependencies"])
            .iter()
            .filter(|d| d["kind"].is_null())
        {
            if let Some(line) = judge(name, is_service, text(&dependency["name"])) {
                wrong.push(line);
            }
        }
    }
    Ok(wrong)
}

fn judge(name: &str, is_service: bool, dependency: &str) -> Option<String> {
    if !dependency.starts_with("stoa-") {
        return None;
    }
    let level = |name: &str| LAYERS.iter().position(|crates| crates.contains(&name));
    let above = |name: &str| ABOVE_SERVICES.contains(&name);
    match (level(name), level(dependency)) {
        _ if above(name) => None,
        (_, None) if above(dependency) => Some(format!("{name} depends on {dependency}, which is above it")),
        (_, None) if is_service => Some(format!(
            "{name} depends on the service {dependency}: call it through stoa-contracts, or learn from its events"
        )),
        (_, None) => Some(format!(
            "{name} depends on the service {dependency}, which is above it"
        )),
        (Some(own), Some(other)) if other > own || (other == own && own > 0) => {
            Some(format!("{name} depends on {dependency}, which is not below it"))
        }
        _ => None,
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn arrows_point_one_way() {
        assert!(judge("stoa-customer", true, "stoa-organization").is_some());
        assert!(judge("stoa-kernel", false, "stoa-contracts").is_some());
        assert!(judge("stoa-policy", false, "stoa-kernel").is_some());
        assert!(judge("stoa-customer", true, "stoa-platform").is_some());
        assert!(judge("stoa-eventlog", false, "stoa-contracts").is_some());
        assert!(judge("stoa-customer", true, "stoa-contracts").is_none());
        assert!(judge("stoa-platform", false, "stoa-customer").is_none());
        assert!(judge("stoa-policy", false, "stoa-types").is_none());
    }
}
