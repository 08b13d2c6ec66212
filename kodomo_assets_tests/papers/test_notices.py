"""要対応.txt and its mail: told once, told again when it changes, and that it is over; tried again where it fails."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import errno
import os
import smtplib
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kodomo_assets.catalogue import Catalogue, load_catalogue
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.refreshing import notices
from kodomo_assets.refreshing.notices import drop_notices, tell_notice

DAY = dt.date(2025, 4, 1)


class Server(socketserver.ThreadingTCPServer):
    """As much of an SMTP server as a client needs; ``refuses``: takes no message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mails: list[tuple[list[str], str, str]] = []
        self.refuses = False
        self.unknown = ""
        self.ponders: threading.Event | None = None

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        def say(line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        to: list[str] = []
        say("220 test")
        for raw in self.rfile:
            word = raw.decode().strip()
            if word.upper().startswith("RCPT"):
                address = word.partition("<")[2].rstrip(">")
                if address == self.server.unknown:
                    say("550 no")
                    continue
                to.append(address)
            if word.upper() == "DATA":
                say("354 go on")
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.removeprefix(b"."))
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                self.server.mails.append((to, str(message["Subject"]), message.get_content()))
                if self.server.ponders is not None:
                    self.server.ponders.wait(60)
            say("554 no" if self.server.refuses and word.upper().startswith("MAIL") else "250 ok")
            if word.upper() == "QUIT":
                return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def city(folder: Path, port: int | None, **more: str) -> Catalogue:
    lines = {
        "server": "127.0.0.1",
        "port": str(port),
        "sender": "kodomo@city.example",
        "to": "[a@city.example, b@city.example]",
    }
    path = folder / "city.yaml"
    path.write_text(
        "{}" if port is None else "notify: {" + ", ".join(f"{k}: {v}" for k, v in (lines | more).items()) + "}", "utf-8"
    )
    return load_catalogue(path)


def lines(folder: Path) -> list[str]:
    return (folder / "要対応.txt").read_bytes().decode("utf-8-sig").splitlines()


def test_without_a_server_the_file_stands_as_long_as_something_is_to_do(tmp_path):
    catalogue = city(tmp_path, None)
    assert tell_notice(catalogue, tmp_path, DAY, ["更新が失敗しました"]) is None
    assert lines(tmp_path) == [
        "要対応　基準日 2025-04-01",
        "・更新が失敗しました",
        "くわしくは、同じフォルダーの 状況.html を見てください。",
    ]
    written = (tmp_path / "要対応.txt").stat()
    assert tell_notice(catalogue, tmp_path, DAY, ["更新が失敗しました"]) is None
    assert (tmp_path / "要対応.txt").stat() == written
    assert tell_notice(catalogue, tmp_path, DAY, []) is None
    assert not (tmp_path / "要対応.txt").exists()


def test_a_mail_goes_out_when_it_appears_changes_and_goes(tmp_path, server):
    catalogue = city(tmp_path, server.port)
    for alarms in (["一"], ["一"], ["一", "二"], ["一", "二"], [], []):
        assert tell_notice(catalogue, tmp_path, DAY, alarms) is None
    assert [subject for _, subject, _ in server.mails] == [
        "kodomo：要対応　基準日 2025-04-01",
        "kodomo：要対応　基準日 2025-04-01",
        "kodomo：要対応　基準日 2025-04-01：なくなりました",
    ]
    assert server.mails[0][0] == ["a@city.example", "b@city.example"]
    assert "・一\n・二" in server.mails[1][2]
    assert not (tmp_path / "要対応.txt").exists()


def test_a_mail_that_cannot_be_sent_is_tried_again(tmp_path, server):
    catalogue = city(tmp_path, server.port)
    server.refuses = True
    for number in (1, 2, 3):
        assert "was not sent (" in (tell_notice(catalogue, tmp_path, DAY, ["一"]) or "")
        assert lines(tmp_path)[-1] == f"メール：まだ送れていません（{number}回）"
        # not at every look: a server that does not answer would take all of its time
        assert f"not sent yet ({number} tries)" in (tell_notice(catalogue, tmp_path, DAY, ["一"]) or "")
        later(tmp_path, hours=1)
    server.refuses = False
    assert tell_notice(catalogue, tmp_path, DAY, ["一"]) is None
    assert lines(tmp_path)[-1] == "メール：送りました"
    assert len(server.mails) == 1
    server.refuses = True
    assert "was not sent" in (tell_notice(catalogue, tmp_path, DAY, []) or "")
    assert (tmp_path / "要対応.txt").exists()
    server.refuses = False
    later(tmp_path, minutes=1)
    assert tell_notice(catalogue, tmp_path, DAY, []) is None
    assert not (tmp_path / "要対応.txt").exists()


def later(folder: Path, **time: float) -> None:
    """The notice as it stands so long after it was written."""
    path = folder / "要対応.txt"
    then = path.stat().st_mtime - dt.timedelta(**time).total_seconds()
    os.utime(path, (then, then))


