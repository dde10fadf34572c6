"""Which system calls student code may make: a filter that the kernel keeps, for this process and all it starts, for good.

Notebooks compute, draw, read and write files, start threads and processes. What they never need (other processes' memory,
keyrings, mounts, namespaces, io_uring, memory that belongs to no process and so is counted nowhere) is refused, whoever asks.
The filter is a program of classic BPF (seccomp(2)), written out here: an instruction is a code, two jumps and a number.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping, Sequence

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x50000
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # where `struct seccomp_data` holds them
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_* of linux/audit.h
NEWEST = 469  # the newest call that the tables know; x32's calls begin far above

# Numbers on x86_64 and aarch64; where there is one only, both have it.
REFUSED: dict[str, dict[str, tuple[int | None, ...]]] = {
    "other processes": {
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440,),
        "process_mrelease": (448,), "kcmp": (312, 272), "pidfd_getfd": (438,), "move_pages": (279, 239),
        "migrate_pages": (256, 238), "perf_event_open": (298, 241)},
    "keyrings": {"keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218)},
    "the kernel itself": {
        "bpf": (321, 280), "userfaultfd": (323, 282), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
        "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
        "syslog": (103, 116), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112), "vhangup": (153, 58),
        "lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "iopl": (172, None), "ioperm": (173, None),
        "modify_ldt": (154, None), "uselib": (134, None)},
    "mounts and namespaces": {
        "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428,),
        "move_mount": (429,), "fsopen": (430,), "fsconfig": (431,), "fsmount": (432,), "fspick": (433,), "mount_setattr": (442,),
        "open_tree_attr": (467,), "statmount": (457,), "listmount": (458,), "unshare": (272, 97), "setns": (308, 268),
        "sethostname": (170, 161), "setdomainname": (171, 162), "swapon": (167, 224), "swapoff": (168, 225),
        "quotactl": (179, 60), "quotactl_fd": (443,), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
        "fanotify_init": (300, 262), "fanotify_mark": (301, 263)},
    "memory and messages of no process": {
        "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197), "semget": (64, 190), "semop": (65, 193),
        "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
        "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182),
        "mq_timedreceive": (243, 183), "mq_notify": (244, 184), "mq_getsetattr": (245, 185), "vmsplice": (278, 75)},
}
# Libraries try these and go on without them, where the kernel does not have them; clone3 hides its flags from a filter.
UNKNOWN = {"clone3": (435,), "memfd_create": (319, 279), "memfd_secret": (447,), "io_uring_setup": (425,),
           "io_uring_enter": (426,), "io_uring_register": (427,)}
# Without namespaces of its own, a process of the same account could be stopped, slowed down or limited, directories watched, a
# service of the account asked by its socket, and a file's length, mode, owner, times and attributes changed: Landlock, or its
# first versions, leave these alone.
REFUSED_IN_THE_OPEN = {
    "tkill": (200, 130), "pidfd_send_signal": (424,), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "sched_setattr": (314, 274), "ioprio_set": (251, 30), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "truncate": (76, 45), "socket": (41, 198), "connect": (42, 203)}
SETS_ATTRIBUTES = {
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463,), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466,), "file_setattr": (469,)}
# These seem to succeed: copying a file sets its mode and times, and a notebook's own are nobody's concern.
WITHOUT_EFFECT = {"chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452,), "chown": (92, None),
                  "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
                  "futimesat": (261, None), "utimensat": (280, 88)}
ONLY_ITSELF = {"prlimit64": ((302, 261), 0), "sched_setaffinity": ((203, 122), 0), "sched_setscheduler": ((144, 119), 0),
               "sched_setparam": ((142, 118), 0), "setpriority": ((141, 140), 1)}  # and which argument says whose
CLONE, SOCKET, SOCKETPAIR, IOCTL, FCNTL, PERSONALITY, KILL, TGKILL = (
    (56, 220), (41, 198), (53, 199), (16, 29), (72, 25), (135, 92), (62, 129), (234, 131))

NEW_NAMESPACES = 0x7E020000  # any of CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
TERMINALS = (0x5412, 0x541C, 0x5423)  # TIOCSTI, TIOCLINUX, TIOCSETD: what is typed for whoever owns the terminal
# FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, and FIOSETOWN, SIOCSPGRP: whom the kernel signals about a descriptor
FROM_AFAR = (0x40086602, 0x401C5820, 0x8901, 0x8902)
OWNERS = (8, 15)  # F_SETOWN, F_SETOWN_EX: the same
USUAL = (0, 0xFFFFFFFF)  # personalities: Linux, and the question which it is
STREAM, SEQPACKET, KIND = 1, 5, 0xF


def supported() -> bool:
    """Are this machine's system calls known here?"""
    return platform.machine() in ARCHITECTURES


