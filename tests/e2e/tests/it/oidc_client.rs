//! The npm package `openid-client`, unmodified and pinned, signs in: the proof that Stoa speaks OpenID Connect as
//! others understand it, not only as we do.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use stoa_e2e::journeys;
use tokio::process::Command;
use tokio::sync::OnceCell;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oidc-client");
const FILES: [&str; 3] = ["package.json", "package-lock.json", "sign-in.mjs"];

/// Runs a command to its end; says what to install when it is not there.
async fn run(command: &mut Command, bound: Duration) -> Output {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let ended = tokio::time::timeout(bound, command.kill_on_drop(true).output()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{program} did not end within {} s", bound.as_secs()));
    ended.unwrap_or_else(|error| {
        panic!("{program} cannot be started ({error}); install Node.js 18 or newer with npm: `scripts/install-deps test`")
    })
}

/// The client with its dependencies, installed once in the target folder from the lock file.
async fn installed() -> &'static Path {
    static FOLDER: OnceCell<PathBuf> = OnceCell::const_new();
    FOLDER.get_or_init(install).await
}

async fn install() -> PathBuf {
    let mut digest = Sha256::new();
    for file in FILES {
        digest.update(std::fs::read(Path::new(SOURCE).join(file)).expect(file));
    }
    let name = format!("oidc-client-{}", hex::encode(&digest.finalize()[..8]));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(name);
    if folder.is_dir() {
        return folder;
    }
    // Made aside and renamed, so that a folder with this name is whole, whoever else installs at the same time.
    std::fs::create_dir_all(target).expect("the target folder");
    let aside = tempfile::tempdir_in(target).expect("a folder");
    for file in FILES {
        std::fs::copy(Path::new(SOURCE).join(file), aside.path().join(file)).expect(file);
    }
    let arguments = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
    ];
    let output = run(
        Command::new("npm").args(arguments).current_dir(&aside),
        Duration::from_secs(300),
    )
    .await;
    assert!(
        output.status.success(),
        "npm ci failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    if let Err(error) = std::fs::rename(aside.path(), &folder) {
        assert!(folder.is_dir(), "{}: {error}", folder.display());
    }
    folder
}

journeys! {
    // covers: ID-01, ID-02, ID-03
    async fn an_unmodified_client_signs_in(platform: &mut Platform) {
        let mut node = Command::new("node");
        node.arg(installed().await.join("sign-in.mjs")).args([&platform.url, "alice@acme.test", "stoa-demo-2026"]);
        let output = run(&mut node, Duration::from_secs(120)).await;
        assert!(output.status.success(), "the client failed: {}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a JSON summary");

        assert_eq!(summary["issuer"], json!(platform.url));
        assert_eq!(summary["supportsPKCE"], true);
        assert_eq!(summary["scope"], "openid profile email offline_access");
        let claims = &summary["claims"];
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(platform.url), &json!("stoa-cli")));
        assert_eq!(summary["userinfo"]["sub"], claims["sub"]);
        assert_eq!(summary["userinfo"]["email"], "alice@acme.test");
        assert_eq!(summary["refresh"], json!({ "rotated": true, "newAccessToken": true, "sub": claims["sub"] }));
        assert_eq!(summary["customers"], json!({ "status": 200, "count": 43 }));
        assert_eq!(summary["logout"], json!({ "landedAt": "post_logout_redirect_uri", "stateReturned": true }));
        assert_eq!(
            summary["refused"],
            json!({
                // The package's own checks of what we answered …
                "state": "OAUTH_INVALID_RESPONSE",
                "issuer": "OAUTH_INVALID_RESPONSE",
                "subject": "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED",
                "nonce": "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
                // … and our refusals, as it reads them.
                "revokedRefresh": "invalid_grant",
                "refreshAfterLogout": "invalid_grant",
                "silentAfterLogout": "login_required",
            })
        );
    }
}
