"""Files that hold a key: the owner's only, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from kodomo_assets.errors import KeyFileError, Said
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.store.modes import make_private, others_may
from kodomo_assets.store.outbox import link_new

_REFUSED = Said("the system refuses, and does not say why")


def read_key_file(path: Path, what: Said, variable: str, harm: Said) -> bytes:
    """The content of ``path``.

    Args:
        what: of which key a message tells; ``variable`` names the file, ``harm`` is what who has read it can do.

    Raises:
        KeyFileError: there is none, it cannot be read, or others than its owner may read it.
    """
    try:
        others = others_may(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(
            "{path}: is missing, expected the {what} ({variable}): put it back from where it is kept, or connect the "
            "disk that it lies on",
            path=path,
            what=what,
            variable=variable,
        ) from None
    except OSError as error:
        raise KeyFileError(
            "{path}: the {what} cannot be read: {why}", path=path, what=what, why=explain(error) or _REFUSED
        ) from None
    if others:
        raise KeyFileError(
            "{path}: others may read the {what} ({others}), expected its owner only. {harm}: `chmod 600` it, and find "
            "out who could",
            path=path,
            what=what,
            others=others,
            harm=harm,
        )
    return content


def unfinished(path: Path) -> Path:
    """Where the key file ``path`` is written before it is whole."""
    return path.with_name(f".{path.name}.new")


def write_key_file(path: Path, text: str, what: Said, *, instead: bool = False) -> None:
    """Writes ``text`` to ``path``, mode 0600: whole or not at all, and over one that is there only if ``instead``.

    Raises:
        KeyFileError: it cannot be written there.
    """
    # one name: the next start, which holds the same lock, writes over what a killed one left
    new = unfinished(path)
    try:
        if not path.parent.exists() or not any(path.parent.iterdir()):
            # a folder in which other things lie (/etc) is not the key's own
            make_private(path.parent)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if instead:
            os.replace(new, path)  # noqa: PTH105  (named so that a reader sees the atomic swap)
        else:
            link_new(new, path)
    except OSError as error:
        raise KeyFileError(
            "{path}: the {what} cannot be written: {why}", path=path, what=what, why=explain(error) or _REFUSED
        ) from None
