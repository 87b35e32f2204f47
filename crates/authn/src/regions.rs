//! Which regions are served. Limits are counted for each, so that callers must not make up more.

use std::collections::BTreeSet;

use types::Region;
use wire::ApiError;
use wire::sigv4::{Error, Signed};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Regions(BTreeSet<Region>);

impl Regions {
    /// The region that a request was signed for, if it is one that is served.
    pub fn of(&self, signed: &Signed) -> Result<Region, ApiError> {
        let region = Region::new(&signed.region).ok();
        let served = region.filter(|region| self.0.contains(region));
        served.ok_or_else(|| {
            let message = "Credential should be scoped to a valid region. ".to_owned();
            Error::Scope { message }.into()
        })
    }
}

impl FromIterator<Region> for Regions {
    fn from_iter<I: IntoIterator<Item = Region>>(regions: I) -> Self {
        Self(regions.into_iter().collect())
    }
}