def load(alone: bool, signals_to: int | None = None) -> None:
    """Load the filter. It cannot be taken off again.

    Args:
        alone: has this process namespaces of its own? If not, what reaches other processes, files' modes, and every socket but
            a connected pair is refused, too.
        signals_to: the only process that may be sent signals, where nothing else keeps them from other processes.
    Raises:
        OSError: the kernel refused it, or this machine's calls are not known.
    """
    instructions = program(platform.machine(), alone, signals_to)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(instructions) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, *arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(header), 0, 0)):
        if libc.prctl(option, *arguments) != 0:
            raise OSError(ctypes.get_errno(), f"a filter of system calls: {os.strerror(ctypes.get_errno())}")


def number_here(group: str, name: str) -> int:
    """The number of one of the calls of `REFUSED` on this machine; -1, which no call has, where its calls are not known."""
    return here(REFUSED[group][name])


def here(numbers: Sequence[int | None]) -> int:
    """Which of a call's numbers is this machine's; -1, which no call has, where its calls are not known."""
    machine = platform.machine()
    number = _number(numbers, machine) if machine in ARCHITECTURES else None
    return -1 if number is None else number


def _number(numbers: Sequence[int | None], machine: str) -> int | None:
    return numbers[list(ARCHITECTURES).index(machine)] if len(numbers) > 1 else numbers[0]


def program(machine: str, alone: bool, signals_to: int | None = None) -> bytes:
    """The filter for `load` as BPF's instructions, 8 bytes each.

    Raises:
        OSError: the machine's calls are not known.
    """
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"a filter of system calls: those of {machine} are not known here")

    # A process of another architecture has other numbers: it gets nothing done.
    lines = [_load(ARCHITECTURE), (EQUAL, 1, 0, ARCHITECTURES[machine]), _fail(errno.ENOSYS),
             _load(NUMBER), (AT_LEAST, 0, 1, NEWEST + 1), _fail(errno.ENOSYS)]

    def rule(numbers: Sequence[int | None], *block: tuple[int, int, int, int]) -> None:
        """The block, which ends in an answer, for one call."""
        if (call := _number(numbers, machine)) is not None:
            lines.extend([(EQUAL, 0, len(block), call), *block])

    def rules(calls: Mapping[str, Sequence[int | None]], error: int) -> None:
        for numbers in calls.values():
            rule(numbers, _fail(error))

    if not alone:
        rules(REFUSED_IN_THE_OPEN, errno.EPERM)
        rules(SETS_ATTRIBUTES, errno.EOPNOTSUPP)
        rules(WITHOUT_EFFECT, 0)
        for numbers, argument in ONLY_ITSELF.values():
            rule(numbers, *_only((0,), argument))
        rule(FCNTL, *_none_of(OWNERS, 1))
        if signals_to is not None:
            rule(KILL, *_only((signals_to, -signals_to & 0xFFFFFFFF, 0)))
            rule(TGKILL, *_only((signals_to,)))
    for calls in REFUSED.values():
        rules(calls, errno.EPERM)
    rules(UNKNOWN, errno.ENOSYS)
    rule(CLONE, _argument(0), (ANY_BIT, 0, 1, NEW_NAMESPACES), _fail(errno.EPERM), _allow())
    rule(SOCKET, *_only(FAMILIES, error=errno.EAFNOSUPPORT))
    # A pair of datagram sockets could be sent to any socket with a name.
    rule(SOCKETPAIR, _argument(0), (EQUAL, 1, 0, 1), _fail(errno.EAFNOSUPPORT),
         *((_allow(),) if alone else (_argument(1), (AND, 0, 0, KIND), *_one_of((STREAM, SEQPACKET), errno.EPERM))))
    rule(IOCTL, *_none_of(TERMINALS if alone else TERMINALS + FROM_AFAR, 1))
    rule(PERSONALITY, *_only(USUAL))
    lines.append(_allow())
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


# What the calls above take as these arguments are ints: the kernel looks at their lower halves only, and so does the filter.


def _load(offset: int) -> tuple[int, int, int, int]:
    return LOAD, 0, 0, offset


def _argument(which: int) -> tuple[int, int, int, int]:
    return _load(ARGUMENTS + 8 * which)


def _allow() -> tuple[int, int, int, int]:
    return RETURN, 0, 0, ALLOW


def _fail(error: int) -> tuple[int, int, int, int]:
    return RETURN, 0, 0, ERRNO | error


def _only(values: tuple[int, ...], argument: int = 0, error: int = errno.EPERM) -> tuple:
    return _argument(argument), *_one_of(values, error)


def _one_of(values: tuple[int, ...], error: int) -> tuple:
    """Allow what was loaded, if it is one of the values."""
    return *_jumps(values), _fail(error), _allow()


def _none_of(values: tuple[int, ...], argument: int) -> tuple:
    return _argument(argument), *_jumps(values), _allow(), _fail(errno.EPERM)


def _jumps(values: tuple[int, ...]) -> tuple:
    """Over the first answer after these to the second, if it is one of the values."""
    return tuple((EQUAL, len(values) - place, 0, value) for place, value in enumerate(values))
