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

/// What a connection is to: a role at an address, and on which host that must be if it matters.
type To = (Role, SocketAddr, Option<String>);

/// See the module.
pub(super) struct LinesByAddress {
    identity: Identity,
    views: Views,
    lines: Mutex<HashMap<To, Line>>,
}

impl LinesByAddress {
    pub(super) fn new(identity: Identity, views: Views) -> Self {
        Self {
            identity,
            views,
            lines: Mutex::default(),
        }
    }

    /// The connection to a role at an address.
    pub(super) fn to(&self, role: Role, address: SocketAddr) -> Line {
        self.find((role, address, None), || {
            Line::new(role, address, &self.identity)
        })
    }

    /// The connection to a role at an address, where this host must be: another one is refused.
    pub(super) fn to_host(&self, role: Role, host: &str, address: SocketAddr) -> Line {
        self.find((role, address, Some(host.to_owned())), || {
            Line::to_host(role, host, address, &self.identity)
        })
    }

    fn find(&self, to: To, make: impl FnOnce() -> Line) -> Line {
        let mut lines = self
            .lines
            .lock()
            .expect("nothing panics while it holds this");
        if let Some(line) = lines.get(&to) {
            return line.clone();
        }
        if lines.len() >= LOOKED_AT {
            let view = self.views.borrow();
            lines.retain(|(_, address, _), _| {
                let mut members = view.members.iter();
                members.any(|member| member.address == *address)
            });
        }
        let line = make();
        lines.insert(to, line.clone());
        line
    }
}
