//! What a trace needs of `X-Amzn-Trace-Id`: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;…`. Pure.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// A trace's id: that of the header without its version and hyphens.
pub(crate) type TraceId = [u8; 16];
/// A span's id.
pub(crate) type SpanId = [u8; 8];

/// The trace that a header names, and the span in it that sent it.
pub(crate) fn read(header: &str) -> Option<(TraceId, Option<SpanId>)> {
    let field = |name: &str| {
        header.split(';').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    let mut parts = field("Root")?.split('-');
    let (version, seconds, rest) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "1" || parts.next().is_some() || seconds.len() != 8 {
        return None;
    }
    let trace = bytes(&format!("{seconds}{rest}"))?;
    Some((trace, field("Parent").and_then(bytes)))
}

/// The header with that parent, of that trace if it names none, and everything else as it is.
pub(crate) fn under(header: &str, trace: TraceId, span: SpanId) -> String {
    let trace = read(header).map_or(trace, |(named, _)| named);
    let hex = HEXLOWER.encode(&trace);
    let (seconds, rest) = hex.split_at(8);
    let mut all = format!("Root=1-{seconds}-{rest};Parent={}", HEXLOWER.encode(&span));
    let is_ours = |part: &str| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        name.is_empty() || name.eq_ignore_ascii_case("Root") || name.eq_ignore_ascii_case("Parent")
    };
    for part in header
        .split(';')
        .map(str::trim)
        .filter(|part| !is_ours(part))
    {
        all.push(';');
        all.push_str(part);
    }
    all
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    let bytes: [u8; N] = bytes.try_into().ok()?;
    // All zeros is no id.
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1";
    const TRACE: TraceId = 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793_u128.to_be_bytes();

    #[test]
    fn a_span_takes_the_place_of_the_parent() {
        let parent = 0x5399_5c3f_42cd_8ad8_u64.to_be_bytes();
        assert_eq!(read(HEADER), Some((TRACE, Some(parent))));
        let handed_on = under(HEADER, TRACE, [1; 8]);
        assert_eq!(
            handed_on,
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0101010101010101;Sampled=1;Lineage=a:1"
        );
        assert_eq!(
            under("Lineage=a:1", TRACE, [1; 8]),
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0101010101010101;Lineage=a:1"
        );
    }

    #[test]
    fn what_is_no_trace_is_none() {
        for header in [
            "",
            "Root=",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e98-8bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793-1",
            "Root=1-00000000-000000000000000000000000",
            "Root=1-5759e98x-bd862e3fe1be46a994272793",
        ] {
            assert_eq!(read(header), None, "{header}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_header_names_the_span_that_was_written_into_it(
            header in prop_oneof![any::<String>(), "(Root=1-[0-9a-f]{8}-[0-9a-f]{24}|Parent=[0-9a-f]{16}|;| |=|a){0,6}"],
            trace in any::<u128>().prop_map(|id| id.max(1).to_be_bytes()),
            span in any::<u64>().prop_map(|id| id.max(1).to_be_bytes()),
        ) {
            let before = read(&header);
            let (read, parent) = read(&under(&header, trace, span)).unwrap();
            prop_assert_eq!(read, before.map_or(trace, |(trace, _)| trace));
            prop_assert_eq!(parent, Some(span));
        }
    }
}
