//! Invariant 5: every endpoint refuses who is not signed in, who lacks the permission, and who belongs to another
//! tenant. The endpoints come from the running platform's own description, so none can be forgotten.
//!
//! Each needs an example request. Where it follows from the description (a body from its schema's example, an id from
//! creating a record in the collection) nothing has to be written; see `coverage/examples.rs`.

mod examples;
mod rows;

use crate::api::{Answer, Api, send};
use crate::journey::eventually;
use crate::openapi::operations;
use examples::Examples;
use reqwest::Method;
use rows::{Secrets, settled_rows_of};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;

/// Grows only with a decision record: the list of exceptions may only shrink.
const MOST_EXCEPTIONS: usize = 7;

/// The exceptions, one a line: check, operation, reason.
const EXCEPTIONS: &str = include_str!("../../coverage-exceptions.txt");

fn exceptions() -> BTreeSet<String> {
    let lines = EXCEPTIONS
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    let listed: BTreeSet<String> = lines
        .map(|line| {
            let (check, reason) = line
                .split_once(" — ")
                .unwrap_or_else(|| panic!("no reason in: {line}"));
            assert!(reason.len() > 20, "the reason says too little: {line}");
            check.to_owned()
        })
        .collect();
    assert!(
        listed.len() <= MOST_EXCEPTIONS,
        "the list of exceptions may only shrink"
    );
    listed
}

/// Whether an answer is the refusal that is due.
fn is_refusal(answer: &Answer, status: u16, code: &str) -> bool {
    let is_problem = answer.header("content-type") == "application/problem+json";
    answer.status == status && answer.body["code"] == code && is_problem
}

journeys! {
    // covers: GW-02, GW-03, AZ-01, TN-01, TN-02
    async fn every_endpoint(platform: &mut Platform) {
        let document = send(platform.http.get(platform.at("/openapi.json"))).await.body;
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let foreigner = Api::sign_in(platform, "admin@globex.test").await;
        let nobody = without_roles(platform, &admin, "bob@acme.test").await;
        let claims = nobody.tokens.claims().expect("claims");
        let tenant = claims["tenantId"].as_str().expect("a tenant").to_owned();
        let user = claims["sub"].as_str().expect("a user").to_owned();
        give_branch(&admin).await;
        let mut makers = Examples {
            admin: &admin,
            document: &document,
            user,
            tenant: tenant.clone(),
            made: 0,
        };
        let (mut examples, mut missing) = (Vec::new(), Vec::new());
        for operation in operations(&document).iter().filter(|o| !o.is_public()) {
            match makers.of(operation).await {
                Ok(example) => examples.push(example),
                Err(why) => missing.push(format!("{}: {why}", operation.name())),
            }
        }
        assert!(
            missing.is_empty(),
            "operations without an example:\n{}",
            missing.join("\n")
        );
        assert!(examples.len() > 50, "only {} operations", examples.len());

        let before = settled_rows_of(platform, &tenant).await;
        let secrets = Secrets::of(platform, &tenant).await.without_names_of(&examples);
        let mut failures = BTreeMap::new();
        for example in &examples {
            let answer = example.send(platform, None).await;
            if !is_refusal(&answer, 401, "auth.unauthenticated")
                || answer.header("www-authenticate").is_empty()
            {
                failures.insert(format!("anonymous {}", example.name), answer);
            }
            // Another spelling of the path is no way around.
            let slashed = format!("{}/", example.path);
            let answer = send(
                platform
                    .http
                    .request(example.method.clone(), platform.at(&slashed)),
            )
            .await;
            assert!(
                (400..500).contains(&answer.status),
                "{} {slashed}: {answer:?}",
                example.method
            );
            let answer = example.send(platform, Some(&nobody)).await;
            let names_it = |p: &String| {
                answer.body["detail"]
                    .as_str()
                    .is_some_and(|d| d.contains(p.as_str()))
            };
            if !is_refusal(&answer, 403, "auth.forbidden")
                || !example.permission.as_ref().is_none_or(names_it)
            {
                failures.insert(format!("unprivileged {}", example.name), answer);
            }
            let answer = example.of_stranger().send(platform, Some(&foreigner)).await;
            let refused = !example.is_about_a_record || is_refusal(&answer, 404, "request.not_found");
            let leaked = secrets.in_answer(&answer, example);
            assert!(leaked.is_empty(), "{} tells a second tenant {leaked:?}: {answer:?}", example.name);
            let is_told = answer.body.to_string().contains(&tenant);
            if !refused || is_told || answer.status >= 500 {
                failures.insert(format!("foreign {}", example.name), answer);
            }
        }
        assert_eq!(
            settled_rows_of(platform, &tenant).await,
            before,
            "a refused request has changed the tenant's rows"
        );

        let listed = exceptions();
        let open = failures.iter().filter(|(check, _)| !listed.contains(*check));
        let open: Vec<_> = open
            .map(|(check, a)| format!("{check}: {} {}", a.status, a.body))
            .collect();
        assert!(open.is_empty(), "not refused:\n{}", open.join("\n"));
        for check in &listed {
            assert!(
                failures.contains_key(check),
                "tests/e2e/coverage-exceptions.txt: no longer needed: {check}"
            );
        }

        // The examples are good: what was refused above was refused for the caller alone. The rollback comes last,
        // because it undoes other examples.
        examples.sort_by_key(|example| example.name.ends_with("/rollback"));
        let mut telling = 0;
        for example in &examples {
            let answer = example.send(platform, Some(&admin)).await;
            assert!(
                (200..300).contains(&answer.status),
                "{}: {:?}: {answer:?}",
                example.name,
                example.body
            );
            telling += usize::from(!secrets.in_answer(&answer, example).is_empty());
        }
        assert!(telling > 30, "only {telling} answers tell the tenant itself anything: would a leak be seen?");
        assert_ne!(
            settled_rows_of(platform, &tenant).await,
            before,
            "the fingerprint sees changes"
        );
    }
}

/// Gives the administrator a home branch, which the customers of the examples then belong to.
async fn give_branch(admin: &Api) {
    let me = admin.tokens.claims().expect("claims")["sub"]
        .as_str()
        .expect("a user")
        .to_owned();
    let branch = admin.get("/api/customers?limit=1").await.items()[0]["branchId"].clone();
    let path = format!("/api/iam/users/{me}/branch");
    let given = send(
        admin
            .request(Method::PUT, &path)
            .json(&json!({ "branchId": branch })),
    )
    .await;
    assert_eq!(given.status, 200, "{given:?}");
    // Once the customer service knows, the scope `branch` shows something.
    let there = "/api/customers/stats?dataScope=branch";
    eventually(async || (admin.get(there).await.body["total"] != 0).then_some(())).await;
}

/// Takes every role from a user, and waits until that holds.
async fn without_roles(platform: &Platform, admin: &Api, email: &str) -> Api {
    let api = Api::sign_in(platform, email).await;
    let user = api.tokens.claims().expect("claims")["sub"]
        .as_str()
        .expect("a user")
        .to_owned();
    for held in admin
        .get(&format!("/api/iam/assignments?user={user}"))
        .await
        .items()
    {
        let id = held["id"].as_str().expect("an id");
        let taken = admin.delete(&format!("/api/iam/assignments/{id}")).await;
        assert_eq!(taken.status, 200, "{taken:?}");
    }
    eventually(async || (api.get("/api/customers").await.status == 403).then_some(())).await;
    api
}
