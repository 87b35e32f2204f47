"""How urgent a client is: one that stands for another machine."""

import os
import pathlib


def own(niceness):
    """A session of this process's own, this urgent: where Linux shares processors among sessions, it is
    the session that has a priority. Asked for more than it may have, it stays as it is."""
    os.setsid()
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
        group = pathlib.Path("/proc/self/autogroup")
        if group.exists():
            group.write_text(str(niceness))
    except PermissionError:
        pass
