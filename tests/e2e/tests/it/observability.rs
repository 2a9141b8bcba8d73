//! What operators watch exists: every metric that an alert or a dashboard asks for is exported.

use crate::api::Api;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use stoa_e2e::start;
use stoa_testkit::platform::Topology;
use tokio::time::Instant;

// covers: OB-02, OB-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_the_alerts_and_dashboards_is_exported() {
    let wanted = wanted();
    assert!(wanted.len() > 25, "only {wanted:?}");
    let mut platform = start(Topology::OneProcess).await.expect("the platform");
    let alice = Api::sign_in(&platform, "alice@acme.test").await;
    let body = json!({ "name": "Watched", "email": "watched@example.test" });
    let created = alice.post("/api/customers", &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    let admin = platform.process_of("gateway").admin;
    // Gauges are set by tasks, so they are waited for.
    // Gauges are set by tasks, so they are waited for.
    let scrape = async || {
        let text = reqwest::get(format!("http://{admin}/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let exported: BTreeSet<String> = text.lines().filter_map(name_of_sample).collect();
        wanted.difference(&exported).cloned().collect::<Vec<_>>()
    };
    let give_up = Instant::now() + Duration::from_secs(30);
    let mut missing = scrape().await;
    while !missing.is_empty() && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(50)).await;
        missing = scrape().await;
    }
    assert_eq!(missing, Vec::<String>::new(), "not exported");
}

/// `name` or `name{…}` before the value; comments are none.
fn name_of_sample(line: &str) -> Option<String> {
    let name = line.split(['{', ' ']).next()?;
    (!line.starts_with('#') && !name.is_empty()).then(|| name.to_owned())
}

/// The metrics of this program that the files below `deploy/` name.
fn wanted() -> BTreeSet<String> {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let mut files = vec![deploy.join("alerts/stoa.rules.yml")];
    let dashboards = std::fs::read_dir(deploy.join("dashboards")).expect("the dashboards");
    files.extend(dashboards.map(|entry| entry.expect("an entry").path()));
    assert_eq!(files.len(), 7, "the alerts and six dashboards");
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        names.extend(
            words
                .filter(|word| word.starts_with("stoa_") || word.starts_with("process_"))
                .map(str::to_owned),
        );
    }
    names
}
