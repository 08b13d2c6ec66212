"""The archive for a machine without internet, of few tiny wheels; the whole one is tried by `make test-offline`."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kodomo_assets import __version__
from kodomo_assets.doors.wheelhouse import TARGETS, make_wheelhouse, read_lock
from kodomo_assets.errors import ConfigurationError
from kodomo_assets_tests.offline import GUIDE, ROOT, attempts, commands

FILES = {
    "kodomo_assets/__init__.py": '__version__ = "9.8"\n',
    "kodomo_assets/page.html": "<p>",
    "setup.cfg": "[metadata]\nname = kodomo_assets\nversion = attr: kodomo_assets.__version__\n[options]\npackages = find:\n"
    "install_requires = everywhere\n[options.package_data]\n* = *.html\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "README.md": "r", "README.ja.md": "日本語", "CHANGELOG.md": "c", "LICENSE": "l",
    "docs/導入手順.md": "手順", "docs/other.md": "o", "docs/ja/page.md": "頁", "docs/templates/none.md": "n",
    "requirements.lock": "# a lock\neverywhere==1.0\nonly-windows==2 ; sys_platform == 'win32'\n"
    "by-python==1 ; python_full_version < '3.12'\nby-python==2 ; python_full_version >= '3.12'\nmac==1 ; sys_platform == 'darwin'\n",
    "requirements-encryption.lock": "cipher==3\n", "requirements-host.lock": "cipher==3\nhosted==4\n",
    "deploy/systemd/a@.service": "[Unit]\n",
}  # fmt: skip
WHEELS = ["everywhere-1.0-py3-none-any", "cipher-3-py3-none-any", "only_windows-2-py3-none-win_amd64", "by_python-1-cp311-cp311-win_amd64", "by_python-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "by_python-2-py3-none-any", "hosted-4-py3-none-any"]  # fmt: skip

# each asks pip once
SOME = (TARGETS[0], TARGETS[1], TARGETS[3])


def wheel(folder: Path, name: str) -> None:
    project, version, *_ = name.split("-")
    info = f"{project}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}.whl", "w") as made:
        made.writestr(f"{project}.py", "")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        made.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {name.split('-', 2)[2]}\n")
        made.writestr(f"{info}/RECORD", "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text(text, "utf-8")
    return tmp_path / "checkout"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip finds wheels, and looks nowhere else."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for name in WHEELS:
        wheel(folder, name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_every_target_takes_of_the_lock_what_its_own_pip_would():
    lock = read_lock(ROOT / "requirements.lock")
    taken = {target.label: {f"{one.name}{one.specifier}" for one in lock if target.takes(one)} for target in TARGETS}
    assert len(taken) == 6
    for label, wanted in taken.items():
        names = {re.split("==", one)[0] for one in wanted}
        assert len(names) == len(wanted), f"two versions of one name: {label}"
        assert ({"pywin32", "colorama"} <= names, "uvloop" in names) == ("Windows" in label, "Linux" in label)
        assert ("numpy==2.4.6" in wanted) == ("3.11" in label)
    # a lock may tell patch levels apart: whichever the machine has, its wheel is there
    for marker in ("python_full_version <= '3.11.4'", "python_full_version > '3.11.4'"):
        assert TARGETS[0].takes(Requirement(f"x==1 ; {marker}"))
    assert not TARGETS[0].takes(Requirement("x==1 ; python_full_version >= '3.12'"))


def test_the_archive_installs_from_itself_alone_and_is_the_same_each_time(checkout, registry, tmp_path, monkeypatch):
    archive = make_wheelhouse(checkout, tmp_path / "to", print, SOME)
    assert sorted(path.name for path in archive.parent.iterdir()) == [
        f"kodomo_assets-9.8-offline.zip{end}" for end in ("", ".sha256")
    ]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert archive.with_name(f"{archive.name}.sha256").read_text() == f"{digest}  {archive.name}\n"
    (checkout / "build" / "lib" / "kodomo_assets").mkdir(parents=True)
    (checkout / "build" / "lib" / "kodomo_assets" / "deleted_long_ago.py").touch()
    assert make_wheelhouse(checkout, tmp_path / "again", print, SOME).read_bytes() == archive.read_bytes()

    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    unpacked = tmp_path / "kodomo_assets-9.8"
    files = {path.relative_to(unpacked).as_posix(): path for path in unpacked.rglob("*") if path.is_file()}
    wheels = {f"wheels/{name}.whl" for name in (*WHEELS, "kodomo_assets-9.8-py3-none-any")}
    assert set(files) == wheels | {"CHANGELOG.md", "LICENSE", "README.ja.md", "README.md", "SHA256SUMS", "docs/ja/page.md", "docs/other.md", "docs/導入手順.md", "requirements.lock", "requirements-encryption.lock", "requirements-host.lock", "deploy/systemd/a@.service", "導入手順.md"}  # fmt: skip
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").read_text("utf-8").splitlines())
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert "mac" not in files["requirements.lock"].read_text()
    # what encryption needs is there, and only who installs its lock has it
    assert "cipher" not in files["requirements.lock"].read_text()
    assert "cipher==3 --hash=sha256:" in files["requirements-encryption.lock"].read_text()
    for line in ("cipher==3 --hash=sha256:", "hosted==4 --hash=sha256:"):
        assert line in files["requirements-host.lock"].read_text()

    # neither a registry nor another folder is looked at: of the lock, not of the machine's own configuration
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    command = [sys.executable, "-m", "pip", "install", "-r", "requirements.lock", "--target"]
    subprocess.run([*command, str(tmp_path / "site")], cwd=unpacked, check=True, capture_output=True)
    assert (tmp_path / "site" / "kodomo_assets" / "page.html").read_text() == "<p>"
    files["wheels/everywhere-1.0-py3-none-any.whl"].write_bytes((registry / f"{WHEELS[5]}.whl").read_bytes())
    refused = subprocess.run([*command, str(tmp_path / "x")], cwd=unpacked, check=False, capture_output=True, text=True)
    assert "DO NOT MATCH THE HASHES" in refused.stderr


def test_every_wheel_that_is_missing_is_named_and_no_archive_is_made(checkout, registry, tmp_path):
    (registry / f"{WHEELS[2]}.whl").unlink()
    (registry / f"{WHEELS[4]}.whl").unlink()
    with pytest.raises(ConfigurationError) as refused:
        make_wheelhouse(checkout, tmp_path / "to", print, SOME)
    told = re.findall(r"([\w-]+==\d) \(([^)]*)\)", str(refused.value))
    assert told == [
        ("by-python==1", "Linux x86_64, Python 3.11"),
        ("only-windows==2", "Windows amd64, Python 3.11"),
    ]
    assert list((tmp_path / "to").iterdir()) == []


def test_a_registry_that_does_not_answer_is_no_missing_wheel(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for variable, value in {"PIP_RETRIES": "1", "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match="pip could not download"):
        make_wheelhouse(checkout, tmp_path / "to", print, SOME)


def test_what_is_installed_says_that_it_makes_no_archive(tmp_path):
    with pytest.raises(
        ConfigurationError,
        match=r"lacks requirements.lock, requirements-encryption.lock, requirements-host.lock, kodomo_assets, .*expected a checkout",
    ):
        make_wheelhouse(tmp_path, tmp_path / "to", print, SOME)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_leaves_a_version_open_is_refused(tmp_path):
    (tmp_path / "requirements.lock").write_text("a==1\nb>=2\n")
    with pytest.raises(ConfigurationError, match=r"line 2: found 'b>=2'"):
        read_lock(tmp_path / "requirements.lock")


def test_the_guide_names_this_version_and_the_two_commands_of_the_readme():
    guide = GUIDE.read_text("utf-8")
    assert set(re.findall(r"kodomo_assets-(\d+\.\d+\.\d+)", guide)) == {__version__}
    readme = re.findall(
        r"^(python -m venv|\S+python -m pip install).* (\S+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert readme[:2] == [("python -m venv", ".venv"), (r".venv\Scripts\python -m pip install", "requirements.lock")]
    for two in (
        ["python -m venv .venv", r".venv\Scripts\python -m pip install --no-index -r requirements.lock"],
        ["python3 -m venv .venv", ".venv/bin/python -m pip install --no-index -r requirements.lock"],
    ):
        assert "\n".join(two) in guide
    assert "zipfile -e" in commands(guide)


def test_an_attempt_to_leave_is_seen():
    """Lines as strace writes them."""
    stays = [
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(3000), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
        '7 connect(5, {sa_family=AF_INET6, sin6_port=htons(3000), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
        '7 connect(5, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)',
    ]
    leaves = [
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16) = -1 ENETUNREACH (Network is unreachable)',
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0',
        '7 sendto(5, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("192.0.2.1")}, 16) = 1',
        '7 connect(5, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1',
    ]
    assert attempts("\n".join(stays + leaves)) == leaves
