"""``wheelhouse``: one archive that installs the product on a machine without internet, made from a checkout with it.

It holds the wheels of ``requirements.lock`` for every target, the product's own wheel, a lock with their SHA-256 that
looks nowhere but in the archive, the same of the locks of what is installed besides (``MORE_LOCKS``), the documents,
what a host of many cities is set up with, and the checksums of all. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from kodomo_assets.errors import ConfigurationError
from kodomo_assets.vocabulary import INSTALL_GUIDE

LOCK, SUMS = "requirements.lock", "SHA256SUMS"
#: What is installed besides by who wants it: encryption, a host of many cities.
MORE_LOCKS = ("requirements-encryption.lock", "requirements-host.lock")
_WHEELS = "wheels"
_PACKAGE = "kodomo_assets"
#: What the product's own wheel is built from, and what is carried beside it to be read.
_SOURCES = (_PACKAGE, "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_DOCUMENTS = ("README.md", "README.ja.md", "CHANGELOG.md", "LICENSE")
#: What a host of many cities is set up with (docs/hosts.md).
_DEPLOY = "deploy"
#: The first day that a zip can name: no clock of the machine that makes the archive is in it.
_NO_DAY = (1980, 1, 1, 0, 0, 0)
_NO_DAY_SECONDS = "315532800"
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
# pip says "not found" of a registry that does not answer, too
_UNREACHABLE = re.compile(r"Retrying \(|connection error|NewConnectionError", re.IGNORECASE)
_HEAD = """\
# {archive}: the commands of {guide} install exactly these files, from the folder {wheels} beside this one and from
# nowhere else. Made of the requirements.lock of this version; every wheel is held against its SHA-256.
--no-index
--find-links {wheels}
--require-hashes
"""


@dataclass(frozen=True)
class Target:
    """A kind of machine with one version of Python: what its markers say, and which wheels it takes."""

    name: str
    python: str
    markers: Mapping[str, str]
    platforms: Sequence[str]

    @property
    def label(self) -> str:
        return f"{self.name}, Python {self.python}"

    def takes(self, requirement: Requirement) -> bool:
        """Whether the lock wants ``requirement`` there, at whatever patch level of its Python."""
        if requirement.marker is None:
            return True
        minor = {**self.markers, **_CPYTHON, "python_version": self.python}
        levels = [f"{self.python}.{patch}" for patch in (0, 99)]
        return any(
            requirement.marker.evaluate({**minor, "python_full_version": level, "implementation_version": level})
            for level in levels
        )


_CPYTHON = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_version": "",
}
_PYTHONS = ("3.11", "3.12", "3.13")
# glibc 2.28 and later: RHEL 8, Debian 10, Ubuntu 20.04
_LINUX = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)),
    *(f"manylinux{old}_x86_64" for old in ("2014", "2010", "1")),
)
_LINUX_SAYS = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
_WINDOWS_SAYS = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"}
TARGETS = tuple(
    Target(name, python, markers, platforms)
    for name, markers, platforms in (
        ("Linux x86_64", _LINUX_SAYS, _LINUX),
        ("Windows amd64", _WINDOWS_SAYS, ("win_amd64",)),
    )
    for python in _PYTHONS
)


def make_wheelhouse(
    checkout: Path, folder: Path, tell: Callable[[str], None], targets: Sequence[Target] = TARGETS
) -> Path:
    """Makes the archive in ``folder``, with its checksum beside it; one of the same version there is replaced.

    Raises:
        ConfigurationError: ``checkout`` lacks something, a wheel is not to be had for a target (all are named), or pip
            fails. Nothing is written then.
    """
    _require(checkout)
    requirements = read_lock(checkout / LOCK)
    more = {name: read_lock(checkout / name) for name in MORE_LOCKS}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".wheelhouse-", dir=folder) as scratch:
        wheels = Path(scratch) / _WHEELS
        wheels.mkdir()
        own = _build(checkout, Path(scratch) / "build", wheels)
        everything = list(dict.fromkeys([*requirements, *(one for lock in more.values() for one in lock)]))
        _download(everything, targets, wheels, tell)
        version = parse_wheel_filename(own)[1]
        name = f"{_PACKAGE}-{version}"
        itself = _hashed(Requirement(f"{_PACKAGE}=={version}"), [wheels / own])
        locks = {
            LOCK: [*locked(requirements, wheels, targets), itself],
            **{name: locked(lock, wheels, targets) for name, lock in more.items()},
        }
        head = _HEAD.format(archive=name, guide=INSTALL_GUIDE, wheels=_WHEELS)
        written = {lock: (head + "\n".join([*lines, ""])).encode() for lock, lines in locks.items()}
        part = Path(scratch) / f"{name}.zip"
        _pack(part, name, {**written, **_carried(checkout, wheels)})
        archive = folder / f"{name}-offline.zip"
        part.replace(archive)
    digest = _sha256(archive)
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", "utf-8", newline="\n")
    return archive


def read_lock(path: Path) -> list[Requirement]:
    """The requirements of a lock, each pinned to one version.

    Raises:
        ConfigurationError: one is not pinned.
    """
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if [part.operator for part in requirement.specifier] != ["=="]:
            raise ConfigurationError(
                "{file}: line {number}: found {found!r}, expected one version (name==version)",
                file=path.name,
                number=number,
                found=line,
            )
        found.append(requirement)
    return found


def locked(requirements: Iterable[Requirement], wheels: Path, targets: Sequence[Target]) -> list[str]:
    """The lines of the lock that some target takes, each with the SHA-256 of all its wheels in ``wheels``.

    Raises:
        ConfigurationError: a line has no wheel there.
    """
    wanted = [one for one in requirements if any(target.takes(one) for target in targets)]
    of = {str(one): [path for path in sorted(wheels.iterdir()) if _is_of(path, one)] for one in wanted}
    without = [line for line, paths in of.items() if not paths]
    if without:
        raise ConfigurationError("wheelhouse: no wheel of {names} was downloaded", names=", ".join(without))
    return [_hashed(one, of[str(one)]) for one in wanted]


def _require(checkout: Path) -> None:
    guide = Path("docs") / INSTALL_GUIDE
    wanted = (LOCK, *MORE_LOCKS, *_SOURCES, *_DOCUMENTS, _DEPLOY, guide)
    missing = [str(name) for name in wanted if not (checkout / name).exists()]
    if missing:
        raise ConfigurationError(
            "wheelhouse: {checkout}: lacks {names}; expected a checkout of the project, on a machine with internet: "
            "give the command there. What is installed from an archive makes no new one",
            checkout=checkout,
            names=", ".join(dict.fromkeys(missing)),
        )


def _build(checkout: Path, copy: Path, wheels: Path) -> str:
    """The name of the product's own wheel, built from a copy: what lies in build/ of a checkout may be of before."""
    copy.mkdir()
    for name in _SOURCES:
        if (checkout / name).is_dir():
            shutil.copytree(checkout / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(checkout / name, copy / name)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(copy))
    built = [path.name for path in wheels.iterdir()]
    if done.returncode or len(built) != 1:
        raise ConfigurationError("wheelhouse: the product's own wheel was not built: {why}", why=_last(done))
    return built[0]


