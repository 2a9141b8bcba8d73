//! `new-service NAME`.

use std::path::Path;

/// What to make.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The service's name: lower-case letters.
    pub(crate) name: String,
}

/// Writes the service.
///
/// # Errors
/// When the name is not usable.
pub(crate) fn run(_root: &Path, args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("not yet: {}", args.name)
}
