//! The `traceparent` header, W3C Trace Context (Recommendation of 23 November 2021), section 3.2.

use std::fmt;

/// Length of a version 00 header: `00-` trace id `-` parent id `-` flags.
const LENGTH: usize = 55;

/// The identity of a span as it travels between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Identity of the whole trace; never all zero.
    pub trace_id: [u8; 16],
    /// Identity of the span that sends the header (its `parent-id`); never all zero.
    pub span_id: [u8; 8],
    /// Whether the sender may have recorded the trace (bit 0 of `trace-flags`).
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` header, strictly: lower-case hexadecimal only, no zero ids, version `ff`
    /// refused, nothing after version 00's fields. Of a later version the known fields are read
    /// (section 3.2.4). `None` means the header is to be ignored and a new trace begun.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (known, rest) = header.as_bytes().split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = decode(parts.next()?)?;
        let trace_id: [u8; 16] = decode(parts.next()?)?;
        let span_id: [u8; 8] = decode(parts.next()?)?;
        let [flags] = decode(parts.next()?)?;

        let tail_ok = match version {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let valid = tail_ok && parts.next().is_none() && trace_id != [0; 16] && span_id != [0; 8];
        valid.then_some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }

    /// Begins a trace from 24 random bytes: 16 for the trace, 8 for its first span.
    #[must_use]
    pub fn new_root(random: [u8; 24], sampled: bool) -> Self {
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        for (to, from) in trace_id.iter_mut().chain(span_id.iter_mut()).zip(random) {
            *to = from;
        }
        Self {
            trace_id: not_zero(trace_id),
            span_id: not_zero(span_id),
            sampled,
        }
    }

    /// The context of a new span below this one: same trace, same sampling, random span id.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: not_zero(rand::random()),
            ..*self
        }
    }
}

/// The header's value, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace = u128::from_be_bytes(self.trace_id);
        let span = u64::from_be_bytes(self.span_id);
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(self.sampled))
    }
}

fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    // `hex` accepts capitals, the header does not.
    if text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// All zero means "invalid" in the header, so that one value becomes another.
fn not_zero<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id.iter().all(|byte| *byte == 0)
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    // covers: OB-01
    #[test]
    fn reads_and_writes_the_example_of_the_recommendation() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert_eq!(hex::encode(context.trace_id), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(hex::encode(context.span_id), "b7ad6b7169203331");
        assert!(context.sampled);
        assert_eq!(context.to_string(), GOOD);
    }

    // covers: OB-01
    #[test]
    fn later_versions_and_flags() {
        let id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for (header, sampled) in [
            (format!("00-{id}-00"), false),
            (format!("00-{id}-02"), false),
            (format!("00-{id}-ff"), true),
            (format!("01-{id}-01"), true),
            (format!("cc-{id}-01-what-the-future-will-be-like"), true),
        ] {
            assert_eq!(
                TraceContext::parse(&header).map(|c| c.sampled),
                Some(sampled),
                "{header}"
            );
        }
    }

    // covers: OB-01
    #[test]
    fn refuses_what_is_not_a_header() {
        let id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for header in [
            String::new(),
            format!("00-{id}"),
            format!("00-{id}-1"),
            format!("00-{id}-01-"),
            format!("00-{id}-01-extra"),
            format!("00-{id}-0G"),
            format!(" 00-{id}-01"),
            format!("00-{id}-01 "),
            format!("ff-{id}-01"),
            format!("cc-{id}-01x"),
            format!("0-{id}-001"),
            GOOD.to_uppercase(),
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01".into(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".into(),
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01".into(),
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033311-01".into(),
            "é0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0".into(),
        ] {
            assert_eq!(TraceContext::parse(&header), None, "{header}");
        }
    }

    // covers: OB-01
    #[test]
    fn roots_and_children() {
        let root = TraceContext::new_root([0; 24], true);
        assert_eq!(TraceContext::parse(&root.to_string()), Some(root));
        let child = root.child();
        assert_eq!((child.trace_id, child.sampled), (root.trace_id, true));
        assert_ne!(child.span_id, root.span_id);
    }
}
