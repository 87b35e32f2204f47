//! From "what happens to which call" to the kernel's filter program.
//!
//! ```text
//!   wrong architecture? ──▶ kill
//!   number < n ? ──┬── ... a balanced tree over ranges of numbers with one outcome ...
//!                  └── ... leaves: allow | refuse | absent | check arguments
//! ```
//!
//! Pure: the program is data, and its tests run it in a small interpreter.

// Long: one small compiler, and the interpreter that tests it.

use std::collections::BTreeMap;

use libc::sock_filter;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Where the kernel's `seccomp_data` holds its parts.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const IF_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const MASK: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Allow,
    /// "Operation not permitted".
    Refuse,
    /// "Function not implemented", as an older kernel would answer: libraries then do without.
    Absent,
    /// Allowed if the argument has none of the bits, else answered with this error.
    NoBits {
        argument: u8,
        bits: u32,
        errno: i32,
    },
    /// Allowed if the argument is one of these.
    OneOf {
        argument: u8,
        values: &'static [u32],
    },
    /// Allowed if the argument is none of these, else answered with this error.
    NoneOf {
        argument: u8,
        values: &'static [u32],
        errno: i32,
    },
    /// Allowed unless the argument is this value, and the pointer, if one is named, is not null.
    /// Otherwise it is answered as successful, and nothing is done.
    Unheeded {
        argument: u8,
        value: u32,
        pointer: Option<u8>,
    },
    /// Never allowed, and answered with this error.
    Error(i32),
    /// Allowed if family, kind and protocol of a socket are among these. A request for the kernel's
    /// routing socket waits for the sandbox's init to answer.
    Socket(&'static [SocketRule]),
    /// Allowed if level and number of a socket's option are among these, else answered like a kernel
    /// that has no such option.
    SocketOption(&'static [OptionRule]),
}

/// Options of one level that may be set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OptionRule {
    pub(super) level: u32,
    /// Their numbers, in runs from the first to the last.
    pub(super) options: &'static [(u32, u32)],
    /// Those that may be set without any effect.
    pub(super) unheeded: &'static [u32],
}

/// A kind of socket that may be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SocketRule {
    pub(super) family: u32,
    /// Without the flags that share its argument.
    pub(super) kinds: &'static [u32],
    pub(super) protocols: &'static [u32],
    /// Whether init answers, rather than the kernel.
    pub(super) by_init: bool,
}

/// The bits of a socket's kind that identify the kind (and not `SOCK_CLOEXEC`, `SOCK_NONBLOCK`).
const SOCKET_KIND_BITS: u32 = 0xF;

/// Makes the program. Calls that are not in `fates` are refused below `first_new`, else absent.
pub(super) fn compile(fates: &BTreeMap<u32, Fate>, first_new: u32) -> Vec<sock_filter> {
    let mut program = vec![
        statement(LOAD, ARCHITECTURE_AT),
        branch(IF_EQUAL, ARCHITECTURE, 1, 0),
        statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        statement(LOAD, NUMBER_AT),
    ];
    program.extend(search(&ranges(fates, first_new)));
    program
}

/// Each entry is the first number of a range and the fate of all in it; the first is 0.
fn ranges(fates: &BTreeMap<u32, Fate>, first_new: u32) -> Vec<(u32, Fate)> {
    let mut ranges: Vec<(u32, Fate)> = Vec::new();
    let mut add = |first: u32, fate: Fate| {
        if ranges.last().is_none_or(|(_, last)| *last != fate) {
            ranges.push((first, fate));
        }
    };
    let end = fates
        .keys()
        .next_back()
        .map_or(0, |last| last + 1)
        .max(first_new);
    for number in 0..end {
        let unknown = if number < first_new {
            Fate::Refuse
        } else {
            Fate::Absent
        };
        add(number, fates.get(&number).copied().unwrap_or(unknown));
    }
    add(end, Fate::Absent);
    ranges
}

