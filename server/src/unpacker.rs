//! Packages are unpacked in a process that sees nothing but the folder they are unpacked to.

use std::io;

/// Hands the packages' tasks to confined processes.
pub(crate) struct Unpacker {
    /// The machine's user that they are.
    pub(crate) user: u32,
}

impl image::Confine for Unpacker {
    fn user(&self) -> Option<u32> {
        Some(self.user)
    }

    fn run(&self, task: image::Task<'_>) -> io::Result<Vec<u8>> {
        sandbox::confine(sandbox::Confined {
            words: &task.words,
            root: task.root,
            input: task.input,
            user: self.user,
            within: task.within,
            file_bytes_max: task.file_bytes_max,
            report_bytes_max: task.report_bytes_max,
        })
    }
}
