//! Connections to other processes, one for each role at each address: made when they are needed, dropped when nobody is
//! there any more.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use far::{Identity, Line};
use membership::Views;
use types::Role;

/// How many there may be until those that nobody needs are looked for.
const LOOKED_AT: usize = 64;

/// See the module.
pub(super) struct LinesByAddress {
    identity: Identity,
    views: Views,
    lines: Mutex<HashMap<(Role, SocketAddr), Line>>,
}

impl LinesByAddress {
    pub(super) fn new(identity: Identity, views: Views) -> Self {
        Self {
            identity,
            views,
            lines: Mutex::default(),
        }
    }

    pub(super) fn to(&self, role: Role, address: SocketAddr) -> Line {
        let mut lines = self
            .lines
            .lock()
            .expect("nothing panics while it holds this");
        if let Some(line) = lines.get(&(role, address)) {
            return line.clone();
        }
        if lines.len() >= LOOKED_AT {
            let view = self.views.borrow();
            lines.retain(|(_, address), _| {
                let mut members = view.members.iter();
                members.any(|member| member.address == *address)
            });
        }
        let line = Line::new(role, address, &self.identity);
        lines.insert((role, address), line.clone());
        line
    }
}
