"""The configuration of this installation: the defaults with its city.yaml, which must not get lost without a word.

A file that was emptied by a full disk, renamed by an editor or taken away leaves the defaults, which are those of no
city: every school is screened, every paper is blank, and no mail goes out any more.
"""

from __future__ import annotations

from contextlib import suppress

import yaml

from kodomo_assets.catalogue import Catalogue, given_in, load_catalogue
from kodomo_assets.errors import ConfigurationError, Said
from kodomo_assets.settings import Settings
from kodomo_assets.store.outbox import write_into


def load_own(settings: Settings) -> Catalogue:
    """The catalogue with the city's own file.

    Raises:
        ConfigurationError: as ``load_catalogue``; or the file is gone or empty, and ``keep_own`` kept one.
    """
    kept, overlay = settings.kept_overlay, settings.overlay
    catalogue = load_catalogue(overlay)
    if kept.is_file() and (overlay is None or given_in(overlay) is None):
        raise ConfigurationError(
            "{file}: {state}, but this installation was refreshed with settings of its own, of which {kept} beside it "
            "is a copy; expected the file: put it back, or write {{}} into it where the defaults are to hold",
            file=kept.name.removeprefix(".").removesuffix(".last"),
            state=Said("is not there") if overlay is None else Said("is empty"),
            kept=kept.name,
        )
    return catalogue


def keep_own(settings: Settings) -> None:
    """Keeps a copy of the city's own file beside it: what is stored from now on was made under it."""
    overlay = settings.overlay
    # it was loaded a moment ago; whoever edits it is not stopped, and who may not write there keeps none
    with suppress(OSError, ValueError, yaml.YAMLError):
        if overlay is None or (given := given_in(overlay)) is None:
            return
        content = overlay.read_bytes()
        if not given:
            settings.kept_overlay.unlink(missing_ok=True)
        elif not settings.kept_overlay.is_file() or settings.kept_overlay.read_bytes() != content:
            write_into(settings.kept_overlay, content)


def load_kept(settings: Settings) -> Catalogue:
    """The catalogue as it could be loaded last; the defaults where there is no copy of the city's file."""
    kept = settings.kept_overlay
    try:
        return load_catalogue(kept if kept.is_file() else None)
    except ConfigurationError:
        # of another version of the program
        return load_catalogue()
