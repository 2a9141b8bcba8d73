//! OpenAPI from the handlers' own signatures, and from it the seeded endpoint rules: one source for both.

use aide::axum::ApiRouter;
use aide::generate::GenContext;
use aide::openapi::{
    MediaType, OpenApi, Operation, Parameter, ParameterData, ParameterSchemaOrContent, PathStyle,
    ReferenceOr, Response, SchemaObject,
};
use schemars::JsonSchema;
use std::collections::BTreeSet;
use stoa_policy::EndpointRule;

pub use stoa_policy::Requirement;
use uuid::Uuid;

/// The operation's extension that names its permission.
pub const PERMISSION: &str = "x-stoa-permission";
/// The operation's extension of an endpoint for any signed-in caller.
pub const AUTHENTICATED: &str = "x-stoa-authenticated";
/// The operation's extension of an endpoint for everybody.
pub const PUBLIC: &str = "x-stoa-public";

/// The operation's extension of an endpoint that takes files: its body may have `server.max_upload_bytes`.
pub const LARGE_BODY: &str = "x-stoa-large-body";
/// The operation's extension of an endpoint that streams: it may take `server.long_request_timeout_ms`.
pub const LONG: &str = "x-stoa-long";

/// The name of a path parameter until [`describe`] knows the path.
const UNNAMED: &str = "";

/// The name of the security scheme in the merged document.
pub const BEARER: &str = "bearer";

/// The OpenAPI part of a service's routes, with what no single handler says: the name of the path's parameter, who may
/// call, and that the edge may refuse any request with a problem.
#[must_use]
pub fn describe<S: Clone + Send + Sync + 'static>(routes: ApiRouter<S>) -> OpenApi {
    let refusal = aide::generate::in_context(|ctx| {
        problem_response(ctx, "Problem details (RFC 9457); `code` says which")
    });
    let mut api = OpenApi::default();
    // The schemas are those that the routes' handlers left in this thread when `routes` was built.
    let _router = routes.finish_api(&mut api);
    for (path, item) in api.paths.iter_mut().flat_map(|paths| &mut paths.paths) {
        let ReferenceOr::Item(item) = item else { continue };
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            if let Some(name) = placeholder(path) {
                name_path_parameter(operation, name);
            }
            // An empty requirement says: without credentials.
            let scheme =
                (!operation.extensions.contains_key(PUBLIC)).then(|| (BEARER.to_owned(), Vec::new()));
            operation.security = vec![scheme.into_iter().collect()];
            let responses = operation.responses.get_or_insert_default();
            let default = || ReferenceOr::Item(refusal.clone());
            responses.default.get_or_insert_with(default);
        }
    }
    keep_referred_schemas(&mut api);
    api
}

/// Drops the schemas that nothing refers to: those of query and path structs, whose fields became parameters.
fn keep_referred_schemas(api: &mut OpenApi) {
    let Some(components) = &mut api.components else {
        return;
    };
    let mut unread = vec![serde_json::to_string(&api.paths).unwrap_or_default()];
    let mut kept = BTreeSet::new();
    while let Some(text) = unread.pop() {
        for name in text.split("\"#/components/schemas/").skip(1) {
            let name = name.split('"').next().unwrap_or_default();
            if let Some(schema) = components.schemas.get(name)
                && kept.insert(name.to_owned())
            {
                unread.push(serde_json::to_string(schema).unwrap_or_default());
            }
        }
    }
    components.schemas.retain(|name, _| kept.contains(name));
}

/// The only `{name}` of a path.
fn placeholder(path: &str) -> Option<&str> {
    let mut names = path
        .split('/')
        .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    names.next().filter(|_| names.next().is_none())
}

fn name_path_parameter(operation: &mut Operation, name: &str) {
    for parameter in &mut operation.parameters {
        if let ReferenceOr::Item(Parameter::Path { parameter_data, .. }) = parameter
            && parameter_data.name == UNNAMED
        {
            parameter_data.name = name.to_owned();
        }
    }
}

/// Documents a path parameter that is a plain value, such as an id: aide names only the fields of a struct.
pub(crate) fn path_parameter<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation) {
    let described = |p: &ReferenceOr<Parameter>| matches!(p, ReferenceOr::Item(Parameter::Path { .. }));
    if operation.parameters.iter().any(described) {
        return;
    }
    let json_schema = ctx.schema.subschema_for::<T>();
    operation.parameters.push(ReferenceOr::Item(Parameter::Path {
        parameter_data: ParameterData {
            name: UNNAMED.to_owned(),
            description: None,
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(SchemaObject {
                json_schema,
                external_docs: None,
                example: None,
            }),
            example: None,
            examples: Default::default(),
            explode: None,
            extensions: Default::default(),
        },
        style: PathStyle::Simple,
    }));
}

/// The endpoint rules that the operations ask for. An operation without a marker gets none, and stays denied.
#[must_use]
pub fn endpoint_rules(api: &OpenApi) -> Vec<EndpointRule> {
    let mut rules = Vec::new();
    for (path, item) in operations(api) {
        for (method, operation) in item {
            let Some(requirement) = requirement(operation) else {
                continue;
            };
            rules.push(EndpointRule {
                // The name of the endpoint decides the id, so that seeding twice changes nothing.
                id: stable_id(&format!("{method} {path}")),
                pattern: path.clone(),
                methods: vec![method.to_owned()],
                requirement,
            });
        }
    }
    rules
}

/// Every path with its operations by method in upper case.
pub fn operations(api: &OpenApi) -> Vec<(String, Vec<(&'static str, &Operation)>)> {
    let Some(paths) = &api.paths else {
        return Vec::new();
    };
    paths
        .paths
        .iter()
        .filter_map(|(path, item)| match item {
            ReferenceOr::Item(item) => {
                let all = [
                    ("GET", &item.get),
                    ("POST", &item.post),
                    ("PUT", &item.put),
                    ("PATCH", &item.patch),
                    ("DELETE", &item.delete),
                    ("HEAD", &item.head),
                    ("OPTIONS", &item.options),
                ];
                Some((
                    path.clone(),
                    all.into_iter()
                        .filter_map(|(m, o)| o.as_ref().map(|o| (m, o)))
                        .collect(),
                ))
            }
            ReferenceOr::Reference { .. } => None,
        })
        .collect()
}

fn requirement(operation: &Operation) -> Option<Requirement> {
    if let Some(permission) = operation.extensions.get(PERMISSION).and_then(|v| v.as_str()) {
        return Some(Requirement::Permission(permission.to_owned()));
    }
    if operation.extensions.contains_key(AUTHENTICATED) {
        return Some(Requirement::Authenticated);
    }
    operation
        .extensions
        .contains_key(PUBLIC)
        .then_some(Requirement::Public)
}

/// A UUIDv8 (RFC 9562, section 5.8) from a name: the first 16 bytes of its SHA-256.
#[must_use]
pub fn stable_id(name: &str) -> Uuid {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(name.as_bytes());
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A response whose body is problem details.
pub fn problem_response(ctx: &mut GenContext, description: &str) -> Response {
    let schema = ctx.schema.subschema_for::<crate::Problem>();
    let mut response = Response {
        description: description.to_owned(),
        ..Response::default()
    };
    response.content.insert(
        "application/problem+json".to_owned(),
        MediaType {
            schema: Some(SchemaObject {
                json_schema: schema,
                external_docs: None,
                example: None,
            }),
            ..MediaType::default()
        },
    );
    response
}
