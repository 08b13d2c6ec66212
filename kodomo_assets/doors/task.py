"""``python -m kodomo_assets.doors.task FILE``: a command as a task of Windows starts it.

FILE is what ``install-services`` wrote, since a task has none of it: variables, words of the command, and where
what it prints goes.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

#: From this size on the log of before is kept beside the new one, and the one before it goes.
_MOST_BYTES = 5_000_000


def main(file: Path) -> None:
    """Runs the command of ``file`` in this process, and ends as it ends."""
    told = json.loads(file.read_text("utf-8"))
    os.environ.update(told["environment"])
    os.umask(0o077)
    log = Path(told["log"])
    if log.exists() and log.stat().st_size > _MOST_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as kept:
        # what children print, too
        os.dup2(kept.fileno(), 1)
        os.dup2(kept.fileno(), 2)
    sys.argv = ["kodomo", *told["arguments"]]
    runpy.run_module("kodomo_assets", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
