"""What every page shares: it works without a network and can reach none (its content security policy)."""

from __future__ import annotations

import base64
import hashlib


def policy(*, style: str, script: str | None = None) -> str:
    """The content security policy under which nothing but exactly this style and this program is taken."""
    programs = f"script-src '{_digest(script)}'; " if script is not None else ""
    return f"default-src 'none'; style-src '{_digest(style)}'; {programs}base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    """The source expression that allows exactly this inline text (Content Security Policy level 3, §2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
