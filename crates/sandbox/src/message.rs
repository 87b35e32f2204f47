//! The messages between the owner, a spawner and a sandbox's init, and their encoding.
//!
//! ```text
//!   owner ──Build──▶ spawner ──Created (request 0) | Failed──▶ owner
//!   owner ──Create + descriptors──▶ spawner ──Created + process handle | Failed──▶ owner
//!   owner ──Furnish + shared folders──▶ init ──Ready + /tmp | Failed──▶ owner
//!   owner ──Start + output | Signal | KillAll──▶ init
//!   init  ──Execute + output, report──▶ the standby
//!   init  ──Started | NotStarted | Signalled | Killed | Exited──▶ owner
//! ```
//!
//! All ends are the same program, so there are no versions. Integers are little-endian, texts and lists
//! are preceded by their length in four bytes. A function cannot reach these sockets; nevertheless
//! nothing that can be sent makes a reader panic or allocate beyond the message's own length.

// Long: the messages and their forms in bytes, which must be read together.

mod codec;

use std::ffi::CString;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::config::RootKind;
use crate::spec::Exit;
use codec::{Reader, Writer};

/// The longest message: mostly an environment and arguments.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 << 10;

/// A spawner's first message: the root that its sandboxes will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) kind: RootKind,
    /// [`crate::Root::runtimes`].
    pub(crate) runtimes: PathBuf,
    /// The servers that resolve names for the sandboxes, if they have a way out.
    pub(crate) resolvers: Vec<Ipv4Addr>,
}

/// Asks a spawner for a sandbox's init. The descriptors that come along: the init's control socket,
/// the network namespace, the cgroup that init lives in, the one that functions live in, then the
/// files through which a process enters further cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) request: u32,
    pub(crate) uid: u32,
}

/// A shared folder, whose mount comes along as a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Mounted at `/mnt/<name>`.
    pub(crate) name: String,
    pub(crate) read_only: bool,
    /// The host's user and group as whom the function reads and writes; `None` as its sandbox's.
    pub(crate) user: Option<(u32, u32)>,
}

/// What a sandbox is to be: its init's first message. The mounts that come along as descriptors: of the
/// code, of `/opt` if there is one, and of the shares in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Furnish {
    pub(crate) hostname: String,
    /// Whether something is mounted at `/opt`.
    pub(crate) opt: bool,
    /// A directory below [`crate::Root::runtimes`], which the spawner keeps.
    pub(crate) runtime: Option<String>,
    pub(crate) shares: Vec<Mount>,
    pub(crate) tmp_bytes: u64,
    pub(crate) open_files_max: u32,
}

/// What init sends to the standby. The output and the pipe for failures come along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Execute {
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) directory: CString,
    pub(crate) open_files_max: u32,
}

/// A spawner's answer. Its very first message, once its root stands, is `Created` with request 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spawned {
    Created {
        request: u32,
    },
    Failed {
        request: u32,
        step: String,
        errno: i32,
    },
}

impl Spawned {
    /// Whether it answers a request that came before this one.
    pub(crate) fn is_before(&self, request: u32) -> bool {
        let (Self::Created { request: told } | Self::Failed { request: told, .. }) = self;
        // They are counted up, and may wrap.
        request.wrapping_sub(*told).wrapping_sub(1) < u32::MAX / 2
    }
}

/// A request to init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Start {
        request: u32,
        argv: Vec<CString>,
        env: Vec<CString>,
        directory: CString,
    },
    Signal {
        request: u32,
        pid: u32,
        signal: i32,
    },
    KillAll {
        request: u32,
    },
}

/// How far a start got: from the second stage on the caller's program is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Prepare,
    Directory,
    Execute,
}

/// A message from init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Ready,
    Failed {
        step: String,
        errno: i32,
    },
    Started {
        request: u32,
        pid: u32,
    },
    NotStarted {
        request: u32,
        stage: Stage,
        step: String,
        errno: i32,
    },
    Signalled {
        request: u32,
        errno: i32,
    },
    Killed {
        request: u32,
    },
    Exited {
        pid: u32,
        exit: Exit,
    },
}

/// Has a form in bytes.
pub(crate) trait Message: Sized {
    fn encode(&self) -> Vec<u8>;
    /// `None` for anything that [`Message::encode`] would not have written.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl Message for Build {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default();
        let writer = match &self.kind {
            RootKind::Host => writer.u32(0),
            RootKind::Directory(folder) => writer.u32(1).path(folder),
        };
        let writer = writer.path(&self.runtimes);
        writer.addresses(&self.resolvers).0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = Self {
            kind: match reader.u32()? {
                0 => RootKind::Host,
                1 => RootKind::Directory(reader.path()?),
                _ => return None,
            },
            runtimes: reader.path()?,
            resolvers: reader.addresses()?,
        };
        reader.end(message)
    }
}

