//! For whom an event is kept, and how much may be. Pure.
//!
//! ```text
//!   <account>/<region>/<function>            unfinished events
//!   <account>/<region>/<function>/+          the same, with a destination for failures
//!   failed/<account>/<region>/<function>     events that finally failed, kept for inspection
//! ```
//!
//! Bounds hold for a function, for an account in all regions, and for everything in the store: so one
//! cannot fill the disk for the others, by whatever way its events come.

use storage::queue::{Bound, Charge, Usage};

use crate::event::State;
use crate::shards::FunctionId;

/// The suffix for events with a destination for failures. No function has this name.
const HEARD: &str = "/+";
/// Where the owners of failed events begin.
const FAILED: &str = "failed";
/// How many times more failed events an account may have than one function.
const FAILED_OF_ACCOUNT: u64 = 16;

/// How much may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Unfinished events of one function.
    pub function: Usage,
    /// Of one account, in all regions.
    pub account: Usage,
    /// Of all, failed ones too.
    pub all: Usage,
    /// Finally failed events of one function.
    pub failed: Usage,
}

impl Default for Kept {
    fn default() -> Self {
        const GB: u64 = 1024 * 1024 * 1024;
        let of = |messages, bytes| Usage { messages, bytes };
        Self {
            function: of(500_000, 4 * GB),
            account: of(1_000_000, 8 * GB),
            all: of(2_000_000, 16 * GB),
            failed: of(2_000, 64 * 1024 * 1024),
        }
    }
}

impl Kept {
    /// For an event that comes to what there is.
    pub(crate) fn charge(&self, event: &State) -> Charge {
        let function = FunctionId::of(&event.arn);
        let bounds = vec![
            bound(&function.path(), self.function),
            bound(function.scope.account.as_str(), self.account),
            bound("", self.all),
        ];
        Charge {
            bounds,
            ..moved(event)
        }
    }

    /// For one that has finally failed.
    pub(crate) fn failed(&self, function: &FunctionId) -> Charge {
        let owner = format!("{FAILED}/{}", function.path());
        let account = format!("{FAILED}/{}", function.scope.account);
        let of_account = Usage {
            messages: self.failed.messages.saturating_mul(FAILED_OF_ACCOUNT),
            bytes: self.failed.bytes.saturating_mul(FAILED_OF_ACCOUNT),
        };
        let bounds = vec![
            bound(&owner, self.failed),
            bound(&account, of_account),
            bound("", self.all),
        ];
        Charge { owner, bounds }
    }
}

/// For one that is there already, and goes to another queue.
pub(crate) fn moved(event: &State) -> Charge {
    let function = FunctionId::of(&event.arn);
    let wanted = event.wanted.as_ref();
    let owner = match wanted.is_some_and(|wanted| !wanted.to.is_empty()) {
        true => format!("{}{HEARD}", function.path()),
        false => unheard(&function),
    };
    Charge {
        owner,
        bounds: Vec::new(),
    }
}

/// The owner of a function's events without a destination for failures.
pub(crate) fn unheard(function: &FunctionId) -> String {
    function.path()
}

/// The function whose events are kept as this owner's; `None` for failed ones.
pub(crate) fn function(owner: &str) -> Option<FunctionId> {
    FunctionId::of_path(owner.strip_suffix(HEARD).unwrap_or(owner))
}

fn bound(of: &str, most: Usage) -> Bound {
    Bound {
        of: of.to_owned(),
        most,
    }
}

#[cfg(test)]
mod tests {
    use storage::queue::beginnings;

    use super::*;
    use crate::destination::Destination;
    use crate::event::tests::event;
    use crate::event::{Receiver, Wanted};
    use crate::retry::Limits;
    use crate::shards::tests::id;

    fn queue() -> Destination {
        Destination::parse("arn:aws:sqs:us-east-1:000000000000:q").unwrap()
    }

    #[test]
    fn every_bound_is_of_a_beginning_of_its_owner() {
        let kept = Kept::default();
        let mut heard = event("{}", 0).event.state;
        heard.wanted = Some(Wanted {
            limits: Limits::default(),
            to: vec![Receiver::Destination(queue())],
            role: String::new(),
        });
        let plain = event("{}", 0).event.state;
        for charge in [
            kept.charge(&plain),
            kept.charge(&heard),
            kept.failed(&id("f")),
        ] {
            let parts: Vec<&str> = beginnings(&charge.owner).collect();
            for bound in &charge.bounds {
                assert!(parts.contains(&bound.of.as_str()), "{bound:?} {parts:?}");
            }
        }
        let f = id("f");
        assert_eq!(kept.charge(&plain).owner, unheard(&f));
        assert_eq!(kept.charge(&heard).owner, "000000000000/us-east-1/f/+");
        for charge in [moved(&plain), moved(&heard)] {
            assert_eq!(function(&charge.owner), Some(f.clone()));
            assert_eq!(charge.bounds, []);
        }
    }

    #[test]
    fn failed_ones_and_the_systems_own_are_of_no_function() {
        assert_eq!(function(&Kept::default().failed(&id("f")).owner), None);
        assert_eq!(function(""), None);
    }
}
