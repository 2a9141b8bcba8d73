//! Who may do what, changed at run time: every process follows, nobody locks the tenant out, nobody looks into another.

mod administration;
mod questions;

use crate::api::{Answer, Api, send};
use crate::conventions::assert_invalid;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

/// Creates a record of the policy and returns its id.
async fn create(admin: &Api, path: &str, body: &Value) -> String {
    let made = admin.post(path, body).await;
    assert_eq!(made.status, 201, "{path} {body}: {made:?}");
    assert!(made.body["revision"].is_i64(), "{made:?}");
    made.body["id"].as_str().expect("an id").to_owned()
}

pub(crate) async fn role(admin: &Api, name: &str, parents: &[&str], grants: &[Value]) -> String {
    let id = create(
        admin,
        "/api/iam/roles",
        &json!({ "name": name, "parents": parents }),
    )
    .await;
    for grant in grants {
        create(admin, &format!("/api/iam/roles/{id}/grants"), grant).await;
    }
    id
}

pub(crate) async fn assign(admin: &Api, user: &str, role: &str) -> String {
    create(
        admin,
        "/api/iam/assignments",
        &json!({ "userId": user, "roleId": role }),
    )
    .await
}

pub(crate) fn user_of(api: &Api) -> String {
    api.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned()
}