impl Message for Create {
    fn encode(&self) -> Vec<u8> {
        Writer::default().u32(self.request).u32(self.uid).0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = Self {
            request: reader.u32()?,
            uid: reader.u32()?,
        };
        reader.end(message)
    }
}

impl Message for Furnish {
    fn encode(&self) -> Vec<u8> {
        Writer::default()
            .bytes(self.hostname.as_bytes())
            .u32(u32::from(self.opt))
            .optional(self.runtime.as_deref())
            .mounts(&self.shares)
            .u64(self.tmp_bytes)
            .u32(self.open_files_max)
            .0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = Self {
            hostname: reader.text()?,
            opt: reader.flag()?,
            runtime: reader.optional()?,
            shares: reader.mounts()?,
            tmp_bytes: reader.u64()?,
            open_files_max: reader.u32()?,
        };
        reader.end(message)
    }
}

impl Message for Execute {
    fn encode(&self) -> Vec<u8> {
        Writer::default()
            .list(&self.argv)
            .list(&self.env)
            .bytes(self.directory.as_bytes())
            .u32(self.open_files_max)
            .0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = Self {
            argv: reader.list()?,
            env: reader.list()?,
            directory: reader.c_text()?,
            open_files_max: reader.u32()?,
        };
        reader.end(message)
    }
}

impl Message for Spawned {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default();
        match self {
            Self::Created { request } => writer.u32(0).u32(*request),
            Self::Failed {
                request,
                step,
                errno,
            } => writer
                .u32(1)
                .u32(*request)
                .bytes(step.as_bytes())
                .i32(*errno),
        }
        .0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = match reader.u32()? {
            0 => Self::Created {
                request: reader.u32()?,
            },
            1 => Self::Failed {
                request: reader.u32()?,
                step: reader.text()?,
                errno: reader.i32()?,
            },
            _ => return None,
        };
        reader.end(message)
    }
}

impl Message for Request {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default();
        match self {
            Self::Start {
                request,
                argv,
                env,
                directory,
            } => writer
                .u32(0)
                .u32(*request)
                .list(argv)
                .list(env)
                .bytes(directory.as_bytes()),
            Self::Signal {
                request,
                pid,
                signal,
            } => writer.u32(1).u32(*request).u32(*pid).i32(*signal),
            Self::KillAll { request } => writer.u32(2).u32(*request),
        }
        .0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = match reader.u32()? {
            0 => Self::Start {
                request: reader.u32()?,
                argv: reader.list()?,
                env: reader.list()?,
                directory: reader.c_text()?,
            },
            1 => Self::Signal {
                request: reader.u32()?,
                pid: reader.u32()?,
                signal: reader.i32()?,
            },
            2 => Self::KillAll {
                request: reader.u32()?,
            },
            _ => return None,
        };
        reader.end(message)
    }
}

impl Message for Event {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default();
        match self {
            Self::Ready => writer.u32(0),
            Self::Failed { step, errno } => writer.u32(1).bytes(step.as_bytes()).i32(*errno),
            Self::Started { request, pid } => writer.u32(2).u32(*request).u32(*pid),
            Self::NotStarted {
                request,
                stage,
                step,
                errno,
            } => writer
                .u32(3)
                .u32(*request)
                .u32(*stage as u32)
                .bytes(step.as_bytes())
                .i32(*errno),
            Self::Signalled { request, errno } => writer.u32(4).u32(*request).i32(*errno),
            Self::Killed { request } => writer.u32(5).u32(*request),
            Self::Exited {
                pid,
                exit: Exit::Status(status),
            } => writer.u32(6).u32(*pid).i32(*status),
            Self::Exited {
                pid,
                exit: Exit::Signal(signal),
            } => writer.u32(7).u32(*pid).i32(*signal),
        }
        .0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let message = match reader.u32()? {
            0 => Self::Ready,
            1 => Self::Failed {
                step: reader.text()?,
                errno: reader.i32()?,
            },
            2 => Self::Started {
                request: reader.u32()?,
                pid: reader.u32()?,
            },
            3 => Self::NotStarted {
                request: reader.u32()?,
                stage: match reader.u32()? {
                    0 => Stage::Prepare,
                    1 => Stage::Directory,
                    2 => Stage::Execute,
                    _ => return None,
                },
                step: reader.text()?,
                errno: reader.i32()?,
            },
            4 => Self::Signalled {
                request: reader.u32()?,
                errno: reader.i32()?,
            },
            5 => Self::Killed {
                request: reader.u32()?,
            },
            6 => Self::Exited {
                pid: reader.u32()?,
                exit: Exit::Status(reader.i32()?),
            },
            7 => Self::Exited {
                pid: reader.u32()?,
                exit: Exit::Signal(reader.i32()?),
            },
            _ => return None,
        };
        reader.end(message)
    }
}

#[cfg(test)]
mod tests;
