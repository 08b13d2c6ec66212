"""What a workbook's file is made of, looked at before any library opens it: its kind, password, size and entities.

A workbook is a zip of XML parts (.xlsx, .xlsm) or an OLE file (.xls, and every encrypted one). Both come from outside.
"""

from __future__ import annotations

import codecs
import io
import posixpath
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat

import msoffcrypto
from defusedxml import ElementTree
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.office.formats.number_formats import percent_styles
from kodomo_assets.office.problems import FileRefusedError, SheetPlace, refuse

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_OWNER_ONLY = 0o077
# Excel hashes a password 100,000 times; a file may ask for four billion rounds.
_MAX_SPIN_COUNT = 1_000_000
_PIECE, _LOOK = 1 << 20, 1 << 12
_XML = (b"<", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_RELATIONSHIPS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_DOCUMENT, _STYLES = "/officeDocument", "/styles"


def decrypted(content: bytes, name: str, password_file: Path | None) -> bytes:
    """The workbook without its password; ``content`` itself where it has none.

    Raises:
        FileRefusedError: no workbook, or the password is wanting or wrong.
        ConfigurationError: the password file cannot be read or is open to others.
    """
    if not content.startswith((ZIP, OLE)):
        raise refuse(name, "not_a_workbook", "is no Excel workbook by its first bytes; open it and save it as .xlsx")
    if content.startswith(ZIP):
        return content
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(content))
        encrypted = office.is_encrypted()
    except DecryptionError:
        raise refuse(
            name, "unsafe_workbook", "its encryption is none that Excel writes, expected a file as Excel saves it"
        ) from None
    except Exception:
        # .xls in a form that only xlrd knows: it says what is wrong
        return content
    if not encrypted:
        return content
    if password_file is None:
        raise refuse(
            name,
            "password_needed",
            "is protected by a password, expected one in password_file of the configuration (or a file without one)",
        )
    if getattr(office, "info", None) and int((office.info or {}).get("spinValue", 0)) > _MAX_SPIN_COUNT:
        raise refuse(name, "unsafe_workbook", f"asks for more than {_MAX_SPIN_COUNT:,} rounds of password hashing")
    plain = io.BytesIO()
    try:
        try:
            office.load_key(password=_password(password_file), verify_password=True)
        except DecryptionError:
            # the kinds of encryption whose password cannot be tried beforehand
            office.load_key(password=_password(password_file))
        office.decrypt(plain)
    except InvalidKeyError:
        raise refuse(
            name, "wrong_password", f"its password is not the one in {password_file.name}, expected that one"
        ) from None
    except ConfigurationError:
        raise
    except (FileFormatError, DecryptionError):
        raise refuse(name, "unreadable_workbook", "is encrypted in a way that cannot be read") from None
    except Exception as error:
        raise refuse(name, "unreadable_workbook", f"cannot be decrypted ({type(error).__name__})") from None
    return plain.getvalue()