/// The tree over some ranges, the first of which is known to have been reached.
fn search(ranges: &[(u32, Fate)]) -> Vec<sock_filter> {
    if let [(_, fate)] = ranges {
        return leaf(*fate);
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    let below = search(lower);
    let mut code = match u8::try_from(below.len()) {
        Ok(distance) => vec![branch(IF_AT_LEAST, upper[0].0, distance, 0)],
        Err(_) => {
            let distance = u32::try_from(below.len()).expect("a filter is a few thousand steps");
            vec![
                branch(IF_AT_LEAST, upper[0].0, 0, 1),
                statement(JUMP, distance),
            ]
        }
    };
    code.extend(below);
    code.extend(search(upper));
    code
}

fn leaf(fate: Fate) -> Vec<sock_filter> {
    match fate {
        Fate::Allow => vec![allow()],
        Fate::Refuse => vec![refuse()],
        Fate::Absent => vec![error(libc::ENOSYS)],
        Fate::NoBits {
            argument,
            bits,
            errno,
        } => {
            vec![
                load_argument(argument),
                branch(IF_ANY_BIT, bits, 1, 0),
                allow(),
                error(errno),
            ]
        }
        Fate::OneOf { argument, values } => {
            let mut code = vec![load_argument(argument)];
            code.extend(
                values
                    .iter()
                    .flat_map(|value| [branch(IF_EQUAL, *value, 0, 1), allow()]),
            );
            code.push(refuse());
            code
        }
        Fate::NoneOf {
            argument,
            values,
            errno,
        } => {
            let mut code = vec![load_argument(argument)];
            code.extend(
                values
                    .iter()
                    .flat_map(|value| [branch(IF_EQUAL, *value, 0, 1), error(errno)]),
            );
            code.push(allow());
            code
        }
        Fate::Unheeded {
            argument,
            value,
            pointer: None,
        } => vec![
            load_argument(argument),
            branch(IF_EQUAL, value, 0, 1),
            error(0),
            allow(),
        ],
        Fate::Unheeded {
            argument,
            value,
            pointer: Some(pointer),
        } => vec![
            load_argument(argument),
            branch(IF_EQUAL, value, 0, 5),
            load_argument(pointer),
            branch(IF_EQUAL, 0, 0, 2),
            load_upper_half(pointer),
            branch(IF_EQUAL, 0, 1, 0),
            error(0),
            allow(),
        ],
        Fate::Error(errno) => vec![error(errno)],
        Fate::Socket(rules) => rules
            .iter()
            .flat_map(socket_rule)
            .chain([refuse()])
            .collect(),
        Fate::SocketOption(rules) => rules
            .iter()
            .flat_map(option_rule)
            .chain([error(libc::ENOPROTOOPT)])
            .collect(),
    }
}

/// Returns "allow" if the socket is of this rule; else continues after it.
fn socket_rule(rule: &SocketRule) -> Vec<sock_filter> {
    let found = if rule.by_init { ask_init() } else { allow() };
    let mut verdict = vec![load_argument(2)];
    verdict.extend(
        rule.protocols
            .iter()
            .flat_map(|protocol| [branch(IF_EQUAL, *protocol, 0, 1), found]),
    );
    let mut kinds = vec![load_argument(1), statement(MASK, SOCKET_KIND_BITS)];
    for (index, kind) in rule.kinds.iter().enumerate() {
        // A match jumps over the other kinds' tests and over the jump out.
        let rest = rule.kinds.len() - index;
        kinds.push(branch(IF_EQUAL, *kind, short(rest), 0));
    }
    let out = u32::try_from(verdict.len()).expect("a verdict is a few steps");
    kinds.push(statement(JUMP, out));
    kinds.extend(verdict);
    let mut code = vec![
        load_argument(0),
        branch(IF_EQUAL, rule.family, 0, short(kinds.len())),
    ];
    code.extend(kinds);
    code
}

/// Answers if the option is of this rule's level; else continues after it.
fn option_rule(rule: &OptionRule) -> Vec<sock_filter> {
    let mut code = vec![load_argument(2)];
    for option in rule.unheeded {
        code.extend([branch(IF_EQUAL, *option, 0, 1), error(0)]);
    }
    for (first, last) in rule.options {
        code.extend([
            branch(IF_AT_LEAST, *first, 0, 2),
            branch(IF_AT_LEAST, last + 1, 1, 0),
            allow(),
        ]);
    }
    code.push(error(libc::ENOPROTOOPT));
    let mut rule = vec![
        load_argument(1),
        branch(IF_EQUAL, rule.level, 0, short(code.len())),
    ];
    rule.extend(code);
    rule
}

fn short(distance: usize) -> u8 {
    u8::try_from(distance).expect("a rule is some fifty steps")
}

/// The low half of an argument: for the calls whose arguments we check, the kernel reads no more of it.
fn load_argument(index: u8) -> sock_filter {
    statement(LOAD, ARGUMENTS_AT + 8 * u32::from(index))
}

/// The other half, of which a pointer has something, too.
fn load_upper_half(index: u8) -> sock_filter {
    statement(LOAD, ARGUMENTS_AT + 8 * u32::from(index) + 4)
}

fn ask_init() -> sock_filter {
    statement(RETURN, libc::SECCOMP_RET_USER_NOTIF)
}

fn allow() -> sock_filter {
    statement(RETURN, libc::SECCOMP_RET_ALLOW)
}

fn refuse() -> sock_filter {
    error(libc::EPERM)
}

fn error(errno: i32) -> sock_filter {
    statement(RETURN, libc::SECCOMP_RET_ERRNO | errno as u32)
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn branch(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What the kernel would answer.
    pub(crate) fn run(program: &[sock_filter], architecture: u32, call: u32, args: &[u64]) -> u32 {
        let load = |at: u32| match at {
            NUMBER_AT => call,
            ARCHITECTURE_AT => architecture,
            at => {
                let argument = args
                    .get((at - ARGUMENTS_AT) as usize / 8)
                    .copied()
                    .unwrap_or(0);
                if at % 8 == 0 {
                    argument as u32
                } else {
                    (argument >> 32) as u32
                }
            }
        };
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let taken = match step.code {
                LOAD => {
                    accumulator = load(step.k);
                    continue;
                }
                MASK => {
                    accumulator &= step.k;
                    continue;
                }
                JUMP => {
                    at += step.k as usize;
                    continue;
                }
                RETURN => return step.k,
                IF_EQUAL => accumulator == step.k,
                IF_AT_LEAST => accumulator >= step.k,
                IF_ANY_BIT => accumulator & step.k != 0,
                code => panic!("unknown step {code}"),
            };
            at += usize::from(if taken { step.jt } else { step.jf });
        }
    }

    pub(crate) const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    pub(crate) const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    pub(crate) const BY_INIT: u32 = libc::SECCOMP_RET_USER_NOTIF;
    pub(crate) const ABSENT: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    pub(crate) fn answer(program: &[sock_filter], call: u32, args: &[u64]) -> u32 {
        run(program, ARCHITECTURE, call, args)
    }

    #[test]
    fn every_number_meets_its_fate() {
        // Scattered, so that the tree is deep and its jumps are long.
        let fates: BTreeMap<u32, Fate> = (0..600)
            .filter(|number| number % 3 == 0 || number % 7 == 1)
            .map(|number| {
                (
                    number,
                    if number % 2 == 0 {
                        Fate::Allow
                    } else {
                        Fate::Refuse
                    },
                )
            })
            .collect();
        let program = compile(&fates, 400);
        for number in (0..1_000).chain([u32::MAX, 0x4000_0000]) {
            let expected = match fates.get(&number) {
                Some(Fate::Allow) => ALLOW,
                Some(_) => REFUSED,
                None if number < 400 => REFUSED,
                None => ABSENT,
            };
            assert_eq!(answer(&program, number, &[]), expected, "call {number}");
        }
    }

    #[test]
    fn another_architecture_is_killed() {
        let program = compile(&BTreeMap::new(), 10);
        assert_eq!(
            run(&program, ARCHITECTURE ^ 1, 0, &[]),
            libc::SECCOMP_RET_KILL_PROCESS
        );
    }
}
