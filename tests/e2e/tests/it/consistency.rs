//! Reading one's own writes: a change answers with the token of its commit, and a read that sends it back shows the
//! change, whatever its projection is built from.

use crate::api::{Answer, Api, send};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::json;
use stoa_e2e::journeys;

/// Asks again when it is not there yet, as the problem says: a busy machine may take longer than a read waits.
async fn timeline_after(api: &Api, customer: &str, token: &str) -> Answer {
    let path = format!("{customer}/activities?limit=100");
    eventually(|| async {
        let answer = send(api.request(Method::GET, &path).header("stoa-after", token)).await;
        if answer.status == 503 {
            answer.assert_problem(503, "request.not_caught_up");
            assert_eq!(answer.header("retry-after"), "1");
            return None;
        }
        Some(answer)
    })
    .await
}

journeys! {
    // covers: EV-15
    async fn a_timeline_shows_the_change_whose_token_the_reader_holds(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let body = json!({ "name": "Seen at once", "email": "seen@once.test" });
        let created = alice.post_once("/api/customers", "seen-at-once", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        let customer = created.header("location").to_owned();
        let seen = timeline_after(&alice, &customer, created.header("stoa-commit")).await;
        assert_eq!((seen.status, seen.items().len()), (200, 1), "{seen:?}");
        let replayed = alice.post_once("/api/customers", "seen-at-once", &body).await;
        assert_eq!(replayed.header("idempotency-replayed"), "true", "{replayed:?}");
        assert!(!replayed.headers.contains_key("stoa-commit"), "{replayed:?}");

        let mut etag = created.header("etag").to_owned();
        for n in 2..=50 {
            let change = json!({ "name": format!("Seen at once, {n}") });
            let changed = alice.change(Method::PATCH, &customer, &etag, &change).await;
            assert_eq!(changed.status, 200, "{changed:?}");
            etag = changed.header("etag").to_owned();
            let seen = timeline_after(&alice, &customer, changed.header("stoa-commit")).await;
            assert_eq!((seen.status, seen.items().len()), (200, n), "{seen:?}");
        }
    }

    // covers: EV-15
    async fn a_token_that_is_none_is_refused_and_one_of_another_tenant_shows_nothing(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let created = alice.post("/api/customers", &json!({ "name": "Ours", "email": "o@ours.test" })).await;
        assert_eq!(created.status, 201, "{created:?}");
        let (customer, token) = (created.header("location"), created.header("stoa-commit"));
        for wrong in ["", "nonsense", &token[1..], &format!("{token}x")] {
            timeline_after(&alice, customer, wrong).await.assert_problem(400, "request.commit_token");
        }
        // Of a log that is not this one: the cell's first byte is another.
        let foreign = format!("AQ{}{}", if &token[2..3] == "A" { "B" } else { "A" }, &token[3..]);
        timeline_after(&alice, customer, &foreign).await.assert_problem(400, "request.commit_token");

        let other = Api::sign_in(platform, "admin@globex.test").await;
        timeline_after(&other, customer, token).await.assert_problem(404, "request.not_found");
        let without = alice.get(&format!("{customer}/activities")).await;
        assert_eq!(without.status, 200, "{without:?}");
    }
}
