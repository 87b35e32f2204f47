//! How refusals name a member: `memorySize`, `destinationConfig.onFailure.destination`.

/// A member's name with a small first letter, as the service has it: `KMSKeyArn` is `kMSKeyArn`.
pub(super) fn decapitalised(name: &str) -> String {
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_ascii_lowercase().to_string() + chars.as_str(),
        None => String::new(),
    }
}

/// A member below another.
pub(super) fn joined(parent: &str, name: &str) -> String {
    match parent {
        "" => name.to_owned(),
        parent => format!("{parent}.{name}"),
    }
}
