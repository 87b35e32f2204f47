//! How this process shares out the descriptors it may have. Pure, except for reading how many those
//! are.
//!
//! A process without free descriptors fails in ways that nobody notices: a connection that is not
//! accepted, a message that loses what came with it. So their number bounds what is started: accepted
//! connections, pooled sandboxes, concurrent environments. Below a floor the server does not start.

use anyhow::{Context as _, bail};

/// What the process itself needs: stores, logs, threads' wakers, listeners, calls to other services.
const OWN: u64 = 192;
/// The fewest connections of clients at each address.
const CONNECTIONS_MIN: u64 = 64;
/// And the most.
const CONNECTIONS_MAX: u64 = 10_000;
/// With fewer environments a server is useless.
const ENVIRONMENTS_MIN: u64 = 4;
/// So that an environment with extensions can live at the floor.
const LINES_MIN: u64 = 32;

/// The shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptors {
    /// Concurrent connections of clients, at each address.
    pub(crate) connections: usize,
    /// Pooled sandboxes for each root.
    pub(crate) pool: usize,
    /// Concurrent environments.
    pub(crate) environments: usize,
    /// Connections within environments beyond those that each may have in any case.
    pub(crate) lines: usize,
}

/// What is configured, as far as it takes descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Addresses at which clients connect.
    pub(crate) addresses: u64,
    /// Root file systems, each with a pool.
    pub(crate) roots: u64,
    /// `sandbox.pool`.
    pub(crate) pool: u64,
}

impl Descriptors {
    /// Raises this process's limit as far as it may, and shares out the result.
    pub(crate) fn claim(wanted: Wanted) -> anyhow::Result<Self> {
        let limit = sandbox::raise_open_files();
        let limit = limit.context("the limit of open files cannot be raised")?;
        Self::share_out(limit, wanted)
    }

    fn share_out(limit: u64, wanted: Wanted) -> anyhow::Result<Self> {
        let floor = Self::floor(wanted);
        if limit < floor {
            bail!(
                "this process may have {limit} open files, and needs {floor} at the least: \
                 raise the limit (ulimit -n, or LimitNOFILE= of its service)"
            );
        }
        // A quarter of what is beyond the floor for clients, a quarter for pooled sandboxes. Of what is
        // left, two thirds for what each environment has in any case, and one third for what some have
        // beyond that.
        let spare = limit - floor;
        let connections = CONNECTIONS_MIN + spare / 4 / wanted.addresses;
        let connections = connections.min(CONNECTIONS_MAX);
        let one_each = wanted.roots * sandbox::DESCRIPTORS;
        let pool = (1 + spare / 4 / one_each).min(wanted.pool.max(1));
        let taken = (connections - CONNECTIONS_MIN) * wanted.addresses + (pool - 1) * one_each;
        let spare = spare - taken;
        let more = spare * 2 / 3 / worker::DESCRIPTORS;
        let environments = ENVIRONMENTS_MIN + more;
        let lines = LINES_MIN + spare - more * worker::DESCRIPTORS;
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Self {
            connections: number(connections),
            pool: number(pool),
            environments: number(environments),
            lines: number(lines),
        })
    }

    /// With one pooled sandbox for each root, and the least of everything else.
    fn floor(wanted: Wanted) -> u64 {
        OWN + CONNECTIONS_MIN * wanted.addresses
            + wanted.roots * sandbox::DESCRIPTORS
            + ENVIRONMENTS_MIN * worker::DESCRIPTORS
            + LINES_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        addresses: 1,
        roots: 1,
        pool: 64,
    };

    fn taken(shares: Descriptors, wanted: Wanted) -> u64 {
        let number = |count: usize| count as u64;
        OWN + number(shares.connections) * wanted.addresses
            + number(shares.pool) * wanted.roots * sandbox::DESCRIPTORS
            + number(shares.environments) * worker::DESCRIPTORS
            + number(shares.lines)
    }

    #[test]
    fn the_shares_together_are_never_more_than_there_are() {
        for limit in [
            256,
            400,
            401,
            512,
            700,
            1_024,
            4_096,
            65_536,
            1 << 20,
            1 << 30,
        ] {
            for (addresses, roots, pool) in [(1, 1, 64), (2, 1, 0), (2, 3, 256), (1, 5, 8)] {
                let wanted = Wanted {
                    addresses,
                    roots,
                    pool,
                };
                let Ok(shares) = Descriptors::share_out(limit, wanted) else {
                    assert!(limit < Descriptors::floor(wanted));
                    continue;
                };
                assert!(taken(shares, wanted) <= limit, "{limit}: {shares:?}");
                assert!(shares.environments >= 4 && shares.pool >= 1 && shares.lines >= 32);
                assert!(shares.connections >= 64);
            }
        }
    }

    #[test]
    fn an_ordinary_limit_holds_back_nothing() {
        let shares = Descriptors::share_out(524_288, WANTED).unwrap();
        assert_eq!((shares.connections, shares.pool), (10_000, 64));
        assert!(shares.environments > 10_000 && shares.lines > 100_000);
    }

    #[test]
    fn below_the_floor_nothing_is_started_and_the_refusal_says_what_to_do() {
        let error = Descriptors::share_out(256, WANTED).unwrap_err().to_string();
        assert!(error.starts_with("this process may have 256 open files, and needs "));
        assert!(error.contains("ulimit -n"));
        assert!(Descriptors::share_out(Descriptors::floor(WANTED), WANTED).is_ok());
    }
}