/// Polls until the answer has this status.
async fn until(status: u16, mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    let last = std::cell::RefCell::new(None);
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while tokio::time::Instant::now() < give_up {
        let answer = ask().await;
        assert!(answer.status < 500, "{answer:?}");
        if answer.status == status {
            return answer;
        }
        last.replace(Some(answer));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{status} did not come: {:?}", last.borrow());
}

async fn total(api: &Api) -> i64 {
    api.get("/api/customers/stats").await.body["total"]
        .as_i64()
        .unwrap_or(-1)
}

journeys! {
    // covers: AZ-01, AZ-02, AZ-08
    async fn a_change_of_roles_reaches_every_process(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let user = user_of(&alice);
        alice
            .get("/api/admin/routes")
            .await
            .assert_problem(403, "auth.forbidden");
        assert_eq!(total(&alice).await, 43);

        // The heir has what its parent's parent has: the gateway lets the request in, and each service shows the rows.
        let everything = [
            json!({ "permission": "customers:read", "scope": "all" }),
            json!({ "permission": "routes:read", "scope": "all" }),
        ];
        let base = role(&admin, "reader", &[], &everything).await;
        let middle = role(&admin, "middle", &[&base], &[]).await;
        let heir = role(&admin, "heir", &[&middle], &[]).await;
        let held = assign(&admin, &user, &heir).await;
        until(200, async || alice.get("/api/admin/routes").await).await;
        eventually(async || (total(&alice).await == 85).then_some(())).await;
        alice
            .post("/api/admin/routes", &json!({}))
            .await
            .assert_problem(403, "auth.forbidden");

        // A denial wins, wherever it is inherited from; taking it back gives the rows back.
        let denial = create(
            &admin,
            &format!("/api/iam/roles/{middle}/grants"),
            &json!({ "permission": "customers:*", "effect": "deny", "scope": "all" }),
        )
        .await;
        until(403, async || alice.get("/api/customers").await).await;
        assert_eq!(
            admin
                .delete(&format!("/api/iam/roles/{middle}/grants/{denial}"))
                .await
                .status,
            200
        );
        until(200, async || alice.get("/api/customers").await).await;
        let own = create(
            &admin,
            &format!("/api/iam/roles/{heir}/grants"),
            &json!({ "permission": "customers:read", "effect": "deny", "scope": "own" }),
        )
        .await;
        eventually(async || (total(&alice).await == 42).then_some(())).await;
        assert_eq!(
            admin
                .delete(&format!("/api/iam/roles/{heir}/grants/{own}"))
                .await
                .status,
            200
        );

        // Inheritance ends with the parent.
        let path = format!("/api/iam/roles/{heir}");
        let etag = admin.get(&path).await.body["version"].to_string();
        let circle = admin
            .change(
                Method::PUT,
                &format!("/api/iam/roles/{base}"),
                "*",
                &json!({ "name": "reader", "parents": [heir] }),
            )
            .await;
        assert_invalid(&circle, "/parents", "policy");
        admin
            .change(Method::PUT, &path, "\"77\"", &json!({ "name": "heir" }))
            .await
            .assert_problem(412, "request.stale");
        assert_eq!(
            admin
                .change(
                    Method::PUT,
                    &path,
                    &format!("\"{etag}\""),
                    &json!({ "name": "heir" })
                )
                .await
                .status,
            200
        );
        until(403, async || alice.get("/api/admin/routes").await).await;
        eventually(async || (total(&alice).await == 43).then_some(())).await;
        admin.delete(&path).await.assert_problem(409, "iam.role_in_use");
        assert_eq!(
            admin.delete(&format!("/api/iam/assignments/{held}")).await.status,
            200
        );
        assert_eq!(admin.delete(&path).await.status, 200);
    }

    // covers: AZ-01
    async fn a_grant_for_a_while(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let user = user_of(&alice);
        let reader = role(
            &admin,
            "auditor",
            &[],
            &[json!({ "permission": "iam:read", "scope": "all" })],
        )
        .await;
        let client = platform.database().connect_as_superuser().await.unwrap();
        let at = async |interval: &str| -> String {
            let format = "YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"";
            let sql = format!("select to_char(now() at time zone 'utc' + interval '{interval}', '{format}')");
            client.query_one(&sql, &[]).await.expect("a time").get(0)
        };
        let (yesterday, soon, tomorrow) = (at("-1 day").await, at("4 s").await, at("1 day").await);
        let give = async |from: &str, until: &str| {
            admin
                .post(
                    "/api/iam/assignments",
                    &json!({ "userId": user, "roleId": reader, "validFrom": from, "validUntil": until }),
                )
                .await
        };
        assert_invalid(&give(&soon, &yesterday).await, "/validUntil", "range");

        let future = give(&tomorrow, "2999-01-01T00:00:00Z").await;
        assert_eq!(future.status, 201, "{future:?}");
        let tenant = &alice.tokens.claims().unwrap()["tenantId"];
        let question = json!({ "userId": user, "tenantId": tenant, "resource": "iam", "action": "read",
            "minRevision": future.body["revision"] });
        assert_eq!(
            admin.post("/api/iam/permissions/check", &question).await.body["allowed"],
            false,
            "not yet"
        );
        let taken = admin
            .delete(&format!(
                "/api/iam/assignments/{}",
                future.body["id"].as_str().unwrap()
            ))
            .await;
        assert_eq!(taken.status, 200);

        assert_eq!(give(&yesterday, &soon).await.status, 201);
        until(200, async || alice.get("/api/iam/roles").await).await;
        // Nothing is written when the time is over: every process ends it by its own clock.
        until(403, async || alice.get("/api/iam/roles").await).await;
    }

    // covers: AZ-02, AZ-08, GW-03, GW-04
    async fn an_endpoint_rule_tightens_and_loosens(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        let rules = "/api/iam/endpoint-rules";
        let pattern = "/api/customers/stats";
        let needs = json!({ "permission": "reports:read" });
        let rule = json!({ "pattern": pattern, "methods": ["get"], "requirement": needs });
        let made = admin.post(rules, &rule).await;
        assert_eq!(
            (made.status, &made.body["methods"]),
            (201, &json!(["GET"])),
            "{made:?}"
        );
        let refused = until(403, async || alice.get("/api/customers/stats").await).await;
        assert!(
            refused.body["detail"].as_str().unwrap().contains("reports:read"),
            "{refused:?}"
        );
        assert_eq!(
            alice.get("/api/customers").await.status,
            200,
            "only that endpoint"
        );
        assert_eq!(
            foreign.get("/api/customers/stats").await.status,
            200,
            "only that tenant"
        );
        let effective = admin.get(&format!("{rules}/effective?limit=100")).await;
        let shown: Vec<_> = effective
            .items()
            .iter()
            .filter(|r| r["pattern"] == "/api/customers/stats")
            .collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(
            shown.iter().any(|r| r["layer"] == "tenant") && shown.iter().any(|r| r["overridden"] == true),
            "{shown:?}"
        );
        assert_invalid(&admin.post(rules, &rule).await, "/pattern", "policy");

        // To any signed-in caller; the service still decides the permission of the rows.
        let path = format!("{rules}/{}", made.body["id"].as_str().unwrap());
        let loose =
            json!({ "pattern": "/api/customers/stats", "methods": ["GET"], "requirement": "authenticated" });
        assert_eq!(
            admin
                .change(Method::PUT, &path, made.header("etag"), &loose)
                .await
                .status,
            200
        );
        until(200, async || alice.get("/api/customers/stats").await).await;
        let routes = json!({ "pattern": "/api/admin/routes", "methods": ["GET"], "requirement": "public" });
        create(&admin, rules, &routes).await;
        let check = |api: &Api| {
            let tenant = &api.tokens.claims().unwrap()["tenantId"];
            json!({ "userId": user_of(api), "tenantId": tenant, "resource": "/api/admin/routes", "action": "GET" })
        };
        eventually(async || {
            (admin
                .post("/api/iam/permissions/check", &check(&manager))
                .await
                .body["reason"]
                == "public")
                .then_some(())
        })
        .await;
        manager
            .get("/api/admin/routes")
            .await
            .assert_problem(403, "auth.forbidden");
        send(platform.http.get(platform.at("/api/admin/routes")))
            .await
            .assert_problem(401, "auth.unauthenticated");

        assert_eq!(admin.delete(&path).await.status, 200);
        assert_eq!(admin.get(&path).await.status, 404);
        for pattern in ["/api/iam/**", "/api/iam/roles", "/access/v1/evaluation"] {
            let own = json!({ "pattern": pattern, "requirement": { "permission": "x:y" } });
            admin
                .post(rules, &own)
                .await
                .assert_problem(409, "iam.rule_protected");
        }
        assert_invalid(
            &admin
                .post(rules, &json!({ "pattern": "x", "requirement": "public" }))
                .await,
            "/pattern",
            "policy",
        );
    }
}
