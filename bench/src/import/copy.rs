//! The peer: `COPY` of the same rows into a table of the same columns and indexes.

use anyhow::Context;
use futures::SinkExt;
use hyper::body::Bytes;
use std::fmt::Write;
use std::time::Instant;
use tokio_postgres::Client;

const TABLE: &str = "create table public.bench_peer (like customer.customer including all)";
const COPY: &str = "copy public.bench_peer (tenant_id, id, name, name_key, email, phone, status, sector,
  revenue_minor, employees, branch_id, owner_id, version, created_at, created_by, updated_at, updated_by, external_key)
  from stdin";
/// Rows of a piece.
const PIECE: u32 = 10_000;

/// How long it takes to the end of the commit.
pub(super) async fn seconds(admin: &Client, rows: u32) -> anyhow::Result<f64> {
    admin
        .batch_execute(TABLE)
        .await
        .context("making the peer's table")?;
    let start = Instant::now();
    let sink = admin.copy_in(COPY).await.context("starting COPY")?;
    let mut sink = std::pin::pin!(sink);
    for first in (0..rows).step_by(PIECE as usize) {
        let piece = piece(first, rows.min(first + PIECE));
        sink.send(Bytes::from(piece)).await.context("copying")?;
    }
    sink.finish().await.context("ending COPY")?;
    Ok(start.elapsed().as_secs_f64())
}

fn piece(first: u32, end: u32) -> String {
    let mut text = String::new();
    let tenant = "00000000-0000-7000-8000-000000000001";
    for n in first..end {
        let status = ["lead", "active", "inactive", "lost"]
            .get(n as usize % 4)
            .copied();
        // Writing to a String cannot fail.
        writeln!(
            text,
            "{tenant}\t{id}\tImport, {n:08} & Sons\timport, {n:08} & sons\toffice{n}@import.example\t+1555{n:07}\t{status}\t\
             retail\t{revenue}\t{employees}\t{tenant}\t{tenant}\t1\t2026-01-01Z\tbench\t2026-01-01Z\tbench\tK{n:08}",
            id = stoa_types::new_id(),
            status = status.unwrap_or_default(),
            revenue = u64::from(n) * 100,
            employees = n % 5_000,
        )
        .ok();
    }
    text
}
