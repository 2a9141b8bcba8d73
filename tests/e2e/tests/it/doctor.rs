//! `stoa doctor` and `stoa completions`, as a person at a terminal has them.

use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use stoa_testkit::platform::{binary, free_address};

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary().unwrap())
        .arg("doctor")
        .args(arguments)
        .current_dir(folder)
        .env_remove("STOA_CONFIG")
        .output()
        .unwrap()
}

fn findings(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

fn finding<'f>(findings: &'f [Value], what: &str) -> &'f Value {
    findings
        .iter()
        .find(|f| f["what"].as_str().is_some_and(|w| w.contains(what)))
        .unwrap_or_else(|| panic!("nothing about {what} in {findings:#?}"))
}

#[test]
fn a_machine_that_can_run_the_platform_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) = (
        free_address().unwrap().to_string(),
        free_address().unwrap().to_string(),
    );
    let output = doctor(
        folder.path(),
        &["--json", "--listen", &api, "--admin-listen", &admin],
    );
    let found = findings(&output);
    assert!(output.status.success(), "{found:#?}");
    assert_eq!(finding(&found, "PostgreSQL")["level"], "ok");
    assert_eq!(finding(&found, "address of API")["level"], "ok");
}

#[test]
fn a_busy_address_and_a_missing_server_are_named_with_their_remedies() {
    let folder = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = Command::new(binary().unwrap())
        .args(["doctor", "--listen", &busy.local_addr().unwrap().to_string()])
        .args(["--admin-listen", &free_address().unwrap().to_string()])
        .current_dir(folder.path())
        .env("STOA_PG_BIN", folder.path())
        .env_remove("STOA_CONFIG")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    for words in ["ERROR", "choose another with --listen", "STOA_PG_BIN"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let summary = String::from_utf8_lossy(&output.stderr);
    assert!(summary.contains("2 of"), "{summary}");
}

// covers: SC-01
#[test]
fn a_configuration_is_examined_down_to_each_role_and_tells_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stoa.toml");
    let text = format!(
        "[server]\npublic_url = \"http://stoa.example\"\n[database]\nhost = {:?}\n\
         [services.customer]\napp_password = \"a-secret-of-mine\"\nsystem_password = \"a-secret-of-mine\"\n\
         [telemetry]\notlp_endpoint = \"http://{}\"\n",
        folder.path().display().to_string(),
        free_address().unwrap()
    );
    std::fs::write(&file, text).unwrap();
    let output = doctor(folder.path(), &["--json", "--config", file.to_str().unwrap()]);
    let found = findings(&output);
    assert!(!output.status.success());
    let database = finding(&found, "stoa_customer_app");
    assert_eq!(database["level"], "error", "{database}");
    assert!(
        database["remedy"].as_str().unwrap().contains("database.host"),
        "{database}"
    );
    assert_eq!(
        finding(&found, "stoa_identity_app")["level"],
        "warning",
        "another process may serve it"
    );
    assert_eq!(
        finding(&found, "issuer")["level"],
        "error",
        "a public address without TLS"
    );
    assert_eq!(finding(&found, "trace collector")["level"], "warning");
    assert!(!format!("{found:?}").contains("a-secret-of-mine"));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Command::new(binary().unwrap())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && script.contains("doctor"),
            "{shell}: {script}"
        );
    }
    let unknown = Command::new(binary().unwrap())
        .args(["completions", "tcsh"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("possible values"));
}

#[test]
fn who_stops_reading_hears_no_complaint() {
    let mut child = Command::new(binary().unwrap())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
