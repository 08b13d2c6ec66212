"""要対応.txt beside 状況.html while something has to be done, and a mail when it appears, says something else or goes.

Of the dates that somebody waits for: the newest with deliveries, and the one that has come since.

What it says is what 状況.html says, in few lines: nothing of anybody. Whether the mail went out stands in the file
itself, so that one that could not be sent is tried again at the next look, and none is sent twice.
"""

from __future__ import annotations

import datetime as dt
import smtplib
import ssl
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from email.message import EmailMessage
from pathlib import Path

from kodomo_assets.catalogue import Catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.store.modes import others_may
from kodomo_assets.store.outbox import remove_file, write_file
from kodomo_assets.vocabulary import STATUS, TO_DO

_SENT, _NOT_SENT = "メール：送りました", "メール：まだ送れていません"
_ANSWERS_WITHIN = 20


def tell_notice(catalogue: Catalogue, folder: Path, day: dt.date, alarms: Sequence[str]) -> str | None:
    """Writes, or takes away, the notice of ``day`` in its outbox ``folder``; why the mail could not be sent.

    Args:
        alarms: what has to be done, a line each; none: nothing has to be.
    """
    path = folder / f"{TO_DO}.txt"
    before = path.read_text("utf-8-sig").splitlines() if path.exists() else []
    head = f"{TO_DO}　基準日 {day}"
    lines = [head, *(f"・{alarm}" for alarm in alarms), f"くわしくは、同じフォルダーの {STATUS}.html を見てください。"]
    told, sent = before[: len(lines)] == lines, _SENT in before
    if alarms and told and (sent or catalogue.notify.server is None):
        return None
    if not alarms:
        if not before:
            return None
        lines = [f"{head}：なくなりました"]
        if not sent:
            # nobody was told of it
            remove_file(path)
            return None
    problem = _mail(catalogue, lines) if catalogue.notify.server is not None else None
    if not alarms:
        if problem is None:
            remove_file(path)
        return problem
    last = [] if catalogue.notify.server is None else [_SENT if problem is None else _NOT_SENT]
    # Windows' editor takes UTF-8 without a mark for another code
    write_file(path, "\r\n".join([*lines, *last, ""]).encode("utf-8-sig"))
    return problem


def drop_notices(outbox: Path, kept: Collection[dt.date]) -> None:
    """Takes the notices of other dates away: a newer one has come, and nobody waits for them any more."""
    names = {day.isoformat() for day in kept}
    for path in outbox.glob(f"*/{TO_DO}.txt"):
        if path.parent.name not in names:
            remove_file(path)


def _mail(catalogue: Catalogue, lines: Sequence[str]) -> str | None:
    """Sends the lines; why it could not."""
    notify = catalogue.notify
    message = EmailMessage()
    message["Subject"] = f"kodomo：{lines[0]}"
    message["From"], message["To"] = str(notify.sender), ", ".join(notify.to)
    message.set_content("\n".join(lines) + "\n")
    try:
        with closing(_connected(catalogue)) as server:
            if notify.password_file is not None:
                server.login(str(notify.user), _password(notify.password_file))
            server.send_message(message)
            # the mail is out by now, whatever the server answers to a goodbye
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
    except (OSError, smtplib.SMTPException) as error:
        why = explain(error) or type(error).__name__
        return f"notify.server: the mail to {len(notify.to)} addresses was not sent ({why}); it is tried again"
    return None


def _connected(catalogue: Catalogue) -> smtplib.SMTP:
    notify, context = catalogue.notify, ssl.create_default_context()
    if notify.security == "tls":
        return smtplib.SMTP_SSL(str(notify.server), notify.port, timeout=_ANSWERS_WITHIN, context=context)
    server = smtplib.SMTP(str(notify.server), notify.port, timeout=_ANSWERS_WITHIN)
    if notify.security == "starttls":
        server.starttls(context=context)
    return server


def _password(path: Path) -> str:
    if others := others_may(path):
        raise ConfigurationError(f"notify.password_file: others may read it ({others}), expected its owner only")
    return path.read_text("utf-8").partition("\n")[0].strip()
