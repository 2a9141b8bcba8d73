//! `stoa`: one binary, every service. See `stoa help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stoa_platform::cli::main()
}