def _download(
    requirements: Sequence[Requirement], targets: Sequence[Target], wheels: Path, tell: Callable[[str], None]
) -> None:
    missing = []
    for target in targets:
        taken = [one for one in requirements if target.takes(one)]
        wanted: dict[str, str] = {canonicalize_name(one.name): f"{one.name}{one.specifier}" for one in taken}
        tell(f"{target.label}: {len(wanted)} wheels")
        missing += [f"{name} ({target.label})" for name in _not_found(target, wanted, wheels)]
    if missing:
        raise ConfigurationError(
            "wheelhouse: no wheel is to be had of {names}; expected one of each: no archive was made. Take another "
            "version of it into requirements.lock (make lock)",
            names=", ".join(missing),
        )


def _not_found(target: Target, wanted: Mapping[str, str], wheels: Path) -> Iterator[str]:
    """Downloads what ``target`` wants; pip names one missing wheel at a time, and is asked again without it."""
    left = dict(wanted)
    where = [word for platform in target.platforms for word in ("--platform", platform)]
    kind = ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", target.python]
    while left:
        done = _pip("download", *kind, *where, "--dest", str(wheels), *left.values())
        if not done.returncode:
            return
        found = _NOT_FOUND.search(done.stderr)
        name = canonicalize_name(Requirement(found[1]).name) if found else None
        if name not in left or _UNREACHABLE.search(done.stderr):
            raise ConfigurationError(
                "wheelhouse: {target}: pip could not download: {why}", target=target.label, why=_last(done)
            )
        yield left.pop(name)


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check", "--no-input"],
        env={**os.environ, "SOURCE_DATE_EPOCH": _NO_DAY_SECONDS},
        capture_output=True,
        text=True,
        check=False,
    )


def _last(done: subprocess.CompletedProcess[str]) -> str:
    """The last error that pip told."""
    told = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in told if line.startswith("ERROR")] or told or ["it said nothing"]
    return errors[-1].removeprefix("ERROR: ")


def _is_of(wheel: Path, requirement: Requirement) -> bool:
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return name == canonicalize_name(requirement.name) and version in requirement.specifier


def _hashed(requirement: Requirement, wheels: Iterable[Path]) -> str:
    return " ".join([str(requirement), *(f"--hash=sha256:{digest}" for digest in sorted(map(_sha256, wheels)))])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _carried(checkout: Path, wheels: Path) -> dict[str, bytes | Path]:
    """Name in the archive -> what lies there. The guide lies on top too, where it is seen."""
    return {
        **{f"{_WHEELS}/{path.name}": path for path in wheels.iterdir()},
        **{name: checkout / name for name in _DOCUMENTS},
        **{
            path.relative_to(checkout).as_posix(): path
            for folder in ("*.md", "ja/**/*.md")
            for path in (checkout / "docs").glob(folder)
        },
        **{path.relative_to(checkout).as_posix(): path for path in (checkout / _DEPLOY).rglob("*") if path.is_file()},
        INSTALL_GUIDE: checkout / "docs" / INSTALL_GUIDE,
    }


def _pack(target: Path, folder: str, carried: Mapping[str, bytes | Path]) -> None:
    sums = []
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(carried.items()):
            digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else _sha256(content)
            sums.append(f"{digest}  {name}")
            _add(archive, f"{folder}/{name}", content)
        _add(archive, f"{folder}/{SUMS}", ("\n".join(sums) + "\n").encode())


def _add(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    entry = zipfile.ZipInfo(name, _NO_DAY)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    # wheels are compressed already
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as there:
        if isinstance(content, bytes):
            there.write(content)
        else:
            with content.open("rb") as file:
                shutil.copyfileobj(file, there, 1 << 20)
