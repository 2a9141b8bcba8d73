//! Processes die, by accident and on request.

use crate::api::Api;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::json;
use stoa_e2e::{journeys, start};
use stoa_testkit::platform::Topology;

// covers: RS-02, EV-03, EV-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_service_takes_its_own_routes_down_only() {
    let mut platform = start(Topology::Split).await.unwrap();
    let alice = Api::sign_in(&platform, "alice@acme.test").await;
    let admin = Api::sign_in(&platform, "admin@acme.test").await;
    assert_eq!(admin.get("/api/organizations").await.status, 200);

    let mut made = Vec::new();
    for n in 0..5 {
        let body = json!({ "name": format!("Before {n}"), "email": format!("before-{n}@kill.test") });
        let created = alice.post("/api/customers", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        made.push(created.header("location").to_owned());
    }
    platform.process_of("customer").kill9().unwrap();

    for _ in 0..8 {
        let refused = alice.get("/api/customers").await;
        refused.assert_problem(503, "service.unavailable");
        assert!(
            refused.header("retry-after").parse::<u32>().is_ok(),
            "{refused:?}"
        );
        let body = json!({ "name": "Nobody", "email": "nobody@kill.test" });
        alice
            .post("/api/customers", &body)
            .await
            .assert_problem(503, "service.unavailable");
        assert_eq!(
            admin.get("/api/organizations").await.status,
            200,
            "another service's routes go on"
        );
    }

    platform.process_of("customer").restart().await.unwrap();
    eventually(|| async { (alice.get("/api/customers").await.status == 200).then_some(()) }).await;
    let later = alice
        .post(
            "/api/customers",
            &json!({ "name": "Later", "email": "later@kill.test" }),
        )
        .await;
    made.push(later.header("location").to_owned());
    for path in &made {
        let activities = format!("{path}/activities");
        eventually(|| async { (!alice.get(&activities).await.items().is_empty()).then_some(()) }).await;
    }
    for path in &made {
        let activities = alice.get(&format!("{path}/activities")).await;
        assert_eq!(activities.items().len(), 1, "created, once: {activities:?}");
    }
}

// covers: RS-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_access_service_decisions_are_made_from_memory() {
    let mut platform = start(Topology::Split).await.unwrap();
    let alice = Api::sign_in(&platform, "alice@acme.test").await;
    let bob = Api::sign_in(&platform, "bob@acme.test").await;
    let body = |name: &str| json!({ "name": name, "email": format!("{name}@memory.test") });
    assert_eq!(alice.get("/api/customers").await.status, 200);
    assert_eq!(alice.post("/api/customers", &body("warm")).await.status, 201);

    platform.process_of("access").kill9().unwrap();
    for n in 0..20 {
        assert_eq!(alice.get("/api/customers?limit=1").await.status, 200);
        assert_eq!(
            alice
                .post("/api/customers", &body(&format!("memory-{n}")))
                .await
                .status,
            201
        );
        alice
            .get("/api/iam/roles")
            .await
            .assert_problem(403, "auth.forbidden");
    }
    // Whose grants no process has read: not refused as if they were known, and not let in.
    bob.get("/api/customers")
        .await
        .assert_problem(503, "service.unavailable");

    platform.process_of("access").restart().await.unwrap();
    eventually(|| async { (bob.get("/api/customers").await.status == 200).then_some(()) }).await;
    assert_eq!(alice.get("/api/customers?limit=1").await.status, 200);

    platform.process_of("gateway").kill9().unwrap();
    let url = platform.at("/api/customers");
    assert!(platform.http.get(&url).send().await.is_err(), "nobody listens");
    platform.process_of("gateway").restart().await.unwrap();
    assert_eq!(
        alice.get("/api/customers").await.status,
        200,
        "the token is as good as before"
    );
}

journeys! {
    // covers: GW-24
    async fn a_stop_on_request_finishes_what_is_under_way(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let created = alice.post("/api/customers", &json!({ "name": "Slow", "email": "slow@drain.test" })).await;
        let (path, etag) = (created.header("location").to_owned(), created.header("etag").to_owned());
        let id: uuid::Uuid = created.body["id"].as_str().unwrap().parse().unwrap();
        let mut record = json!({ "name": "Slower", "email": "slow@drain.test" });
        record["branchId"] = created.body["branchId"].clone();
        record["ownerId"] = created.body["ownerId"].clone();

        let mut holder = platform.database().connect_as_superuser().await.unwrap();
        let watcher = platform.database().connect_as_superuser().await.unwrap();
        let lock = holder.transaction().await.unwrap();
        lock.execute("select from customer.customer where id = $1 for update", &[&id]).await.unwrap();
        let change = tokio::spawn(async move { alice.change(Method::PUT, &path, &etag, &record).await });
        eventually(|| async {
            let waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            watcher.query_opt(waiting, &[]).await.unwrap().map(|_| ())
        })
        .await;

        let process = platform.process_of("customer");
        let admin = process.admin;
        let release = async {
            eventually(|| async { tokio::net::TcpStream::connect(admin).await.is_err().then_some(()) }).await;
            lock.rollback().await.unwrap();
        };
        let (ended, ()) = tokio::join!(process.terminate(), release);
        assert!(ended.unwrap(), "it ends with success");
        let changed = change.await.unwrap();
        assert_eq!((changed.status, changed.body["name"].as_str()), (200, Some("Slower")), "{changed:?}");

        process.restart().await.unwrap();
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let path = format!("/api/customers/{id}");
        eventually(|| async { (alice.get(&path).await.status == 200).then_some(()) }).await;
        assert_eq!(alice.get(&path).await.body["name"], "Slower", "and it was committed");
    }
}
