//! Ids of access keys and of their owners, as AWS writes them.
//!
//! ```text
//!   ASIA ┊ base32( 1 | account, 40 bits | chance, 39 bits )
//! ```
//!
//! The id of a temporary key names its account, so that the account is known without the key.

use data_encoding::BASE32_NOPAD;
use types::{AccountId, Random};

/// The prefix of temporary keys' ids.
const TEMPORARY: &str = "ASIA";
/// Letters after the prefix.
const CHARACTERS: usize = 16;
/// Random bits after the account's.
const CHANCE_BITS: u32 = 39;

/// A new id of a temporary key of that account.
pub(super) fn temporary(account: &AccountId, random: &dyn Random) -> String {
    let number: u64 = account.as_str().parse().expect("an account is digits");
    let chance = random.next_u64() & ((1 << CHANCE_BITS) - 1);
    let bits = 1_u128 << 79 | u128::from(number) << CHANCE_BITS | u128::from(chance);
    let bytes = bits.to_be_bytes();
    format!("{TEMPORARY}{}", BASE32_NOPAD.encode(&bytes[6..]))
}

/// Whether that is the id of a temporary key.
pub(super) fn is_temporary(id: &str) -> bool {
    id.starts_with(TEMPORARY)
}

/// The account that an id names; `None` if it is not the id of a temporary key.
pub(crate) fn account_of(id: &str) -> Option<AccountId> {
    let letters = id
        .strip_prefix(TEMPORARY)
        .filter(|rest| rest.len() == CHARACTERS)?;
    let mut bytes = [0; size_of::<u128>()];
    let bits = BASE32_NOPAD.decode_mut(letters.as_bytes(), &mut bytes[6..]);
    bits.ok()?;
    let number = u128::from_be_bytes(bytes) >> CHANCE_BITS & ((1 << 40) - 1);
    AccountId::new(&format!("{number:012}")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::SystemRandom;

    use super::*;

    #[test]
    fn what_names_no_account_is_no_key_of_ours() {
        for id in [
            "",
            "ASIA",
            "AKIAQAAAAAAAAAAAAAAA",
            "ASIAq111111111111111",
            "ASIA7777777777777777",
        ] {
            assert_eq!(account_of(id), None, "{id}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_temporary_key_names_its_account(number in 0_u64..1_000_000_000_000) {
            let account = AccountId::new(&format!("{number:012}")).unwrap();
            let id = temporary(&account, &SystemRandom);
            prop_assert_eq!(id.len(), 20);
            prop_assert_eq!(account_of(&id), Some(account));
        }

        #[test]
        fn no_id_makes_it_panic(id in "(ASIA)?[A-Z0-9a-z\\PC]{0,20}") {
            let _ = account_of(&id);
        }
    }
}
