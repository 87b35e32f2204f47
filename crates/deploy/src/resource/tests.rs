//! The table of types holds together.

use super::{Change, Type, types};

#[test]
fn a_property_is_either_changed_or_makes_another() {
    for (kind, schema) in &types::ALL {
        assert_eq!(Type::of(schema.name), Some(*kind));
        for name in schema.mutable {
            assert!(!schema.replacing.contains(name), "{kind} {name}");
        }
        for name in schema.required {
            assert!(kind.change(name).is_some(), "{kind} {name}");
        }
    }
    assert_eq!(Type::Function.change("Timeout"), Some(Change::InPlace));
    assert_eq!(Type::Function.change("FunctionName"), Some(Change::Replace));
    assert_eq!(Type::Function.change("Colour"), None);
    assert_eq!(Type::of("AWS::S3::Bucket"), None);
}