def _password(path: Path) -> str:
    """The first line of the password file, which nobody but its owner may read."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "password_file {file}: cannot be read ({why})", file=path.name, why=explain(error) or type(error).__name__
        ) from None
    if mode & _OWNER_ONLY:
        raise ConfigurationError("password_file {file}: others may read it, expected mode 0600", file=path.name)
    if not lines or not lines[0]:
        raise ConfigurationError(
            "password_file {file}: is empty, expected the password in its first line", file=path.name
        )
    return lines[0]


class Package:
    """The parts of an .xlsx or .xlsm file, none of which holds more than it says or refers to anything outside."""

    def __init__(self, content: bytes, name: str, max_bytes: int) -> None:
        """Looks at every part once.

        Raises:
            FileRefusedError: no sound zip, too large inside, or an XML part with a document type (entities).
        """
        self.name = name
        self.counts_dates_from_1904 = False
        self._styles: str | None = None
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
            inside = sum(part.file_size for part in self._zip.infolist())
            if inside > max_bytes:
                raise refuse(
                    name,
                    "too_large_inside",
                    f"holds {inside:,} bytes inside, expected at most {max_bytes:,} (ingest.max_workbook_mb)",
                )
            for part in self._zip.infolist():
                self._check_part(part)
            self._sheet_parts = self._find_sheets()
            self.percent_styles = self._find_percent_styles()
        except FileRefusedError:
            raise
        except Exception as error:
            raise refuse(
                name, "unreadable_workbook", f"its contents are damaged ({type(error).__name__}); save it anew in Excel"
            ) from None

    def sheet(self, sheet: SheetPlace) -> bytes:
        """The XML of a worksheet.

        Raises:
            FileRefusedError: the workbook lists the sheet, but does not hold it.
        """
        part = self._sheet_parts.get(sheet.name)
        if part is None:
            raise refuse(
                self.name,
                "unreadable_workbook",
                "the workbook lists the sheet and does not hold it; save it anew in Excel",
                sheet=sheet,
            )
        return self._zip.read(part)

    def _check_part(self, part: zipfile.ZipInfo) -> None:
        """Reads the part to its end (zipfile verifies length and checksum) and looks for a document type."""
        with self._zip.open(part) as file:
            first = file.read(_PIECE)
            # a part is XML by what it holds: its name may be any
            is_xml = first.lstrip().startswith(_XML)
            unsafe = _why_unsafe(first, part.file_size) if is_xml else None
            if unsafe is not None:
                raise refuse(
                    self.name, "unsafe_workbook", f"one of its parts {unsafe}, expected a file as Excel saves it"
                )
            while file.read(_PIECE):
                pass

    def _find_sheets(self) -> Mapping[str, str]:
        """Sheet name -> part, as workbook.xml and its relationships say."""
        names = set(self._zip.namelist())
        book = next(
            (
                target
                for kind, target in self._relations("_rels/.rels", "").values()
                if kind.endswith(_DOCUMENT) and target in names
            ),
            "xl/workbook.xml",
        )
        folder, file = posixpath.split(book)
        relations = self._relations(f"{folder}/_rels/{file}.rels", folder)
        self._styles = next(
            (target for kind, target in relations.values() if kind.endswith(_STYLES) and target in names), None
        )
        found = {}
        for sheet in ElementTree.fromstring(self._zip.read(book)).iter():
            if sheet.tag.endswith("}workbookPr"):
                self.counts_dates_from_1904 = sheet.attrib.get("date1904") in {"1", "true", "on"}
            if not sheet.tag.endswith("}sheet"):
                continue
            relation = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            target = relations.get(relation, ("", ""))[1]
            if target in names:
                found[sheet.attrib["name"]] = target
        return found

    def _find_percent_styles(self) -> frozenset[str]:
        return percent_styles(self._zip.read(self._styles)) if self._styles is not None else frozenset()

    def _relations(self, part: str, folder: str) -> dict[str, tuple[str, str]]:
        """Id -> type and target part, resolved against ``folder``."""
        if part not in self._zip.namelist():
            return {}
        root = ElementTree.fromstring(self._zip.read(part))
        return {
            relation.attrib["Id"]: (
                relation.attrib.get("Type", ""),
                posixpath.normpath(posixpath.join("/", folder, relation.attrib["Target"])).lstrip("/"),
            )
            for relation in root.iter(f"{_RELATIONSHIPS}Relationship")
        }


def _why_unsafe(xml: bytes, size: int) -> str | None:
    """What the beginning of an XML part of ``size`` bytes says that no office's workbook does, or None.

    A document type may hold entities; a count beyond what the part can hold makes a reader reserve memory for it.

    Raises:
        expat.ExpatError: it is no XML.
        ValueError: a count is no number.
    """
    found: list[str | None] = []

    def element(_name: str, attributes: Mapping[str, str]) -> None:
        counts = [int(attributes[name]) for name in ("count", "uniqueCount") if name in attributes and not found]
        found.append("claims more entries than it has room for" if max(counts, default=0) > size else None)

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = lambda *_: found.append("declares a document type (entities)")
    for start in range(0, len(xml), _LOOK):
        if not found:
            parser.Parse(xml[start : start + _LOOK], False)
    return found[0] if found else "does not come to its first element"
