"""The command line's help and complaints in Japanese, with a few words of English for developers."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

#: What argparse says -> what staff read; what they typed is never repeated: it may be somebody's number.
_COMPLAINTS = (
    (r"the following arguments are required: (.+)", "足りないものがあります：{} (required)"),
    (
        r"argument コマンド: invalid choice: .+ \(choose from (.+)\)",
        "そのコマンドはありません。あるのは：{} (no such command)",
    ),
    (r"argument (.+): expected one argument", "{} のあとに値が要ります (expected one argument)"),
    (r"argument (.+): invalid \w+ value: .+", "{} の値が正しくありません (invalid value)"),
    (r"argument (.+): not allowed with argument (.+)", "{} と {} は同時に使えません (not allowed together)"),
    (r"argument (.+): ignored explicit argument .+", "{} に値は付けられません (takes no value)"),
    (r"ambiguous option: (--[\w-]+).* could match (.+)", "{} は次のどれか分かりません：{} (ambiguous option)"),
    (r"unrecognized arguments: (.+)", "余分なものがあります：{0} (unrecognized arguments: {0})"),
)


class _Formatter(argparse.HelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "使い方：" if prefix is None else prefix)


class _Commands(argparse._SubParsersAction):
    """What a list of commands says of one stands above its own help too."""

    def add_parser(self, name: str, **given: Any) -> Any:
        return super().add_parser(name, **{"description": given.get("help"), **given})


class Parser(argparse.ArgumentParser):
    """A parser whose help and errors staff can read; the parsers of its commands are of this class too."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"formatter_class": _Formatter, **given, "add_help": False})
        self.register("action", "parsers", _Commands)
        self._positionals.title, self._optionals.title = "引数", "オプション"
        self.add_argument("-h", "--help", action="help", help="この説明を表示して終わる")

    def add_commands(self, dest: str) -> Any:
        """Where the commands below this one are added; one of them has to be given."""
        return self.add_subparsers(dest=dest, required=True, title="コマンド", metavar="コマンド")

    def error(self, message: str) -> NoReturn:
        for pattern, japanese in _COMPLAINTS:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                message = japanese.format(*found.groups())
                break
        super().error(message)
