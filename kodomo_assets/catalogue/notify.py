"""Whom the product tells by mail that something has to be done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kodomo_assets.catalogue.base import Model
from kodomo_assets.errors import Said

Address = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", title="mail address")]


class Notify(Model):
    """Mail through a server of the city's own network, beside `要対応.txt`."""

    server: str | None = Field(description="SMTP server of the city's network; empty: no mail is sent")
    port: int = Field(ge=1, le=65535, description="its port")
    security: Literal["none", "starttls", "tls"] = Field(
        description="how the connection is secured; `none` only where no password is sent"
    )
    sender: Address | None = Field(description="from whom; needed with `server`")
    to: tuple[Address, ...] = Field(description="to whom; needed with `server`")
    user: str | None = Field(description="account at the server, where it wants one")
    password_file: Path | None = Field(
        description="file with its password in the first line, relative to `city.yaml`, mode 0600"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.server is not None and (self.sender is None or not self.to):
            raise ValueError(Said("server is given without sender or to: expected all three, or no server"))
        if (self.user is None) != (self.password_file is None):
            raise ValueError(Said("user and password_file: expected both or none"))
        if self.user is not None and self.security == "none":
            raise ValueError(
                Said("a password would go through the network in the clear: expected security starttls or tls")
            )
        return self
