//! This process's own memory.

/// Gives back to the kernel what the C library's allocator keeps of freed memory. Without the GNU C
/// library it does nothing.
pub fn return_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes an integer, locks the allocator's own arenas, and touches no memory that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
