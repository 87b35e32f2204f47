//! User namespaces that are nothing but a map of numbers: made by a process that lives until its maps
//! are written, and kept by their descriptor.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::spec::{FUNCTION_GID, FUNCTION_UID};
use crate::sys::processes::{self, Side, SingleThreaded};

/// The map of users and that of groups, as the kernel reads them: lines of "inside, outside, how many".
pub(crate) struct Maps {
    pub(crate) users: String,
    pub(crate) groups: String,
}

impl Maps {
    /// The host's `uid` is user 0 inside, and the next one the function's user.
    pub(crate) fn of_sandbox(uid: u32) -> Self {
        let map = |inside: u32| format!("0 {uid} 1\n{inside} {} 1\n", uid + 1);
        Self {
            users: map(FUNCTION_UID),
            groups: map(FUNCTION_GID),
        }
    }

    /// For a mount: what belongs to `user` and `group` on disk belongs to the sandbox's `uid`, and what
    /// that one creates is theirs. All others are who they are, so that their files' modes mean the
    /// same as on the host.
    pub(crate) fn of_mount((user, group): (u32, u32), uid: u32) -> Self {
        Self {
            users: all_but(user, uid),
            groups: all_but(group, uid),
        }
    }
}

/// Maps `disk` to `here`, and every number but these two to itself.
fn all_but(disk: u32, here: u32) -> String {
    let (low, high) = (disk.min(here), disk.max(here));
    let mut map = format!("{disk} {here} 1\n");
    // The highest number means "none" to the kernel.
    let ranges = [
        (0, low),
        (low.saturating_add(1), high),
        (high.saturating_add(1), u32::MAX),
    ];
    for (from, to) in ranges.into_iter().filter(|(from, to)| from < to) {
        writeln!(map, "{from} {from} {}", to - from).expect("a text can be written to");
    }
    map
}

/// Makes a user namespace; `proc` is the `/proc` of this process's pid namespace. The second part
/// is the process that it took, which has ended or is about to.
pub(crate) fn make(alone: SingleThreaded, proc: &Path, maps: &Maps) -> io::Result<(File, i32)> {
    let (mut hold, release) = io::pipe()?;
    match processes::fork(alone, processes::USER_NAMESPACE, None)? {
        Side::Child => {
            // Lives until the maps are written: until its end of the pipe is the only one.
            drop(release);
            let _ = hold.read(&mut [0]);
            processes::exit_now(0);
        }
        Side::Parent(child) => {
            let folder = proc.join(child.pid.to_string());
            fs::write(folder.join("uid_map"), &maps.users)?;
            fs::write(folder.join("gid_map"), &maps.groups)?;
            Ok((File::open(folder.join("ns/user"))?, child.pid))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounts_map_moves_one_number_and_leaves_the_others() {
        assert_eq!(
            all_but(1000, 200_001),
            "1000 200001 1\n0 0 1000\n1001 1001 199000\n200002 200002 4294767293\n"
        );
        assert_eq!(all_but(0, 2), "0 2 1\n1 1 1\n3 3 4294967292\n");
        assert_eq!(all_but(7, 7), "7 7 1\n0 0 7\n8 8 4294967287\n");
    }

    #[test]
    fn no_number_is_mapped_twice() {
        for (disk, here) in [(0, 1), (1, 0), (5, 5), (u32::MAX - 1, 3), (3, u32::MAX - 1)] {
            let map = all_but(disk, here);
            for column in 0..2 {
                let mut ranges: Vec<(u64, u64)> = map
                    .lines()
                    .map(|line| {
                        let numbers: Vec<u64> =
                            line.split(' ').map(|n| n.parse().unwrap()).collect();
                        (numbers[column], numbers[2])
                    })
                    .collect();
                ranges.sort_unstable();
                for pair in ranges.windows(2) {
                    assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{map}");
                }
                let last = ranges.last().unwrap();
                assert!(last.0 + last.1 <= u64::from(u32::MAX), "{map}");
            }
        }
    }
}
