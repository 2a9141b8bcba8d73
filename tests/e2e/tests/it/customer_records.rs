//! Customers beyond their own columns: tags, custom fields, segments, duplicates and merges.

use crate::api::{Answer, Api};
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

async fn create(api: &Api, body: &Value) -> Answer {
    let created = api.post("/api/customers", body).await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}

async fn names(api: &Api, query: &str) -> Vec<String> {
    let page = api.get(&format!("/api/customers?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {page:?}");
    let name = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
    page.items().iter().map(name).collect()
}

journeys! {
    // covers: CRM-04, CRM-08, AZ-04
    async fn tags_custom_fields_and_segments(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let foreigner = Api::sign_in(platform, "admin@globex.test").await;

        let definition = json!({ "key": "contract", "label": "Contract", "type": "number", "decimals": 2 });
        for other in [&alice, &manager] {
            other.post("/api/customers/fields", &definition).await.assert_problem(403, "auth.forbidden");
        }
        let field = admin.post("/api/customers/fields", &definition).await;
        assert_eq!(field.status, 201, "{field:?}");
        assert_eq!(alice.get("/api/customers/fields").await.items()[0]["key"], "contract");
        foreigner.get(field.header("location")).await.assert_problem(404, "request.not_found");

        let initech = create(&alice, &json!({
            "name": "Initech", "tags": ["VIP"], "custom": { "contract": 1000.5 }
        })).await;
        create(&alice, &json!({ "name": "Hooli", "custom": { "contract": 10 } })).await;
        let path = initech.header("location").to_owned();
        let refused = alice.post("/api/customers", &json!({ "name": "Wrong", "custom": { "contract": 0.001 } })).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/custom/contract");

        let tagged = alice.post(&format!("{path}/tags"), &json!({ "add": ["key account"] })).await;
        assert_eq!((tagged.status, &tagged.body["tags"]), (200, &json!(["key account", "vip"])));
        for stranger in [&bob, &foreigner] {
            stranger.post(&format!("{path}/tags"), &json!({ "add": ["x"] })).await
                .assert_problem(404, "request.not_found");
        }
        assert_eq!(names(&alice, "filter=tag:has:vip,custom.contract:ge:1000.5").await, ["Initech"]);
        assert_eq!(names(&bob, "filter=tag:has:vip").await, [""; 0]);
        let tags = alice.get("/api/customers/tags").await;
        assert_eq!(tags.body["items"][0], json!({ "tag": "key account", "customers": 1 }));
        assert_eq!(bob.get("/api/customers/tags").await.body["items"], json!([]));

        let condition = json!({ "any": [
            { "field": "custom.contract", "op": "gt", "value": 1000 },
            { "all": [ { "field": "name", "op": "eq", "value": "hooli" }, { "field": "status", "op": "eq", "value": "lead" } ] }
        ]});
        let found = alice.post("/api/customers/search", &json!({ "where": condition, "fields": ["name"] })).await;
        assert_eq!((found.status, found.items().len()), (200, 2), "{found:?}");
        let segment = alice.post("/api/customers/segments", &json!({ "name": "Contracts", "where": condition })).await;
        assert_eq!(segment.status, 201, "{segment:?}");
        let by = format!("segment={}", segment.body["id"].as_str().unwrap_or_default());
        assert_eq!(names(&alice, &by).await, ["Hooli", "Initech"]);
        assert_eq!(names(&bob, &by).await, [""; 0], "a segment does not widen what is seen");
        assert_eq!(alice.get(&format!("/api/customers/stats?{by}")).await.body["total"], 2);
        let its_path = segment.header("location");
        bob.change(Method::PUT, its_path, "*", &json!({ "name": "Bob's", "where": condition })).await
            .assert_problem(403, "auth.forbidden");
        foreigner.get(its_path).await.assert_problem(404, "request.not_found");
        assert_eq!(foreigner.get(&format!("/api/customers?{by}")).await.status, 422);
        assert_eq!(alice.delete(its_path).await.status, 204);
    }

    // covers: CRM-10, AZ-04
    async fn a_duplicate_is_noticed_merged_and_split_again(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let foreigner = Api::sign_in(platform, "admin@globex.test").await;
        let first = create(&alice, &json!({ "name": "Initech", "phone": "+4930123" })).await;
        let check = "/api/customers/duplicates?name=INITECH&phone=4930123";
        let found = alice.get(check).await;
        assert_eq!(found.body["items"][0]["reasons"], json!(["name", "phone"]), "{found:?}");
        for other in [&bob, &foreigner] {
            assert_eq!(other.get(check).await.body["items"], json!([]));
        }
        let body = json!({ "name": "Initech", "email": "hi@initech.test", "tags": ["cold"] });
        alice.post("/api/customers?onDuplicate=refuse", &body).await
            .assert_problem(409, "customers.possible_duplicate");
        let second = create(&alice, &body).await;
        assert_eq!(second.body["duplicates"][0]["id"], first.body["id"]);

        let path = first.header("location").to_owned();
        let merge = json!({ "from": second.body["id"], "fromVersion": 1 });
        for stranger in [&bob, &foreigner] {
            stranger.change(Method::POST, &format!("{path}/merge"), "*", &merge).await
                .assert_problem(404, "request.not_found");
        }
        let merged = alice.change(Method::POST, &format!("{path}/merge"), "\"1\"", &merge).await;
        assert_eq!(merged.status, 200, "{merged:?}");
        assert_eq!(merged.body["customer"]["email"], "hi@initech.test");
        alice.get(second.header("location")).await.assert_problem(404, "request.not_found");
        let activities = format!("{path}/activities?sort=at");
        let kinds = eventually(async || {
            let page = alice.get(&activities).await;
            let kinds: Vec<_> = page.items().iter().map(|e| e["kind"].as_str().unwrap_or_default().to_owned()).collect();
            kinds.iter().any(|kind| kind == "merged").then_some(kinds)
        })
        .await;
        assert_eq!(kinds.iter().filter(|kind| *kind == "created").count(), 2, "one timeline: {kinds:?}");

        let edit = json!({ "email": "office@initech.test" });
        assert_eq!(alice.change(Method::PATCH, &path, "*", &edit).await.status, 200);
        let undo = format!("/api/customers/merges/{}/undo", merged.body["merge"]["id"].as_str().unwrap_or_default());
        for stranger in [&bob, &foreigner] {
            stranger.post(&undo, &Value::Null).await.assert_problem(404, "request.not_found");
        }
        let undone = alice.post(&undo, &Value::Null).await;
        assert_eq!(undone.status, 200, "{undone:?}");
        assert_eq!(undone.body["kept"], json!(["email"]));
        assert_eq!(undone.body["customer"]["email"], "office@initech.test");
        assert_eq!(undone.body["restored"]["email"], "hi@initech.test");
        assert_eq!(alice.get(second.header("location")).await.status, 200);
        alice.post(&undo, &Value::Null).await.assert_problem(409, "customers.merge_undone");
        let merges = alice.get(&format!("{path}/merges")).await;
        assert!(merges.items()[0]["undoneAt"].is_string(), "{merges:?}");
    }
}
