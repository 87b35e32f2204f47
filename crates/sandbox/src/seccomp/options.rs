//! Which options of sockets a function may set.
//!
//! An allow list by level and number. Left out, each because it reaches beyond the socket: programs and
//! their compiled code (`SO_ATTACH_*`), protocols on top of TCP (`TCP_ULP`), keys of connections, IP
//! options and extension headers, groups of receivers (multicast) and flow labels, each of which takes
//! kernel memory that is charged to nobody or a number from a table of the whole machine.
//!
//! The sizes of buffers can be set, without effect: the kernel's own choice is bounded by the sandbox's
//! network, what a function asks for only by the machine's `net.core.rmem_max`. Libraries set them in
//! passing, so an error would break more than it is worth.

use super::program::OptionRule;

/// The list.
pub(super) const OPTIONS: &[OptionRule] = &[
    OptionRule {
        level: libc::SOL_SOCKET as u32,
        options: &[
            // DEBUG, REUSEADDR, TYPE, ERROR, DONTROUTE, BROADCAST.
            (1, 6),
            // KEEPALIVE, OOBINLINE, NO_CHECK, PRIORITY, LINGER, BSDCOMPAT, REUSEPORT, PASSCRED, PEERCRED,
            // RCVLOWAT, SNDLOWAT, RCVTIMEO, SNDTIMEO.
            (9, 21),
            // BINDTODEVICE.
            (25, 25),
            // TIMESTAMP, ACCEPTCONN.
            (29, 30),
            // PASSSEC, TIMESTAMPNS, MARK, TIMESTAMPING.
            (34, 37),
            // RXQ_OVFL, WIFI_STATUS, PEEK_OFF, NOFCS.
            (40, 43),
            // SELECT_ERR_QUEUE, BUSY_POLL, MAX_PACING_RATE.
            (45, 47),
            // ZEROCOPY, TXTIME, BINDTOIFINDEX, and earlier times in 64 bits.
            (60, 67),
        ],
        unheeded: &[libc::SO_SNDBUF as u32, libc::SO_RCVBUF as u32],
    },
    OptionRule {
        level: libc::IPPROTO_TCP as u32,
        options: &[
            // NODELAY, MAXSEG, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT,
            // WINDOW_CLAMP, INFO, QUICKACK, CONGESTION.
            (1, 13),
            // THIN_LINEAR_TIMEOUTS, THIN_DUPACK, USER_TIMEOUT.
            (16, 18),
            // FASTOPEN, TIMESTAMP, NOTSENT_LOWAT.
            (23, 25),
            // FASTOPEN_CONNECT.
            (30, 30),
            // FASTOPEN_NO_COOKIE, ZEROCOPY_RECEIVE, INQ, TX_DELAY.
            (34, 37),
        ],
        unheeded: &[],
    },
    OptionRule {
        level: libc::IPPROTO_IP as u32,
        options: &[
            // TOS, TTL.
            (1, 2),
            // RECVOPTS, RETOPTS, PKTINFO.
            (6, 8),
            // MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, MTU, FREEBIND.
            (10, 15),
            // RECVORIGDSTADDR, MINTTL.
            (20, 21),
            // BIND_ADDRESS_NO_PORT.
            (24, 24),
            // MULTICAST_IF, MULTICAST_TTL, MULTICAST_LOOP.
            (32, 34),
            // MULTICAST_ALL, UNICAST_IF, LOCAL_PORT_RANGE.
            (49, 51),
        ],
        unheeded: &[],
    },
    OptionRule {
        level: libc::IPPROTO_IPV6 as u32,
        options: &[
            // UNICAST_HOPS, MULTICAST_IF, MULTICAST_HOPS, MULTICAST_LOOP.
            (16, 19),
            // MTU_DISCOVER, MTU, RECVERR, V6ONLY.
            (23, 26),
            // MULTICAST_ALL.
            (29, 29),
            // RECVPKTINFO, PKTINFO, RECVHOPLIMIT, HOPLIMIT.
            (49, 52),
            // DONTFRAG.
            (62, 62),
            // RECVTCLASS, TCLASS.
            (66, 67),
            // AUTOFLOWLABEL.
            (70, 70),
            // ADDR_PREFERENCES, MINHOPCOUNT.
            (72, 73),
            // UNICAST_IF.
            (76, 76),
            // FREEBIND.
            (78, 78),
        ],
        unheeded: &[],
    },
    OptionRule {
        level: libc::IPPROTO_UDP as u32,
        options: &[
            // CORK.
            (1, 1),
            // NO_CHECK6_TX, NO_CHECK6_RX, SEGMENT, GRO.
            (101, 104),
        ],
        unheeded: &[],
    },
];
