//! A change is in force everywhere at once, and no request notices.

use crate::harness::{ADMIN, Process, TENANT, database};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

// covers: GW-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_reaches_every_instance_and_fails_no_request() {
    let database = database().await;
    let (writer, reader) = (Process::start(&database).await, Process::start(&database).await);
    let us = Some((TENANT, ADMIN));
    let body = |to: usize| {
        json!({
            "name": "Shop",
            "predicates": {"paths": ["/shop/{id}"]},
            "target": {"service": "customer"},
            "rewrite": format!("/api/customers/{to}")
        })
    };
    let made = writer
        .send(us, "POST /api/admin/routes", Some(body(0)), &[])
        .await
        .expect(201);
    let put = format!("PUT {}", made.headers["location"].to_str().unwrap());
    let mut delays = Vec::new();
    let mut requests = 0;
    for edit in 0..=20 {
        if edit > 0 {
            let tag = format!("\"{edit}\"");
            writer
                .send(us, &put, Some(body(edit)), &[("if-match", &tag)])
                .await
                .expect(200);
        }
        let (written, expected) = (Instant::now(), format!("/api/customers/{edit}"));
        loop {
            let answer = reader.get(TENANT, "/shop/7").await;
            requests += 1;
            if answer.body == expected.as_str() {
                break;
            }
            assert!(
                answer.status == 200 || edit == 0,
                "an old route until the new one: {answer:?}"
            );
            assert!(
                written.elapsed() < Duration::from_secs(10),
                "not in time: {expected}"
            );
        }
        delays.push(written.elapsed());
    }
    delays.sort_unstable();
    let median = delays[delays.len() / 2];
    println!(
        "{requests} requests; in force after {median:?} (median), {:?} (most)",
        delays[delays.len() - 1]
    );
    assert!(median < Duration::from_millis(50), "{delays:?}");
}
