//! The architecture, as rules that fail the build. Each says what to do instead.

mod crates;
mod sources;

use anyhow::bail;
use std::path::Path;

/// Runs every rule and lists all that is wrong.
///
/// # Errors
/// When a rule is broken.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut wrong = crates::check(root)?;
    wrong.extend(sources::check(root)?);
    wrong.extend(crate::dashboards::check(root)?);
    if wrong.is_empty() {
        println!("architecture: every rule holds");
        return Ok(());
    }
    for line in &wrong {
        println!("{line}");
    }
    bail!(
        "{} architecture rules are broken; see ARCHITECTURE.md",
        wrong.len()
    )
}
