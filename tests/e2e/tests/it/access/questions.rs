//! Questions to the policy: the permission check, explanations, token validation, and AuthZEN.

use super::{assign, role, user_of};
use crate::api::{Api, send};
use crate::journey::eventually;
use serde_json::{Value, json};
use stoa_e2e::journeys;

journeys! {
    // covers: AZ-05, AZ-09
    async fn questions_to_the_policy(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let claims = alice.tokens.claims().unwrap();
        let (user, tenant) = (claims["sub"].clone(), claims["tenantId"].clone());
        let ask = async |resource: &str, action: &str, attributes: Value| {
            let mut body =
                json!({ "userId": user, "tenantId": tenant, "resource": resource, "action": action });
            if !attributes.is_null() {
                body["attributes"] = attributes;
            }
            let answer = admin.post("/api/iam/permissions/check", &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        };
        for (resource, action, attributes, allowed, reason) in [
            ("customers", "read", Value::Null, true, "possible"),
            ("customers", "read", json!({ "ownerId": user }), true, "granted"),
            (
                "customers",
                "read",
                json!({ "ownerId": user_of(&bob) }),
                false,
                "outOfScope",
            ),
            ("customers", "read", json!({}), false, "outOfScope"),
            ("customers", "destroy", Value::Null, false, "noGrant"),
            ("organizations", "read", Value::Null, true, "granted"),
            ("/api/customers", "GET", Value::Null, true, "possible"),
            ("/api/customers", "get", Value::Null, true, "possible"),
            ("/api/iam/roles", "POST", Value::Null, false, "noGrant"),
            ("/docs", "GET", Value::Null, true, "public"),
            ("/oauth2/userinfo", "GET", Value::Null, true, "authenticated"),
            ("/nowhere", "GET", Value::Null, false, "noRule"),
        ] {
            let answer = ask(resource, action, attributes).await;
            assert_eq!(
                (&answer["allowed"], &answer["reason"]),
                (&json!(allowed), &json!(reason)),
                "{action} {resource}: {answer}"
            );
        }
        let about = |user: &Value, tenant: &Value| {
            json!({ "userId": user, "tenantId": tenant, "resource": "customers", "action": "read" })
        };
        let anyone = json!(uuid::Uuid::new_v4());
        let bare = about(&user, &anyone);
        admin
            .post("/api/iam/permissions/check", &bare)
            .await
            .assert_problem(404, "request.not_found");
        let unknown = about(&anyone, &tenant);
        assert_eq!(
            admin.post("/api/iam/permissions/check", &unknown).await.body["allowed"],
            false
        );

        let permissions = admin
            .get(&format!("/api/iam/permissions/user/{}", user_of(&alice)))
            .await;
        assert_eq!(permissions.body["roles"], json!(["representative"]));
        let held: Vec<&str> = permissions.body["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|p| p["permission"].as_str())
            .collect();
        assert!(
            held.contains(&"customers:read") && !held.contains(&"iam:write"),
            "{held:?}"
        );

        // Who may not know why gets no explanation; who may, learns what was nearly enough.
        let refused = alice.get("/api/iam/roles").await;
        refused.assert_problem(403, "auth.forbidden");
        assert!(refused.body.get("explanation").is_none(), "{refused:?}");
        role(
            &admin,
            "librarian",
            &[],
            &[json!({ "permission": "iam:read", "scope": "all" })],
        )
        .await;
        let explainer = role(
            &admin,
            "explainer",
            &[],
            &[json!({ "permission": "iam:explain", "scope": "all" })],
        )
        .await;
        assign(&admin, &user_of(&alice), &explainer).await;
        let explained = eventually(async || {
            let answer = alice.get("/api/iam/roles").await;
            (!answer.body["explanation"].is_null()).then_some(answer)
        })
        .await;
        explained.assert_problem(403, "auth.forbidden");
        let near = explained.body["explanation"]["nearMisses"]
            .as_array()
            .expect("near misses");
        assert!(
            near.iter().any(|miss| miss.to_string().contains("librarian")),
            "{explained:?}"
        );

        let validate = async |api: &Api, token: &str| {
            api.post("/api/iam/auth/token/validate", &json!({ "token": token }))
                .await
                .body
        };
        let good = validate(&admin, &alice.tokens.access).await;
        assert_eq!(
            (&good["active"], &good["userId"], &good["tenantId"]),
            (&json!(true), &user, &tenant)
        );
        let foreign = Api::sign_in(platform, "admin@globex.test").await;
        for (api, token) in [
            (&admin, "x.y.z".to_owned()),
            (&admin, format!("{}x", alice.tokens.access)),
            (&foreign, alice.tokens.access.clone()),
        ] {
            let bad = validate(api, &token).await;
            assert_eq!(
                (&bad["active"], bad["reason"].is_string(), bad.get("userId")),
                (&json!(false), true, None),
                "{bad}"
            );
        }
    }

    // covers: AZ-05
    async fn authzen(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let configuration = send(
            platform
                .http
                .get(platform.at("/.well-known/authzen-configuration")),
        )
        .await;
        assert_eq!(
            configuration.body["access_evaluation_endpoint"],
            platform.at("/access/v1/evaluation")
        );
        let subject = json!({ "type": "user", "id": user_of(&alice) });
        let (one, several) = ("/access/v1/evaluation", "/access/v1/evaluations");
        let customer =
            |owner: &str| json!({ "type": "customers", "id": "1", "properties": { "ownerId": owner } });
        for (action, resource, decision) in [
            ("read", customer(&user_of(&alice)), true),
            ("read", customer(&user_of(&admin)), false),
            ("read", json!({ "type": "customers", "id": "1" }), false),
            ("GET", json!({ "type": "endpoint", "id": "/api/customers" }), true),
            (
                "DELETE",
                json!({ "type": "endpoint", "id": "/api/iam/roles/1" }),
                false,
            ),
        ] {
            let answer = admin
                .post(
                    one,
                    &json!({ "subject": subject, "action": { "name": action }, "resource": resource }),
                )
                .await;
            assert_eq!(
                (answer.status, &answer.body["decision"]),
                (200, &json!(decision)),
                "{action} {resource}: {answer:?}"
            );
        }
        for body in [json!({}), json!({ "subject": subject }), json!({ "subject": 7 })] {
            assert_eq!(admin.post(one, &body).await.status, 400, "{body}");
        }
        let questions = [
            customer(&user_of(&alice)),
            customer(&user_of(&admin)),
            customer(&user_of(&alice)),
        ]
        .map(|resource| json!({ "resource": resource }));
        let ask = async |semantic: &str| {
            let body = json!({ "subject": subject, "action": { "name": "read" }, "evaluations": questions,
                "options": { "evaluations_semantic": semantic } });
            let answer = admin.post(several, &body).await;
            let all = answer.body["evaluations"]
                .as_array()
                .unwrap_or_else(|| panic!("{answer:?}"))
                .clone();
            all.iter()
                .map(|e| e["decision"].as_bool().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(ask("execute_all").await, [true, false, true]);
        assert_eq!(ask("deny_on_first_deny").await, [true, false]);
        assert_eq!(ask("permit_on_first_permit").await, [true]);
    }
}
