"""Takes a folder out of the sight of this process and all that it starts: its files, and the memory of who has read them.

Landlock (Linux 5.19, where it is switched on; no privilege needed) knows only what is allowed, so all that lies beside the way
to the folder is. Who is confined so can trace no process that is not, so /proc shows it neither environment nor memory of the daemon.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

# The same on every processor that Linux 5.13 or newer runs on, but Alpha.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
PATH_BENEATH = 1
READ_FILE, READ_DIR, REFER = 1 << 2, 1 << 3, 1 << 13
# The first forbids to move a file into another folder, whoever may.
VERSION_MIN = 2
PR_SET_NO_NEW_PRIVS = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def can_hide() -> bool:
    """Whether the kernel knows how, and a filter of system calls does not forbid it."""
    if sys.platform != "linux":
        return False
    with suppress(OSError):
        return _call(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION) >= VERSION_MIN
    return False


def hide(folder: str) -> None:
    """Hide the folder for good; raises OSError. The folders on the way to it can no longer be listed, what is beside them can."""
    hidden = Path(os.path.realpath(folder))
    if hidden.parent.name == "credentials":  # where systemd keeps those of other services too
        hidden = hidden.parent
    rights = READ_FILE | READ_DIR | REFER
    rules = _call(CREATE_RULESET, ctypes.byref(_Ruleset(rights)), ctypes.sizeof(_Ruleset), 0)
    try:
        for place in (hidden, *hidden.parents[:-1]):
            for name in os.listdir(place.parent):
                if name != place.name:
                    with suppress(OSError):  # gone meanwhile, or nothing that can be shown
                        _show(rules, str(place.parent / name), rights)
        if ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError("this process cannot give up new privileges")
        _call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _show(rules: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights = READ_FILE
        _call(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(_PathBeneath(rights, fd)), 0)
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    # Without a type ctypes would pass 32 bits of what the kernel reads as 64.
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    done = int(libc.syscall(ctypes.c_long(number), *given))
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done
