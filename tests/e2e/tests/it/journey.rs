//! The one journey through the whole house: sign in, be authorised, see one's customers, change one, and find the
//! change in what another service built from the event.

use crate::api::Api;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use stoa_e2e::journeys;

journeys! {
    // covers: ID-01, ID-02, GW-02, GW-03, AZ-01, AZ-04, CRM-04, EV-01, AP-03
    async fn a_sales_day(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let claims = alice.tokens.claims().unwrap();
        assert_eq!(claims["roles"], json!(["representative"]));
        assert_eq!(claims["dataScope"], "own");
        for claim in ["sub", "tenantId", "dataScope", "branchId", "plan"] {
            assert!(claims[claim].is_string(), "no {claim} in {claims}");
        }
        let mine = alice.get("/api/customers?limit=100").await;
        assert_eq!((mine.status, mine.items().len()), (200, 43), "Alice owns 43 of the 85");

        let manager = Api::sign_in(platform, "manager@acme.test").await;
        assert_eq!(manager.get("/api/customers?limit=100").await.items().len(), 85);
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        assert_eq!(admin.get("/api/customers/stats").await.body["total"], 85);
        let other = Api::sign_in(platform, "admin@globex.test").await;
        assert_eq!(other.get("/api/customers?limit=100").await.items().len(), 5);

        let created = alice.post("/api/customers", &json!({ "name": "Initech", "email": "hi@initech.test" })).await;
        assert_eq!(created.status, 201, "{created:?}");
        let path = created.header("location").to_owned();
        let etag = created.header("etag").to_owned();
        assert_eq!(alice.get(&path).await.body["name"], "Initech");
        other.get(&path).await.assert_problem(404, "request.not_found");
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        bob.get(&path).await.assert_problem(404, "request.not_found");

        let mut record = created.body.clone();
        record["name"] = json!("Initech Holdings");
        let body = json!({ "name": "Initech Holdings", "email": "hi@initech.test",
                           "branchId": record["branchId"], "ownerId": record["ownerId"] });
        let changed = alice.change(Method::PUT, &path, &etag, &body).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        alice.change(Method::PUT, &path, &etag, &body).await.assert_problem(412, "request.stale");

        let activities = format!("{path}/activities");
        let seen = eventually(|| async {
            let page = alice.get(&activities).await;
            (page.items().len() >= 2).then_some(page)
        })
        .await;
        assert_eq!(seen.status, 200, "the consumer has built the timeline");
    }
}

/// Polls until `probe` yields something; fails after 20 s.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut probe: impl FnMut() -> F) -> T {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            tokio::time::Instant::now() < give_up,
            "it did not happen within 20 s"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
