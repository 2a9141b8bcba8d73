//! Versions: conditional reads and writes, the lifecycle of a customer, archive and restore.

use super::assert_invalid;
use crate::api::{Answer, Api, send};
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

async fn create(api: &Api, body: &Value) -> (String, String) {
    let made = api.post("/api/customers", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    (made.header("location").to_owned(), made.header("etag").to_owned())
}

journeys! {
    // covers: AP-03, CRM-04
    async fn reads_and_writes_of_one_version(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let (path, etag) = create(
            &alice,
            &json!({ "name": "Initech", "sector": "software", "employees": 5 }),
        )
        .await;
        for (tags, status) in [
            (&*etag, 304),
            (&*format!("\"77\", W/{etag}"), 304),
            ("*", 304),
            ("\"77\"", 200),
        ] {
            let read = send(alice.request(Method::GET, &path).header("if-none-match", tags)).await;
            assert_eq!((read.status, read.header("etag")), (status, &*etag), "{tags}");
            assert_eq!(read.body.is_object(), status == 200, "{tags}: a 304 has no body");
        }

        let rename = json!({ "name": "Initech Ltd" });
        for method in [Method::PUT, Method::PATCH] {
            send(alice.request(method.clone(), &path).json(&rename))
                .await
                .assert_problem(428, "request.version_required");
            for stale in ["\"77\"", "77", "W/\"1\"", "\"\"", "\"1\", \"2\""] {
                alice
                    .change(method.clone(), &path, stale, &rename)
                    .await
                    .assert_problem(412, "request.stale");
            }
        }
        send(alice.request(Method::DELETE, &path))
            .await
            .assert_problem(428, "request.version_required");

        // PATCH leaves alone what it does not name, null empties, PUT empties what it does not name.
        let patched = alice
            .change(
                Method::PATCH,
                &path,
                &etag,
                &json!({ "name": "Initech Ltd", "sector": null }),
            )
            .await;
        assert_eq!(
            (patched.status, &patched.body["name"], &patched.body["employees"]),
            (200, &json!("Initech Ltd"), &json!(5))
        );
        assert!(patched.body["sector"].is_null());
        assert_ne!(patched.header("etag"), etag);
        let same = alice
            .change(Method::PATCH, &path, patched.header("etag"), &json!({}))
            .await;
        assert_eq!(
            (same.status, same.header("etag")),
            (200, patched.header("etag")),
            "nothing changed, so no new version"
        );
        for (patch, pointer, rule) in [
            (json!({ "name": null }), "/name", "required"),
            (json!({ "colour": "red" }), "/colour", "unknown"),
            (json!({ "employees": "many" }), "/employees", "type"),
            (json!({ "status": "active" }), "/status", "read_only"),
            (json!({ "id": uuid::Uuid::new_v4() }), "/id", "unknown"),
            (json!({ "version": 9 }), "/version", "unknown"),
        ] {
            assert_invalid(
                &alice.change(Method::PATCH, &path, "*", &patch).await,
                pointer,
                rule,
            );
        }
        let merge = alice
            .request(Method::PATCH, &path)
            .header("if-match", "*")
            .header("content-type", "application/merge-patch+json");
        assert_eq!(send(merge.body("{\"employees\":6}")).await.body["employees"], 6);
        let put = alice
            .change(Method::PUT, &path, "*", &json!({ "name": "Initech" }))
            .await;
        assert_eq!(
            (put.status, put.body["employees"].is_null()),
            (200, true),
            "{put:?}"
        );

        // Two writers with one version: exactly one wins, each time.
        let mut etag = put.header("etag").to_owned();
        for round in 0..10 {
            let write = async |who: &str| {
                alice
                    .change(
                        Method::PATCH,
                        &path,
                        &etag,
                        &json!({ "name": format!("{who} {round}") }),
                    )
                    .await
            };
            let (one, two) = tokio::join!(write("One"), write("Two"));
            let mut statuses = [one.status, two.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412], "{one:?} {two:?}");
            let (won, lost): (Answer, Answer) = if one.status == 200 { (one, two) } else { (two, one) };
            lost.assert_problem(412, "request.stale");
            let now = alice.get(&path).await;
            assert_eq!(
                (&now.body["name"], now.header("etag")),
                (&won.body["name"], won.header("etag"))
            );
            etag = now.header("etag").to_owned();
        }
    }

    // covers: CRM-04
    async fn a_customers_life(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let (path, _) = create(
            &alice,
            &json!({ "name": "Globex Partner", "email": "Hi@Partner.test" }),
        )
        .await;
        let to = async |status: &str| {
            alice
                .change(
                    Method::POST,
                    &format!("{path}/status"),
                    "*",
                    &json!({ "status": status }),
                )
                .await
        };
        for (next, status) in [
            ("inactive", 409),
            ("lead", 409),
            ("active", 200),
            ("active", 409),
            ("lead", 409),
            ("inactive", 200),
            ("active", 200),
            ("lost", 200),
            ("active", 409),
            ("lead", 200),
        ] {
            let answer = to(next).await;
            assert_eq!(answer.status, status, "{next}: {answer:?}");
            if status == 409 {
                answer.assert_problem(409, "customers.status_move");
            }
        }
        assert_invalid(&to("happy").await, "/status", "type");
        let unversioned = alice
            .post(&format!("{path}/status"), &json!({ "status": "active" }))
            .await;
        unversioned.assert_problem(428, "request.version_required");

        let taken = json!({ "name": "Another", "email": "HI@partner.TEST" });
        alice
            .post("/api/customers", &taken)
            .await
            .assert_problem(409, "customers.email_taken");
        assert_eq!(alice.delete(&path).await.status, 204);
        alice.get(&path).await.assert_problem(404, "request.not_found");
        alice.delete(&path).await.assert_problem(404, "request.not_found");
        alice
            .change(Method::PATCH, &path, "*", &json!({ "name": "X Y" }))
            .await
            .assert_problem(409, "customers.archived");
        to("active").await.assert_problem(409, "customers.archived");
        let listed = |answer: &Answer| {
            answer
                .items()
                .iter()
                .any(|c| path.ends_with(c["id"].as_str().unwrap()))
        };
        assert!(!listed(&alice.get("/api/customers?search=globex").await));
        assert!(listed(
            &alice.get("/api/customers?search=globex&archived=true").await
        ));

        // The address is free while its owner is archived, and in the way of the return.
        let (other, _) = create(&alice, &taken).await;
        let restore = async || alice.post(&format!("{path}/restore"), &Value::Null).await;
        restore().await.assert_problem(409, "customers.email_taken");
        assert_eq!(alice.delete(&other).await.status, 204);
        assert_eq!(restore().await.status, 200);
        restore().await.assert_problem(409, "customers.not_archived");
        assert_eq!(alice.get(&path).await.body["status"], "lead");
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        assert_eq!(
            foreign
                .post(
                    "/api/customers",
                    &json!({ "name": "Same address", "email": "hi@partner.test",
            "branchId": foreign.get("/api/customers?limit=1").await.items()[0]["branchId"] })
                )
                .await
                .status,
            201,
            "unique per tenant"
        );
    }
}