def test_a_mail_that_was_handed_over_is_sent_however_long_it_is_looked_into(tmp_path, server, monkeypatch):
    monkeypatch.setattr(notices, "_TAKES_WITHIN", 0.05)
    server.ponders = threading.Event()
    assert tell_notice(city(tmp_path, server.port), tmp_path, DAY, ["一"]) is None
    assert lines(tmp_path)[-1] == "メール：送りました"
    server.ponders.set()
    assert tell_notice(city(tmp_path, server.port), tmp_path, DAY, ["一"]) is None
    assert len(server.mails) == 1


def test_what_nobody_was_told_of_ends_without_a_mail(tmp_path, server):
    server.refuses = True
    tell_notice(city(tmp_path, server.port), tmp_path, DAY, ["一"])
    server.refuses = False
    assert tell_notice(city(tmp_path, server.port), tmp_path, DAY, []) is None
    assert server.mails == []
    assert not (tmp_path / "要対応.txt").exists()


def test_a_server_that_is_not_there_stops_nothing(tmp_path):
    told = tell_notice(city(tmp_path, 1), tmp_path, DAY, ["一"]) or ""
    assert "(notify.port: nothing listens there); it is tried again" in told
    assert lines(tmp_path)[1] == "・一"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"to": "[]"}, "without sender or to"),
        ({"user": "kodomo"}, "expected both or none"),
        ({"user": "kodomo", "password_file": "secret"}, "in the clear"),
        ({"to": "['a@b, c@d']"}, "to"),
    ],
)
def test_half_a_configuration_is_refused(tmp_path, more, told):
    with pytest.raises(ConfigurationError, match=told):
        city(tmp_path, 25, **more)


def test_who_was_told_of_any_of_it_is_told_that_it_is_over(tmp_path, server):
    catalogue = city(tmp_path, server.port)
    tell_notice(catalogue, tmp_path, DAY, ["一"])
    server.refuses = True
    tell_notice(catalogue, tmp_path, DAY, ["二"])
    assert lines(tmp_path)[-1] == "メール：前の内容は送りましたが、この内容はまだ送れていません（1回）"
    # mended before the change could be told: the file does not go on telling of it
    tell_notice(catalogue, tmp_path, DAY, [])
    assert lines(tmp_path)[0] == "要対応　基準日 2025-04-01：なくなりました"
    server.refuses = False
    later(tmp_path, minutes=1)
    assert tell_notice(catalogue, tmp_path, DAY, []) is None
    assert [subject.endswith("：なくなりました") for _, subject, _ in server.mails] == [False, True]
    assert not (tmp_path / "要対応.txt").exists()


def test_an_address_that_the_server_does_not_take_is_told(tmp_path, server):
    server.unknown = "b@city.example"
    catalogue = city(tmp_path, server.port)
    assert "1 of the addresses" in (tell_notice(catalogue, tmp_path, DAY, ["一"]) or "")
    assert lines(tmp_path)[-1] == "メール：送りました（受け取られなかった宛先 1 件：notify.to）"
    assert tell_notice(catalogue, tmp_path, DAY, ["一"]) is None
    assert [to for to, *_ in server.mails] == [["a@city.example"]]


def test_a_disk_that_is_full_sends_no_mail_every_minute(tmp_path, server, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as patch:
        patch.setattr(notices, "write_file", full)
        for _ in range(2):
            with pytest.raises(OSError, match=str(errno.ENOSPC)):
                tell_notice(city(tmp_path, server.port), tmp_path, DAY, ["一"])
    assert server.mails == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"security": "tls"}, "notify.security: the server speaks no TLS"),
        ({"security": "starttls"}, "notify.security, notify.user, notify.to: the server cannot do"),
        ({"security": "starttls", "user": "u", "password_file": "open"}, "others may read it"),
    ],
)
def test_what_keeps_a_mail_back_is_told_and_the_file_stands_all_the_same(tmp_path, server, monkeypatch, more, why):
    (tmp_path / "open").write_text("x", "utf-8")
    (tmp_path / "open").chmod(0o644)
    if "password_file" in more:
        monkeypatch.setattr(smtplib.SMTP, "starttls", lambda *_, **__: None)
    assert why in (tell_notice(city(tmp_path, server.port, **more), tmp_path, DAY, ["一"]) or "")
    assert (lines(tmp_path)[1], lines(tmp_path)[-1]) == ("・一", "メール：まだ送れていません（1回）")


def test_of_a_date_that_nobody_waits_for_no_notice_stays(tmp_path):
    for day in (DAY, dt.date(2024, 4, 1)):
        (tmp_path / day.isoformat()).mkdir()
        tell_notice(city(tmp_path, None), tmp_path / day.isoformat(), day, ["一"])
    drop_notices(tmp_path, [DAY])
    assert [path.parent.name for path in tmp_path.glob("*/要対応.txt")] == [DAY.isoformat()]
