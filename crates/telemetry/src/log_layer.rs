//! The `tracing` layer that writes log lines.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::encode::{Escape, push};
use crate::event::{Gather, Parts, Style};
use crate::ids::{self, IdKind};
use crate::line_queue::LineQueue;
use crate::otel;

/// Time since 1970-01-01T00:00:00Z.
type Clock = fn() -> Duration;

/// Writes each event as one line to a [`LineQueue`].
pub(crate) struct LogLayer {
    style: Style,
    /// `,"service":…,"instance":…`, the same in every line.
    origin: Vec<u8>,
    lines: Arc<LineQueue>,
    clock: Clock,
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    line: Vec<u8>,
    parts: Parts,
    second: Option<u64>,
    /// The second above as `2026-01-31T23:59:59`.
    second_text: String,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl LogLayer {
    pub(crate) fn new(style: Style, service: &str, instance: &str, lines: Arc<LineQueue>) -> Self {
        let mut origin = Vec::new();
        push_member(&mut origin, "service", service);
        push_member(&mut origin, "instance", instance);
        Self {
            style,
            origin,
            lines,
            clock: wall_clock,
        }
    }

    fn log<S>(&self, event: &Event<'_>, context: &Context<'_, S>, scratch: &mut Scratch)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        scratch.line.clear();
        scratch.parts.clear();
        event.record(&mut Gather {
            parts: &mut scratch.parts,
            style: self.style,
        });
        inherit(event, context, &mut scratch.parts);
        let millis = scratch.set_time((self.clock)());
        match self.style {
            Style::Json => self.write_json(event, scratch, millis),
            Style::Text { colour } => write_text(event, scratch, millis, colour),
        }
        self.lines.push(&scratch.line);
    }

    fn write_json(&self, event: &Event<'_>, scratch: &mut Scratch, millis: u32) {
        let Scratch {
            line,
            parts,
            second_text,
            ..
        } = scratch;
        // Writing to a Vec cannot fail.
        let _ = write!(line, "{{\"timestamp\":\"{second_text}.{millis:03}Z\"");
        let _ = write!(line, ",\"level\":\"{}\"", event.metadata().level());
        line.extend_from_slice(&self.origin);
        for kind in IdKind::ALL {
            let id = parts.ids.get(kind);
            if !id.is_empty() {
                push_raw_member(line, kind.key(), id);
            }
        }
        push_raw_member(line, "message", &parts.message);
        if !parts.duration_ms.is_empty() {
            line.extend_from_slice(b",\"duration_ms\":");
            line.extend_from_slice(&parts.duration_ms);
        }
        if parts.log_target.is_empty() {
            push_member(line, "target", event.metadata().target());
        } else {
            push_raw_member(line, "target", &parts.log_target);
        }
        line.extend_from_slice(&parts.rest);
        line.extend_from_slice(b"}\n");
    }
}

impl<S> tracing_subscriber::Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        ids::remember(attributes, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        ids::update(values, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let logged = SCRATCH.try_with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => self.log(event, &context, &mut scratch),
            // A value's `Debug` logs while it is being logged.
            Err(_) => self.log(event, &context, &mut Scratch::default()),
        });
        if logged.is_err() {
            // The thread is ending and its buffers are gone.
            self.log(event, &context, &mut Scratch::default());
        }
    }
}

impl Scratch {
    /// Remembers the second as text and gives the milliseconds in it.
    fn set_time(&mut self, now: Duration) -> u32 {
        if self.second != Some(now.as_secs()) {
            let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
            self.second_text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some(now.as_secs());
        }
        now.subsec_millis()
    }
}

/// Fills the ids that the event does not name: from the spans around it, inner ones first.
fn inherit<S>(event: &Event<'_>, context: &Context<'_, S>, parts: &mut Parts)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut scope = context.event_scope(event).into_iter().flatten();
    while !parts.ids.is_complete()
        && let Some(span) = scope.next()
    {
        if let Some(outer) = span.extensions().get::<ids::Ids>() {
            parts.ids.fill_from(outer);
        }
    }
    if parts.ids.get(IdKind::Trace).is_empty() {
        otel::fill_ids(&mut parts.ids);
    }
}

fn write_text(event: &Event<'_>, scratch: &mut Scratch, millis: u32, colour: bool) {
    let Scratch {
        line,
        parts,
        second_text,
        ..
    } = scratch;
    let level = *event.metadata().level();
    let time = second_text.split_once('T').map_or("", |(_, time)| time);
    let (paint, plain) = if colour {
        (colour_of(level), "\x1b[0m")
    } else {
        ("", "")
    };
    let _ = write!(line, "{time}.{millis:03} {paint}{level:<5}{plain} ");
    line.extend_from_slice(&parts.message);
    line.extend_from_slice(&parts.rest);
    if !parts.duration_ms.is_empty() {
        line.extend_from_slice(b" duration_ms=");
        line.extend_from_slice(&parts.duration_ms);
    }
    for kind in [IdKind::Tenant, IdKind::Trace] {
        let id = parts.ids.get(kind);
        if !id.is_empty() {
            let _ = write!(line, " {}=", kind.key());
            line.extend_from_slice(id);
        }
    }
    line.push(b'\n');
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

fn push_member(out: &mut Vec<u8>, key: &str, value: &str) {
    push_raw_member(out, key, b"");
    out.pop();
    push(out, value, Escape::Json);
    out.push(b'"');
}

/// Appends `,"key":"value"`; the value is escaped already.
fn push_raw_member(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":\"");
    out.extend_from_slice(value);
    out.push(b'"');
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log line tells wall time, also where a test sets the domain's clock"
)]
fn wall_clock() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
