//! What stores are opened with.

use std::sync::Arc;

use storage::{Boundless, Room};

use crate::Remembered;

/// What stores are opened with. By default nothing is remembered, and the disk is never full.
#[derive(Clone)]
pub struct Opening {
    /// What their files were when they were last seen.
    pub remembered: Option<Arc<Remembered>>,
    /// The disk.
    pub room: Arc<dyn Room>,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            remembered: None,
            room: Arc::new(Boundless),
        }
    }
}
