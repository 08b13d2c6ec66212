"""The configuration of this installation: the defaults with its city.yaml, which must not get lost without a word.

A file that was emptied by a full disk, renamed by an editor or taken away leaves the defaults, which are those of no
city: every school is screened, every paper is blank, and no mail goes out any more.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kodomo_assets.catalogue import Catalogue, given_in, load_catalogue
from kodomo_assets.errors import ConfigurationError, Said
from kodomo_assets.settings import Settings
from kodomo_assets.store.outbox import write_into


def load_own(settings: Settings) -> Catalogue:
    """The catalogue with the city's own file, of which a copy is kept beside it.

    Raises:
        ConfigurationError: as ``load_catalogue``; or the file is gone or empty, and was read before.
    """
    kept, overlay = settings.kept_overlay, settings.overlay
    catalogue = load_catalogue(overlay)
    given = None if overlay is None else given_in(overlay)
    if given is None and kept.is_file():
        raise ConfigurationError(
            "{file}: {state}, but this installation was refreshed with settings of its own, of which {kept} beside it "
            "is a copy; expected the file: put it back, or write {{}} into it where the defaults are to hold",
            file=kept.name.removeprefix(".").removesuffix(".last"),
            state=Said("is not there") if overlay is None else Said("is empty"),
            kept=kept.name,
        )
    # who may not write there refreshes nothing
    with suppress(OSError):
        _keep(kept, overlay.read_bytes() if overlay is not None and given else None)
    return catalogue


def _keep(kept: Path, content: bytes | None) -> None:
    if content is None:
        kept.unlink(missing_ok=True)
    elif not kept.is_file() or kept.read_bytes() != content:
        write_into(kept, content)


def load_kept(settings: Settings) -> Catalogue:
    """The catalogue as it could be loaded last; the defaults where there is no copy of the city's file."""
    kept = settings.kept_overlay
    try:
        return load_catalogue(kept if kept.is_file() else None)
    except ConfigurationError:
        # of another version of the program
        return load_catalogue()
