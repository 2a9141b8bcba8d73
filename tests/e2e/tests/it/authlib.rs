//! The Python package Authlib, unmodified and pinned, signs in: a second client of another make, so that what one of them
//! forgives does not pass for the standard.

use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;
use stoa_e2e::journeys;
use stoa_testkit::smtp::python;
use tokio::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/authlib_client.py");

async fn sign_in(url: &str, email: &str, password: &str) -> Output {
    let mut client = Command::new(python().expect("the tests' Python"));
    client.arg(SOURCE).args([url, email, password]).kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_secs(120), client.output()).await;
    ended.expect("the client ends").expect("the client starts")
}

journeys! {
    // covers: ID-01, ID-02, ID-03
    async fn an_unmodified_client_signs_in(platform: &mut Platform) {
        let output = sign_in(&platform.url, "alice@acme.test", "stoa-demo-2026").await;
        assert!(output.status.success(), "the client failed: {}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a JSON summary");

        assert_eq!(summary["issuer"], json!(platform.url));
        assert_eq!(summary["scope"], "openid profile email offline_access");
        let claims = &summary["claims"];
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(platform.url), &json!("stoa-cli")));
        assert_eq!(summary["userinfo"]["sub"], claims["sub"]);
        assert_eq!(summary["userinfo"]["email"], "alice@acme.test");
        assert_eq!(summary["refresh"], json!({ "rotated": true, "newAccessToken": true }));
        assert_eq!(summary["customers"], json!({ "status": 200, "count": 43 }));
        assert_eq!(
            summary["logout"],
            json!({ "landedAt": "http://127.0.0.1:9/callback", "stateReturned": true })
        );
        assert_eq!(
            summary["refused"],
            json!({
                // The package's own checks of what we answered …
                "nonce": "InvalidClaimError",
                "signature": "BadSignatureError",
                // … and our refusals, as it reads them.
                "secondUse": "invalid_grant",
                "revokedRefresh": "invalid_grant",
                "refreshAfterLogout": "invalid_grant",
                "silentAfterLogout": "login_required",
            })
        );
    }
}
