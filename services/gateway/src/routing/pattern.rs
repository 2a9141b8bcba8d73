//! Path patterns: `/shop/{id}/orders/**`, the same language as the endpoint rules'.

/// Most segments of a pattern; two bits each fit the rank.
const MAX_SEGMENTS: usize = 31;

/// A parsed path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(super) segments: Vec<Segment>,
    /// Ends in `**`: the rest of the path, also none.
    pub(super) tail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    Parameter(Box<str>),
}

impl Pattern {
    /// Reads a pattern, or says which rule it breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let path = text.strip_prefix('/').ok_or("must start with \"/\"")?;
        let (path, tail) = match path.strip_suffix("**") {
            Some("") => (None, true),
            Some(before) => {
                let before = before
                    .strip_suffix('/')
                    .ok_or("\"**\" must be a whole segment, the last one")?;
                (Some(before), true)
            }
            None => (Some(path), false),
        };
        let parts: Vec<&str> = path.map(|p| p.split('/').collect()).unwrap_or_default();
        if parts.len() > MAX_SEGMENTS {
            return Err("must have at most 31 segments");
        }
        let last = parts.len().saturating_sub(1);
        let segments = parts
            .iter()
            .enumerate()
            .map(|(index, part)| Segment::parse(part, index == last && !tail))
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, tail })
    }

    /// How specific: two bits a segment from the left, literal over parameter over the end over `**`.
    pub(super) fn rank(&self) -> u64 {
        let kinds = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 3,
            Segment::Parameter(_) => 2,
        });
        let end = (!self.tail).then_some(1);
        (1..)
            .zip(kinds.chain(end))
            .fold(0, |rank, (position, kind): (u32, u64)| {
                rank | kind << (64 - 2 * position)
            })
    }

    /// Whether some path matches both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let agree = self.segments.iter().zip(&other.segments).all(|pair| match pair {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Literal(text), Segment::Parameter(_))
            | (Segment::Parameter(_), Segment::Literal(text)) => !text.is_empty(),
            (Segment::Parameter(_), Segment::Parameter(_)) => true,
        });
        let (own, others) = (self.segments.len(), other.segments.len());
        agree && (own == others || (own < others && self.tail) || (others < own && other.tail))
    }

    /// The names of its parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    pub(crate) fn has_tail(&self) -> bool {
        self.tail
    }

    /// Fills this pattern, as a template, with what `matched` captured from `path`.
    pub(crate) fn fill(&self, matched: &Self, path: &str) -> String {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut captured = Vec::new();
        let mut at_end = false;
        for segment in &matched.segments {
            let (value, after) = rest.split_once('/').map_or((rest, None), |(v, a)| (v, Some(a)));
            if let Segment::Parameter(name) = segment {
                captured.push((name, value));
            }
            at_end = after.is_none();
            rest = after.unwrap_or_default();
        }
        let mut out = String::with_capacity(path.len());
        for segment in &self.segments {
            out.push('/');
            match segment {
                Segment::Literal(text) => out.push_str(text),
                Segment::Parameter(name) => {
                    let value = captured.iter().find(|(n, _)| *n == name);
                    out.push_str(value.map_or("", |(_, value)| value));
                }
            }
        }
        if self.tail && !at_end {
            out.push('/');
            out.push_str(rest);
        }
        if out.is_empty() {
            out.push('/');
        }
        out
    }
}

impl Segment {
    fn parse(part: &str, may_be_empty: bool) -> Result<Self, &'static str> {
        let parameter = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match (part, parameter) {
            ("", _) if may_be_empty => Ok(Self::Literal("".into())),
            ("", _) => Err("must not have an empty segment, except after a final slash"),
            ("." | "..", _) => Err("must not have a \".\" or \"..\" segment"),
            (_, Some(name)) if is_name(name) => Ok(Self::Parameter(name.into())),
            _ if part.contains(['{', '}', '*', '?', '#', '%', '\\', ';']) => {
                Err("must have segments of text or {name}, or ** at the end; without ? # % ; or \\")
            }
            _ if part.chars().any(char::is_control) => Err("must not have control characters"),
            _ => Ok(Self::Literal(part.into())),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    // covers: GW-01
    #[test]
    fn refuses_what_is_not_a_pattern() {
        for text in [
            "", "a", "/a//b", "/a/../b", "/a/**/b", "/a**", "/{}", "/{a", "/a?b", "/%2e", "/a;b",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        assert!(Pattern::parse(&"/a".repeat(32)).is_err());
    }

    // covers: GW-01
    #[test]
    fn overlap_is_found() {
        for (a, b, expected) in [
            ("/api/customers/**", "/api/customers/{id}", true),
            ("/api/**", "/api/customers/{id}", true),
            ("/{any}/customers", "/api/{what}", true),
            ("/api/customers", "/api/customers/{id}", false),
            ("/api/customers/**", "/api/customers", true),
            ("/api/x", "/api/y", false),
            ("/shop/**", "/api/**", false),
            ("/**", "/", true),
        ] {
            assert_eq!(parse(a).overlaps(&parse(b)), expected, "{a} and {b}");
            assert_eq!(parse(b).overlaps(&parse(a)), expected, "{b} and {a}");
        }
    }

    // covers: GW-01
    #[test]
    fn templates_are_filled() {
        for (pattern, template, path, expected) in [
            (
                "/shop/{id}/**",
                "/api/orders/{id}/**",
                "/shop/7/lines/2",
                "/api/orders/7/lines/2",
            ),
            ("/shop/{id}/**", "/api/orders/{id}/**", "/shop/7", "/api/orders/7"),
            ("/shop/**", "/**", "/shop", "/"),
            ("/shop/**", "/v2/**", "/shop/", "/v2/"),
            ("/a/{x}/{y}", "/{y}/{x}", "/a/1/2", "/2/1"),
        ] {
            assert_eq!(parse(template).fill(&parse(pattern), path), expected, "{path}");
        }
    }
}
