//! The files of a new service.

/// A file with placeholders in its path and text; see [`Names::fill`](super::names::Names::fill).
pub(super) struct Template {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

macro_rules! templates {
    ($($from:literal => $to:literal,)+) => {
        &[$(Template { path: $to, text: include_str!(concat!("../../templates/", $from)) }),+]
    };
}

pub(super) const FILES: &[Template] = templates! {
    "service/README.md" => "services/__service__/README.md",
    "service/Cargo.toml" => "services/__service__/Cargo.toml",
    "service/migrations/0001_init.sql" => "services/__service__/migrations/0001_init.sql",
    "service/src/lib.rs" => "services/__service__/src/lib.rs",
    "service/src/model.rs" => "services/__service__/src/model.rs",
    "service/src/model/tests.rs" => "services/__service__/src/model/tests.rs",
    "service/src/store.rs" => "services/__service__/src/store.rs",
    "service/src/error.rs" => "services/__service__/src/error.rs",
    "service/src/api/mod.rs" => "services/__service__/src/api/mod.rs",
    "service/src/api/create.rs" => "services/__service__/src/api/create.rs",
    "service/src/api/get.rs" => "services/__service__/src/api/get.rs",
    "service/src/api/list.rs" => "services/__service__/src/api/list.rs",
    "service/src/api/update.rs" => "services/__service__/src/api/update.rs",
    "service/src/api/archive.rs" => "services/__service__/src/api/archive.rs",
    "service/src/api/restore.rs" => "services/__service__/src/api/restore.rs",
    "service/tests/it/main.rs" => "services/__service__/tests/it/main.rs",
    "service/tests/it/rights.rs" => "services/__service__/tests/it/rights.rs",
    "service/tests/it/plans.rs" => "services/__service__/tests/it/plans.rs",
    "contract.rs" => "crates/contracts/src/__service__.rs",
    "journey.rs" => "tests/e2e/tests/it/__service__.rs",
};

/// Whether the code that is written uses a word for something else, so that it cannot be a name.
pub(super) fn uses(word: &str) -> bool {
    FILES
        .iter()
        // The service's tests have its names between quotation marks only.
        .filter(|file| file.path.ends_with(".rs") && !file.path.starts_with("services/__service__/tests/"))
        .any(|file| {
            let code = file
                .text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with("//"));
            // Every second part of a line stands between quotation marks.
            let parts = code.flat_map(|line| line.split('"').step_by(2));
            parts
                .flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'))
                .any(|w| w == word)
        })
}
