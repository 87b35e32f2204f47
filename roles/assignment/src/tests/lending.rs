//! The rules of lending, one by one, on the pure state.
