"""Runs a command of ``kodomo`` that kills itself at a given line of a given part of the program.

    python -m benchmarks.inside count refresh 2025-04-01 --anew       # lines run in each part, as JSON, last line
    python -m benchmarks.inside storing 120 0.004 refresh 2025-04-01  # killed 4 ms after the 120th line of `storing`

A moment drawn from a command's duration falls nearly always into what takes long; a part that is over in milliseconds
is hit by its lines. The few milliseconds after a line fall into what it calls: DuckDB, the system.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from types import FrameType
from typing import Any

from kodomo_assets.__main__ import main
from kodomo_assets.settings import project_root

#: Part -> the modules that do it.
PARTS = {
    "reading": ("stages/sources/", "office/opening.py", "office/formats/"),
    "storing": ("store/tables.py",),
    "writing files": ("store/outbox.py", "office/written.py"),
    "publishing": ("store/publish.py",),
    "migrating": ("store/migrate.py",),
}
_PACKAGE = str(project_root() / "kodomo_assets") + os.sep


class Watch:
    """Counts the lines of parts as they run; of one part, kills the process at its line number ``last``."""

    def __init__(self, part: str | None, last: int, wait: float) -> None:
        self.part, self.last, self.wait = part, last, wait
        self.lines: Counter[str] = Counter()
        self._parts: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, _event: str, _argument: object) -> Any:
        """What ``sys.settrace`` asks at each call: only the parts' own lines are followed."""
        part = self._part(frame.f_code.co_filename)
        if part is None or self.part not in (None, part):
            return None

        def line(_frame: FrameType, event: str, _argument: object) -> Any:
            if event == "line":
                self.lines[part] += 1
                if self.part is not None and self.lines[part] == self.last:
                    self._kill()
            return line

        return line

    def _part(self, file: str) -> str | None:
        if file not in self._parts:
            inner = file.removeprefix(_PACKAGE) if file.startswith(_PACKAGE) else ""
            self._parts[file] = next(
                (part for part, places in PARTS.items() if inner and inner.startswith(places)), None
            )
        return self._parts[file]

    def _kill(self) -> None:
        if not self.wait:
            os.kill(os.getpid(), signal.SIGKILL)
        # Another thread, since the next line may be one long call.
        timer = threading.Timer(self.wait, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()


if __name__ == "__main__":
    counting = sys.argv[1] == "count"
    watch = Watch(None, 0, 0) if counting else Watch(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    threading.settrace(watch)
    sys.settrace(watch)
    code = main(sys.argv[2:] if counting else sys.argv[4:])
    if counting:
        sys.settrace(None)
        print(json.dumps(watch.lines), flush=True)
    sys.exit(code)
