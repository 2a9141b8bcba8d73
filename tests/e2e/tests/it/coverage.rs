//! Invariant 5: every endpoint refuses who is not signed in, who lacks the permission, and who belongs to another
//! tenant. The endpoints come from the running platform's own description, so none can be forgotten.
//!
//! Each needs an example request. Where it follows from the description (a body from its schema's example, an id from
//! creating a record in the collection) nothing has to be written here.

use crate::api::{Answer, Api, send};
use crate::journey::eventually;
use crate::openapi::{Operation, operations};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;

/// Grows only with a decision record: the list of exceptions may only shrink.
const MOST_EXCEPTIONS: usize = 4;

/// The exceptions, one a line: check, operation, reason.
const EXCEPTIONS: &str = include_str!("../../coverage-exceptions.txt");

/// An example of a request that the administrator of its tenant may make.
struct Example {
    name: String,
    method: Method,
    path: String,
    body: Option<Value>,
    has_if_match: bool,
    permission: Option<String>,
    is_about_a_record: bool,
}

impl Example {
    async fn send(&self, platform: &Platform, as_user: Option<&Api>) -> Answer {
        let mut request = match as_user {
            Some(api) => api.request(self.method.clone(), &self.path),
            None => platform
                .http
                .request(self.method.clone(), platform.at(&self.path)),
        };
        if self.has_if_match {
            request = request.header("if-match", "*");
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        send(request).await
    }
}

/// Makes examples, with records of the administrator's tenant that are made for the purpose.
struct Examples<'p> {
    admin: &'p Api,
    document: &'p Value,
    user: String,
    tenant: String,
    made: u32,
}

impl Examples<'_> {
    /// The request of an operation, or what is missing for one.
    async fn of(&mut self, operation: &Operation<'_>) -> Result<Example, String> {
        let name = operation.name();
        let path = self.fill(operation.path).await?;
        if operation.path.ends_with("/restore") {
            let archived = self.admin.delete(path.trim_end_matches("/restore")).await;
            if archived.status != 204 {
                return Err(format!("archiving the example: {archived:?}"));
            }
        }
        let body = match self.special_body(&name).await {
            Some(body) => Some(body),
            None => self.described_body(operation)?,
        };
        Ok(Example {
            method: operation
                .method
                .to_ascii_uppercase()
                .parse()
                .map_err(|_| "an unknown method")?,
            path,
            body,
            has_if_match: operation.parameters("header").contains(&"If-Match"),
            permission: operation.spec["x-stoa-permission"].as_str().map(str::to_owned),
            is_about_a_record: operation.path.contains('{'),
            name,
        })
    }

    /// Puts records of the tenant in a path's places.
    async fn fill(&mut self, template: &str) -> Result<String, String> {
        let mut path = String::new();
        for segment in template.split('/').skip(1) {
            if !segment.starts_with('{') {
                path = format!("{path}/{segment}");
                continue;
            }
            path = match path.as_str() {
                "/api/iam/users" | "/api/iam/permissions/user" => format!("{path}/{}", self.user),
                _ => self.make(&path).await?,
            };
        }
        Ok(path)
    }

    /// Creates a record in a collection and returns its path.
    async fn make(&mut self, collection: &str) -> Result<String, String> {
        let organizations = "/api/organizations";
        let place = match collection {
            "/api/branches" => format!("{}/branches", Box::pin(self.make(organizations)).await?),
            other => other.to_owned(),
        };
        let create = operations(self.document)
            .into_iter()
            .find(|o| o.method == "post" && is_like(o.path, &place));
        let create = create.ok_or_else(|| format!("nothing creates records in {place}"))?;
        let body = match Box::pin(self.special_body(&create.name())).await {
            Some(body) => Some(body),
            None => self.described_body(&create)?,
        };
        let created = self.admin.post(&place, &body.unwrap_or(Value::Null)).await;
        if created.status != 201 {
            return Err(format!("POST {place}: {created:?}"));
        }
        Ok(created.header("location").to_owned())
    }

    /// Bodies that the description cannot know, because they name records.
    async fn special_body(&mut self, name: &str) -> Option<Value> {
        let (user, tenant) = (&self.user, &self.tenant);
        Some(match name {
            "POST /api/iam/assignments" => {
                let role = self.make("/api/iam/roles").await.expect("a role");
                json!({ "userId": uuid::Uuid::new_v4(), "roleId": role.rsplit('/').next() })
            }
            "POST /api/iam/permissions/check" => {
                json!({ "userId": user, "tenantId": tenant, "resource": "customers", "action": "read" })
            }
            "POST /api/iam/auth/token/validate" => json!({ "token": self.admin.tokens.access }),
            "PUT /api/iam/users/{id}/branch" => json!({ "branchId": null }),
            "POST /access/v1/evaluation" | "POST /access/v1/evaluations" => json!({
                "subject": { "type": "user", "id": user }, "action": { "name": "read" },
                "resource": { "type": "customers", "id": "any" }
            }),
            "POST /api/admin/routes/rollback" => json!({}),
            _ => return None,
        })
    }

    /// The body in the description's example, with names of its own, so that it can be created often.
    fn described_body(&mut self, operation: &Operation<'_>) -> Result<Option<Value>, String> {
        let content = &operation.spec["requestBody"]["content"]["application/json"];
        if content.is_null() {
            return Ok(None);
        }
        let schema = match content["schema"]["$ref"]
            .as_str()
            .and_then(|r| r.rsplit('/').next())
        {
            Some(name) => &self.document["components"]["schemas"][name],
            // A merge patch is any object.
            None => return Ok(Some(json!({ "name": "Renamed" }))),
        };
        let mut body = schema["examples"][0].clone();
        if !body.is_object() {
            return Err("its body's schema has no example, and this test has none either".to_owned());
        }
        self.made += 1;
        for (field, value) in [
            ("name", format!("Coverage {}", self.made)),
            ("email", format!("coverage{}@example.test", self.made)),
            ("pattern", format!("/coverage/{}/**", self.made)),
        ] {
            if body[field].is_string() {
                body[field] = value.into();
            }
        }
        Ok(Some(body))
    }
}

