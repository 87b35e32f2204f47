//! Which partition a function version belongs to.
//!
//! Must give the same answer in every build and process for ever, which the standard library's
//! hasher does not promise: FNV-1a, 64 bit, over the parts of the version's ARN. The generation
//! is not among them: a partition sees all generations of a version and retires the older ones.

use api::functions::FunctionKey;
use types::Version;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The partition, of `partitions` ones.
pub(crate) fn partition(function: &FunctionKey, partitions: u32) -> u32 {
    let number = match function.version {
        Version::Latest => 0,
        Version::Published(number) => number,
    };
    let scope = &function.scope;
    let mut hash = OFFSET;
    for text in [
        scope.account.as_str(),
        scope.region.as_str(),
        function.name.as_str(),
    ] {
        // No name contains a colon, so that parts cannot run into each other.
        hash = mix(mix(hash, text.as_bytes()), b":");
    }
    hash = mix(hash, &number.to_le_bytes());
    // FNV's low bits are its weakest; fold the high half in before the remainder is taken.
    let folded = (hash >> 32) ^ hash;
    u32::try_from(folded % u64::from(partitions)).expect("it is below a u32")
}

fn mix(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
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
