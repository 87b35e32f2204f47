//! Which partition a function version belongs to.
//!
//! Must give the same answer in every build and process for ever: [`types::fnv`], 64 bit, over the
//! parts of the version's ARN. The generation is not among them: a partition sees all generations of
//! a version and retires the older ones.

use records::functions::FunctionKey;
use types::{Version, fnv};

/// The partition of a function version, of `partitions` ones. Routers use it as well: to find who leads it.
pub fn partition(function: &FunctionKey, partitions: u32) -> u32 {
    let number = match function.version {
        Version::Latest => 0,
        Version::Published(number) => number,
    };
    let scope = &function.scope;
    // No name contains a colon, so that parts cannot run into each other.
    let hash = fnv::hash_64(&[
        scope.account.as_str().as_bytes(),
        b":",
        scope.region.as_str().as_bytes(),
        b":",
        function.name.as_str().as_bytes(),
        b":",
        &number.to_le_bytes(),
    ]);
    // FNV's low bits are its weakest; fold the high half in before the remainder is taken.
    let folded = (hash >> 32) ^ hash;
    u32::try_from(folded % u64::from(partitions)).expect("it is below a u32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::function;

    #[test]
    fn partitions_never_move() {
        // As another implementation of FNV-1a, not ours, gives them.
        let found: Vec<u32> = ["f", "g", "hello", "a-rather-long-name_1"]
            .map(|f| partition(&function(f, 1), 8))
            .into();
        assert_eq!(found, [5, 0, 3, 3]);
    }

    #[test]
    fn all_generations_of_a_version_share_a_partition_and_functions_spread() {
        let mut sizes = [0; 8];
        for number in 0..8_000 {
            let name = format!("function-{number}");
            let one = partition(&function(&name, 1), 8);
            assert_eq!(one, partition(&function(&name, 99), 8));
            sizes[one as usize] += 1;
        }
        assert!(
            sizes.iter().all(|size| (850..1_150).contains(size)),
            "{sizes:?}"
        );
    }
}