/// Whether a path has the form of a template.
fn is_like(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(t, p)| t.starts_with('{') || t == p)
}

/// A fingerprint of every row that a tenant owns, by table.
async fn rows_of(platform: &Platform, tenant: &str) -> BTreeMap<String, String> {
    let client = platform.database().connect_as_superuser().await.expect("connect");
    let tables = "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid
                  where c.relkind in ('r', 'p') and a.attname = 'tenant_id' and not c.relispartition";
    let mut found = BTreeMap::new();
    for row in client.query(tables, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let sql = format!(
            "select coalesce(md5(string_agg(t::text, chr(10) order by t::text)), '') from {table} t
                           where tenant_id = '{tenant}'"
        );
        let print = client.query_one(&sql, &[]).await.expect("rows").get(0);
        found.insert(table, print);
    }
    found
}

/// As [`rows_of`], once nothing moves any more: consumers have caught up.
async fn settled_rows_of(platform: &Platform, tenant: &str) -> BTreeMap<String, String> {
    let mut before = rows_of(platform, tenant).await;
    let mut same = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = rows_of(platform, tenant).await;
        same = if now == before { same + 1 } else { 0 };
        if same == 3 {
            return now;
        }
        before = now;
    }
}

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
            let answer = example.send(platform, Some(&foreigner)).await;
            let refused = !example.is_about_a_record || is_refusal(&answer, 404, "request.not_found");
            let text = answer.body.to_string();
            if !refused || text.contains(&tenant) || answer.status >= 500 {
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
        for example in &examples {
            let answer = example.send(platform, Some(&admin)).await;
            assert!(
                (200..300).contains(&answer.status),
                "{}: {:?}: {answer:?}",
                example.name,
                example.body
            );
        }
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
