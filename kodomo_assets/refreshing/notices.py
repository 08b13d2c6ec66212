"""要対応.txt beside 状況.html while something has to be done, and a mail when it appears, says something else or goes.

Of the dates that somebody waits for: the newest with deliveries, and the one that has come since.

What it says is what 状況.html says, in few lines: nothing of anybody. Whether the mail went out stands in the file
itself, so that one that could not be sent is tried again at the next look, and none is sent twice.
"""

from __future__ import annotations

import datetime as dt
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.store.modes import others_may
from kodomo_assets.store.outbox import remove_file, write_file
from kodomo_assets.vocabulary import STATUS, TO_DO

# the last line of the file, where mails are sent
_SENT = "メール：送りました"
_NOT_SENT = "メール：まだ送れていません"
_CHANGE_NOT_SENT = "メール：前の内容は送りましたが、この内容はまだ送れていません"
# a look has a minute, for two notices, and a server may have two addresses
_ANSWERS_WITHIN = 8
# what looks into a mail before it says that it takes it may need longer; it has it by then
_TAKES_WITHIN = 15
# after the first, second, third ... try that failed
_TRIED_AGAIN = (dt.timedelta(minutes=1), dt.timedelta(minutes=5), dt.timedelta(minutes=20), dt.timedelta(hours=1))


def tell_notice(catalogue: Catalogue, folder: Path, day: dt.date, alarms: Sequence[str]) -> str | None:
    """Writes, or takes away, the notice of ``day`` in its outbox ``folder``; why not everybody got the mail.

    It is written before it is mailed: on a full disk nobody gets the same mail every minute. That it is over is told
    to whoever was told of any of it, and the file says so until then.

    Args:
        alarms: what has to be done, a line each; none: nothing has to be.
    """
    path = folder / f"{TO_DO}.txt"
    before, state = _read(path)
    mails, told = catalogue.notify.server is not None, state in (_SENT, _CHANGE_NOT_SENT)
    if not alarms and not (mails and told):
        remove_file(path)
        return None
    head = f"{TO_DO}　基準日 {day}"
    where = f"くわしくは、同じフォルダーの {STATUS}.html を見てください。"
    lines = [head, *(f"・{alarm}" for alarm in alarms), where] if alarms else [f"{head}：なくなりました"]
    if before == lines and (state == _SENT or not mails):
        return None
    pending = (_CHANGE_NOT_SENT if told else _NOT_SENT) if mails else None
    # what it says anew is tried at once
    tries = _tries(path) if (before, state) == (lines, pending) else 0
    if not tries:
        _write(path, lines, pending)
    if pending is None:
        return None
    if tries and time.time() - path.stat().st_mtime < _pause(tries).total_seconds():
        return f"the mail was not sent yet ({tries} tries); it is tried again within {_pause(tries)}"
    try:
        refused = _mail(catalogue, lines)
    except (OSError, smtplib.SMTPException, ConfigurationError) as error:
        _write(path, lines, f"{pending}（{tries + 1}回）")
        return f"the mail to {len(catalogue.notify.to)} addresses was not sent ({_why(error)}); it is tried again"
    if alarms:
        _write(path, lines, f"{_SENT}（受け取られなかった宛先 {refused} 件：notify.to）" if refused else _SENT)
    else:
        remove_file(path)
    return f"the server took {refused} of the addresses not: look at notify.to" if refused else None


def mail_alone(catalogue: Catalogue, lines: Sequence[str]) -> None:
    """What cannot be written, to those who get the notices; nothing where no mail is sent.

    Raises:
        OSError, SMTPException, ConfigurationError: nobody got it.
    """
    if catalogue.notify.server is not None:
        _mail(catalogue, [TO_DO, *lines])


def _read(path: Path) -> tuple[list[str], str | None]:
    """What the notice says, and its state; nothing where there is none."""
    if not path.exists():
        return [], None
    lines = path.read_text("utf-8-sig").splitlines()
    state = next((one for one in (_SENT, _NOT_SENT, _CHANGE_NOT_SENT) if lines and lines[-1].startswith(one)), None)
    return (lines if state is None else lines[:-1]), state


def unsent_notices(outbox: Path) -> list[Path]:
    """Those of which a mail was tried and could not be sent."""
    return [path for path in sorted(outbox.glob(f"*/{TO_DO}.txt")) if _tries(path)]


