//! Examples of requests. Where one follows from the description nothing has to be written here; a path or a body that
//! names other records needs its line in [`Examples::fill`] or [`Examples::special_body`].

use crate::api::{Answer, Api, send};
use crate::openapi::{Operation, operations};
use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::platform::Platform;

/// An example of a request that the administrator of its tenant may make.
#[derive(Clone)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) has_if_match: bool,
    pub(super) permission: Option<String>,
    pub(super) is_about_a_record: bool,
}

impl Example {
    /// The same request of another tenant. Addresses of users are unique over all tenants, so it names one of its own.
    pub(super) fn of_stranger(&self) -> Self {
        let mut example = self.clone();
        if let Some(Value::String(email)) = example.body.as_mut().and_then(|body| body.get_mut("email")) {
            email.insert_str(0, "stranger.");
        }
        example
    }

    /// All that the request says.
    pub(super) fn text(&self) -> String {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{} {body}", self.path)
    }

    pub(super) async fn send(&self, platform: &Platform, as_user: Option<&Api>) -> Answer {
        let mut request = match as_user {
            Some(api) => api.request(self.method.clone(), &self.path),
            None => platform
                .http
                .request(self.method.clone(), platform.at(&self.path)),
        };
        if self.has_if_match {
            request = request.header("if-match", "*");
        }
        request = match &self.body {
            Some(Value::String(file)) => request.header("content-type", "text/csv").body(file.clone()),
            Some(body) => request.json(body),
            None => request,
        };
        send(request).await
    }
}

/// Makes examples, with records of the administrator's tenant that are made for the purpose.
pub(super) struct Examples<'p> {
    pub(super) admin: &'p Api,
    pub(super) document: &'p Value,
    pub(super) user: String,
    pub(super) tenant: String,
    pub(super) made: u32,
}

impl Examples<'_> {
    /// The request of an operation, or what is missing for one.
    pub(super) async fn of(&mut self, operation: &Operation<'_>) -> Result<Example, String> {
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
                held if held.starts_with("/api/users/") && held.ends_with("/roles") => {
                    self.hold_role(held).await?
                }
                team if team.starts_with("/api/teams/") && team.ends_with("/members") => {
                    self.join(team).await?
                }
                links if links.starts_with("/api/contacts/") => self.link(links).await?,
                "/api/customers/merges" => self.merge().await?,
                "/api/customers/imports" => self.upload().await?,
                "/api/customers/operations" => self.cancelled().await?,
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

    /// Links a contact to a customer that is made for it, and returns the link's path.
    async fn link(&mut self, links: &str) -> Result<String, String> {
        let customer = self.make("/api/customers").await?;
        let path = format!("{links}/{}", customer.rsplit('/').next().unwrap_or_default());
        let linked = send(self.admin.request(Method::PUT, &path).json(&json!({}))).await;
        match linked.status {
            200 => Ok(path),
            _ => Err(format!("PUT {path}: {linked:?}")),
        }
    }

    /// Sends a file to import, and returns where it is.
    async fn upload(&mut self) -> Result<String, String> {
        let rows: String = (0..2_000).map(|n| format!("Coverage row {n},\n")).collect();
        let request = self.admin.request(Method::POST, "/api/customers/imports");
        let sent = send(
            request
                .header("content-type", "text/csv")
                .body(format!("name,branch\n{rows}")),
        )
        .await;
        match sent.status {
            201 => Ok(sent.header("location").to_owned()),
            _ => Err(format!("POST /api/customers/imports: {sent:?}")),
        }
    }

    /// Starts an import and cancels it before it is over; returns the operation's path. Cancelling it again is allowed.
    async fn cancelled(&mut self) -> Result<String, String> {
        for _ in 0..10 {
            let start = format!("{}/start", self.upload().await?);
            let begun = self.admin.post(&start, &json!({ "dryRun": true })).await;
            let operation = begun.header("location").to_owned();
            let cancelled = self
                .admin
                .post(&format!("{operation}/cancel"), &Value::Null)
                .await;
            if (begun.status, cancelled.status) == (202, 200) {
                return Ok(operation);
            }
        }
        Err("ten imports were over before they could be cancelled".to_owned())
    }

    /// Merges two customers that are made for it, and returns the merge's path.
    async fn merge(&mut self) -> Result<String, String> {
        let into = self.make("/api/customers").await?;
        let body = self.merge_body().await?;
        let request = self.admin.request(Method::POST, &format!("{into}/merge"));
        let merged = send(request.header("if-match", "*").json(&body)).await;
        match merged.body["merge"]["id"].as_str() {
            Some(id) => Ok(format!("/api/customers/merges/{id}")),
            None => Err(format!("POST {into}/merge: {merged:?}")),
        }
    }

    /// What to merge: a customer that is made for it.
    async fn merge_body(&mut self) -> Result<Value, String> {
        let from = Box::pin(self.make("/api/customers")).await?;
        Ok(json!({ "from": from.rsplit('/').next(), "fromVersion": 1 }))
    }

    /// Gives a user a new role and returns the path of holding it.
    async fn hold_role(&mut self, roles: &str) -> Result<String, String> {
        let role = Box::pin(self.make("/api/iam/roles")).await?;
        let role = role.rsplit('/').next().unwrap_or_default();
        let given = self.admin.post(roles, &json!({ "roleId": role })).await;
        match given.status {
            201 => Ok(format!("{roles}/{role}")),
            _ => Err(format!("POST {roles}: {given:?}")),
        }
    }

    /// Adds a new user to a team and returns the path of being in it.
    async fn join(&mut self, members: &str) -> Result<String, String> {
        let user = Box::pin(self.make("/api/users")).await?;
        let path = format!("{members}/{}", user.rsplit('/').next().unwrap_or_default());
        let joined = self.admin.post(&path, &Value::Null).await;
        match joined.status {
            200 => Ok(path),
            _ => Err(format!("POST {path}: {joined:?}")),
        }
    }

    /// Bodies that the description cannot know, because they name records.
    async fn special_body(&mut self, name: &str) -> Option<Value> {
        let (user, tenant) = (&self.user, &self.tenant);
        Some(match name {
            "POST /api/iam/assignments" => {
                let role = self.make("/api/iam/roles").await.expect("a role");
                json!({ "userId": self.user, "roleId": role.rsplit('/').next() })
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
            "POST /api/customers/{id}/merge" => self.merge_body().await.expect("a customer"),
            // The key of the field that was made last, because it cannot be changed.
            "PUT /api/customers/fields/{id}" => json!({
                "key": format!("coverage_{}", self.made), "label": "Changed", "type": "number", "decimals": 2
            }),
            "POST /api/users/{id}/roles" => {
                let role = self.make("/api/iam/roles").await.expect("a role");
                json!({ "roleId": role.rsplit('/').next() })
            }
            // What Bob's profile says already, so that his being let in changes nothing.
            "PUT /api/users/me" => json!({ "name": "Bob Example" }),
            "POST /api/interactions" | "PUT /api/interactions/{id}" => {
                let customer = Box::pin(self.make("/api/customers")).await.expect("a customer");
                let id = customer.rsplit('/').next();
                json!({ "kind": "note", "subject": format!("About {customer}"), "customerId": id })
            }
            _ => return None,
        })
    }

    /// The body in the description's example, with names of its own, so that it can be created often.
    fn described_body(&mut self, operation: &Operation<'_>) -> Result<Option<Value>, String> {
        let file = &operation.spec["requestBody"]["content"]["text/csv"]["example"];
        if file.is_string() {
            return Ok(Some(file.clone()));
        }
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
            ("key", format!("coverage_{}", self.made)),
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
