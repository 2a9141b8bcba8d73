//! The admin listener: probes and metrics, for operators only.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use stoa_kernel::lifecycle::Health;
use stoa_telemetry::Telemetry;

/// What the admin listener shows.
#[derive(Clone)]
pub struct Admin {
    /// The state of the process's parts.
    pub health: Health,
    /// Metrics and the log level.
    pub telemetry: Arc<Telemetry>,
    /// The services in this process.
    pub services: Arc<Vec<&'static str>>,
}

/// `/health/live`, `/health/ready`, `/health/started`, `/metrics`, `PUT /log-level`.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/health/live", get(|| async { Json(json!({ "status": "up" })) }))
        .route("/health/started", get(ready))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/log-level", axum::routing::put(log_level))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let (ready, parts) = admin.health.report();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = if ready { "up" } else { "down" };
    (
        status,
        Json(json!({ "status": word, "services": *admin.services, "parts": parts })),
    )
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    (
        [("content-type", "text/plain; version=0.0.4")],
        admin.telemetry.render_metrics(),
    )
}

async fn log_level(State(admin): State<Admin>, filter: String) -> impl IntoResponse {
    match admin.telemetry.set_filter(filter.trim()) {
        Ok(()) => (StatusCode::OK, Json(json!({ "log": filter.trim() }))),
        Err(error) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({ "error": error.to_string() })),
        ),
    }
}
