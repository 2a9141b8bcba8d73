//! Bodies that are no JSON, in the API's description.

use aide::openapi::{MediaType, ReferenceOr, RequestBody, SchemaObject, StatusCode};
use aide::transform::TransformOperation;
use serde_json::{Value, json};

/// The body is a file of one of these types, the first of which `example` shows.
pub(super) fn consumes(op: &mut TransformOperation<'_>, types: &[&str], example: &str) {
    let mut body = RequestBody {
        required: true,
        ..RequestBody::default()
    };
    for (n, name) in types.iter().enumerate() {
        let media = MediaType {
            schema: Some(binary()),
            example: (n == 0).then(|| Value::from(example)),
            ..MediaType::default()
        };
        body.content.insert((*name).to_owned(), media);
    }
    op.inner_mut().request_body = Some(ReferenceOr::Item(body));
}

/// The answer of 200 is a file of one of these types.
pub(super) fn produces(op: &mut TransformOperation<'_>, types: &[&str]) {
    let responses = op.inner_mut().responses.get_or_insert_default();
    let Some(ReferenceOr::Item(response)) = responses.responses.get_mut(&StatusCode::Code(200)) else {
        return;
    };
    response.content.clear();
    for name in types {
        let media = MediaType {
            schema: Some(binary()),
            ..MediaType::default()
        };
        response.content.insert((*name).to_owned(), media);
    }
}

fn binary() -> SchemaObject {
    let schema = schemars::Schema::try_from(json!({ "type": "string", "format": "binary" }));
    SchemaObject {
        json_schema: schema.unwrap_or_default(),
        external_docs: None,
        example: None,
    }
}
