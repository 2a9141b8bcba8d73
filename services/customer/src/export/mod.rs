//! Writing customers as files: cells, rows, and pages of rows as a stream.

pub(crate) mod csv;
pub(crate) mod table;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::try_unfold;
use http::{HeaderValue, header};
use stoa_kernel::Problem;

/// Something that is read in pages and sent as it is read.
pub(crate) trait Pages: Send + Sized + 'static {
    /// The next piece of the file; `None` after the last.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, Problem>>;
}

/// An answer that sends `first` and then the pages, each read when the client has taken what came before. A client that
/// goes away ends the reading.
pub(crate) fn answer<P: Pages>(first: Bytes, pages: P, media: &'static str, file: &str) -> Response {
    let beginning = futures::stream::once(async move { Ok::<_, Problem>(first) });
    let rest = try_unfold(pages, |mut pages| async move {
        let piece = pages.next().await.inspect_err(|problem| {
            tracing::warn!(cause = %problem, "an export broke off");
        })?;
        Ok(piece.map(|piece| (piece, pages)))
    });
    let body = Body::from_stream(futures::StreamExt::chain(beginning, rest));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let disposition = format!("attachment; filename=\"{file}\"");
    if let Ok(value) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
