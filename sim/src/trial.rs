//! A random history and what must hold in it.
