//! The first of the function's processes, forked and settled before it is known what it will run.
//!
//! It waits in the pool along with its init, with all rights given up already: to start a program, only
//! connecting its streams and executing is left. Later processes are forked on demand. If it has ended
//! meanwhile (killed along with others), so is the first.

use std::io::{self, PipeWriter};
use std::os::fd::{AsFd as _, AsRawFd as _};

use super::function::{self, Forked, Launch, Program};
use crate::channel::{self, Channel, Received};
use crate::message::Execute;
use crate::sys::files;
use crate::sys::privileges;
use crate::sys::processes::{self, Side};

/// A settled process.
pub(super) struct Standby {
    pid: i32,
    channel: Channel,
}

impl Standby {
    /// Forks it; `buffer` is what it receives into, a copy of the caller's.
    pub(super) fn fork(launch: &Launch<'_>, buffer: &mut Vec<u8>) -> io::Result<Self> {
        let (ours, theirs) = channel::pair()?;
        match processes::fork(launch.alone, 0, Some(launch.cgroup.as_fd()))? {
            Side::Parent(child) => {
                let channel = Channel::with_buffer(ours, Vec::new());
                Ok(Self {
                    pid: child.pid,
                    channel,
                })
            }
            Side::Child => {
                drop(ours);
                let channel = Channel::with_buffer(theirs, std::mem::take(buffer));
                let work = std::panic::AssertUnwindSafe(|| wait(launch, channel));
                let _ = std::panic::catch_unwind(work);
                processes::exit_now(127)
            }
        }
    }

    /// Makes it become a program.
    pub(super) fn start(self, program: &Program) -> io::Result<Forked> {
        let (report, reporter) = io::pipe()?;
        let execute = Execute {
            argv: program.argv.clone(),
            env: program.env.clone(),
            directory: program.directory.clone(),
            open_files_max: program.open_files_max,
        };
        self.channel
            .send(&execute, &[program.output.as_fd(), reporter.as_fd()])?;
        Ok(Forked {
            pid: self.pid,
            report,
            settled: self.channel.into_socket(),
        })
    }
}

/// The life of one. If anything fails before its start is requested, the requester notices.
fn wait(launch: &Launch<'_>, mut channel: Channel) {
    if privileges::set_process_name(c"lambent-standby").is_err() {
        return;
    }
    let Ok(listener) = launch.settle(Some(launch.users)) else {
        return;
    };
    if function::hand_over(channel.as_fd(), listener).is_err()
        || files::close_all_but(&[0, 1, 2, launch.null.as_raw_fd(), channel.as_raw_fd()]).is_err()
    {
        return;
    }
    let Ok(Received::Message(execute, fds)) = channel.receive::<Execute>() else {
        return;
    };
    let mut fds = fds.into_iter();
    let (Some(output), Some(reporter)) = (fds.next(), fds.next()) else {
        return;
    };
    let Execute {
        argv,
        env,
        directory,
        open_files_max,
    } = execute;
    let program = Program {
        argv,
        env,
        directory,
        open_files_max,
        output,
    };
    let (step, error) = program.become_it(launch.null.as_fd());
    function::tell(&mut PipeWriter::from(reporter), step, &error);
}
