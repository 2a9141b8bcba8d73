//! Rate, errors and duration of each service, whoever calls it: the gateway in this process or another one over the mesh.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use metrics::{Counter, Histogram, counter, histogram};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;
use tower::{Layer, Service};

/// `router`, whose requests count in `stoa_requests_total{service, outcome}` and `stoa_request_seconds{service}`. The
/// outcome is `ok`, `refused` (4xx) or `failed` (5xx, or nobody waited for the answer); the duration ends when the answer's
/// head is there.
pub(crate) fn measured(service: &'static str, router: Router) -> Router {
    let count = |outcome| {
        let counter = counter!("stoa_requests_total", "service" => service, "outcome" => outcome);
        // Alerts on a rate need the zero before the first failure.
        counter.increment(0);
        counter
    };
    router.layer(Measure(Arc::new(Series {
        ok: count("ok"),
        refused: count("refused"),
        failed: count("failed"),
        seconds: histogram!("stoa_request_seconds", "service" => service),
    })))
}

struct Series {
    ok: Counter,
    refused: Counter,
    failed: Counter,
    seconds: Histogram,
}

#[derive(Clone)]
struct Measure(Arc<Series>);

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Measured {
            inner,
            series: self.0.clone(),
        }
    }
}

#[derive(Clone)]
struct Measured<S> {
    inner: S,
    series: Arc<Series>,
}

impl<S> Service<Request<Body>> for Measured<S>
where
    S: Service<Request<Body>, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let running = Running {
            series: self.series.clone(),
            start: Instant::now(),
            status: None,
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut running = running;
            let answer = answer.await?;
            running.status = Some(answer.status().as_u16());
            Ok(answer)
        })
    }
}

/// Counts when it ends, also when nobody waits for the answer any more.
struct Running {
    series: Arc<Series>,
    start: Instant,
    status: Option<u16>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.series.seconds.record(self.start.elapsed());
        match self.status {
            Some(..400) => self.series.ok.increment(1),
            Some(400..500) => self.series.refused.increment(1),
            _ => self.series.failed.increment(1),
        }
    }
}