def _tries(path: Path) -> int:
    """How often its mail was tried in vain."""
    found = re.search(r"（(\d+)回）\s*$", path.read_text("utf-8-sig"))
    return int(found[1]) if found else 0


def _pause(tries: int) -> dt.timedelta:
    return _TRIED_AGAIN[min(tries, len(_TRIED_AGAIN)) - 1]


def _write(path: Path, lines: Sequence[str], state: str | None) -> None:
    # Windows' editor takes UTF-8 without a mark for another code
    write_file(path, "\r\n".join([*lines, *([] if state is None else [state]), ""]).encode("utf-8-sig"))


def drop_notices(outbox: Path, kept: Collection[dt.date]) -> None:
    """Takes the notices of other dates away: a newer one has come, and nobody waits for them any more."""
    names = {day.isoformat() for day in kept}
    for path in outbox.glob(f"*/{TO_DO}.txt"):
        if path.parent.name not in names:
            remove_file(path)


def _mail(catalogue: Catalogue, lines: Sequence[str]) -> int:
    """Sends the lines; how many of the addresses the server did not take.

    Raises:
        OSError, SMTPException, ConfigurationError: nobody got it.
    """
    notify = catalogue.notify
    message = EmailMessage()
    message["Subject"] = f"kodomo：{lines[0]}"
    message["From"], message["To"] = str(notify.sender), ", ".join(notify.to)
    message.set_content("\n".join(lines) + "\n")
    with closing(_connected(catalogue)) as server:
        if notify.password_file is not None:
            server.login(str(notify.user), _password(notify.password_file))
        refused = server.send_message(message)
        # the mail is out by now, whatever the server answers to a goodbye
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
    return len(refused)


#: What a mail failed of -> which setting to look at; the first that fits. What the server said may hold an address.
_WHY: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (ssl.SSLCertVerificationError, "notify.server: this machine does not know who signed its certificate, or its name"),
    (ssl.SSLError, "notify.security: the server speaks no TLS at notify.port, or another"),
    (socket.gaierror, "notify.server: no machine of this name is known"),
    (ConnectionRefusedError, "notify.port: nothing listens there"),
    (smtplib.SMTPAuthenticationError, "notify.user: the server does not take it with this password"),
    (smtplib.SMTPSenderRefused, "notify.sender, notify.security: the server takes no mail from it on this connection"),
    (smtplib.SMTPRecipientsRefused, "notify.to: the server takes none of them"),
    (
        smtplib.SMTPNotSupportedError,
        "notify.security, notify.user, notify.to: the server cannot do what one asks",
    ),
    ((TimeoutError, smtplib.SMTPServerDisconnected), f"notify.server: no answer within {_ANSWERS_WITHIN} seconds"),
)


def _why(error: Exception) -> str:
    known = next((text for kind, text in _WHY if isinstance(error, kind)), None)
    if known is None and isinstance(error, smtplib.SMTPResponseException):
        return f"notify.server: it answered {error.smtp_code}"
    if isinstance(error, ConfigurationError):
        return str(error)
    return known or explain(error) or type(error).__name__


class _Taken(smtplib.SMTP):
    """A mail that was handed over whole counts as sent, however long the server looks into it: else it went out again
    at every look."""

    _replies: int | None = None

    def data(self, msg: Any) -> tuple[int, bytes]:
        self._replies = 0
        try:
            return super().data(msg)
        finally:
            self._replies = None

    def getreply(self) -> tuple[int, bytes]:
        if self._replies is None:
            return super().getreply()
        self._replies += 1
        if self._replies > 1 and self.sock is not None:
            self.sock.settimeout(_TAKES_WITHIN)
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if self._replies > 1 and isinstance(error.__context__, TimeoutError):
                return 250, b""
            raise


class _TakenOverTls(_Taken, smtplib.SMTP_SSL):
    pass


def _connected(catalogue: Catalogue) -> smtplib.SMTP:
    notify, context = catalogue.notify, ssl.create_default_context()
    if notify.security == "tls":
        return _TakenOverTls(str(notify.server), notify.port, timeout=_ANSWERS_WITHIN, context=context)
    server = _Taken(str(notify.server), notify.port, timeout=_ANSWERS_WITHIN)
    if notify.security == "starttls":
        server.starttls(context=context)
    return server


def _password(path: Path) -> str:
    if others := others_may(path):
        raise ConfigurationError(
            "{key}: others may read it ({others}), expected its owner only", key="notify.password_file", others=others
        )
    return path.read_text("utf-8").partition("\n")[0].strip()
