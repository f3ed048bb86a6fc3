"""The Dockerfile: what it promises of the image, what it may see, and that a whole wheel comes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from monitor.config import Settings
from tests.deploy.files import DEPLOY, DOCKERFILE, ROOT, image, stages

STAGES = stages(DOCKERFILE.read_text(encoding="utf-8"))
IMAGE = image()
LOCKS = {"runtime": DEPLOY / "requirements.lock", "build": DEPLOY / "build.lock"}

_PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
_NAME = re.compile(r"[\w.-]+")


def pins(path: Path) -> dict[str, str]:
    """Package to version and hashes."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8")):
        if pin := _PIN.match(block):
            found[pin[1]] = " ".join([pin[2], *sorted(re.findall(r"sha256:\w+", block))])
    return found


def normal(requirement: str) -> str:
    name = _NAME.match(requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_every_base_is_pinned_or_a_stage() -> None:
    names: set[str] = set()
    for stage in STAGES:
        assert stage.base in names or re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+[\w.-]*", stage.base)
        names.add(stage.name)
    assert len(STAGES) >= 2


def test_what_is_copied_is_there_or_of_a_stage() -> None:
    names = {stage.name for stage in STAGES}
    for stage in STAGES:
        for copied in stage.all("COPY"):
            *sources, _ = copied.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in names
            else:
                assert all((ROOT / source).exists() for source in sources)
        assert not stage.all("ADD"), "ADD fetches and unpacks; COPY does not"


def test_the_image_holds_nothing_of_the_build_but_the_environment() -> None:
    assert IMAGE.all("COPY") == ["--from=build /opt/stress-monitor /opt/stress-monitor"]


class TestTheImage:
    def test_it_is_not_run_by_root(self) -> None:
        uid, gid = IMAGE.last("USER").split(":")
        assert int(uid) >= 10_000
        assert int(gid) >= 10_000
        last_user = max(i for i, (name, _) in enumerate(IMAGE.instructions) if name == "USER")
        assert not [rest for name, rest in IMAGE.instructions[last_user:] if name in ("RUN", "COPY")]

    def test_signals_reach_the_monitor(self) -> None:
        assert IMAGE.command("ENTRYPOINT") == ["stress-monitor"]
        assert IMAGE.command("CMD")[0] == "run"
        assert IMAGE.last("STOPSIGNAL") == "SIGTERM"

    def test_it_is_asked_how_it_is_on_the_port_that_it_opens(self) -> None:
        port = Settings().http.metrics_port
        assert IMAGE.last("EXPOSE") == str(port)
        assert IMAGE.command("HEALTHCHECK") == ["python", "-m", "monitor.healthy", f"http://127.0.0.1:{port}"]
        assert {"--interval", "--timeout", "--start-period", "--retries"} == set(
            re.findall(r"--[\w-]+(?==)", IMAGE.last("HEALTHCHECK").partition("CMD")[0])
        )

    def test_its_state_is_in_a_volume_of_its_user(self) -> None:
        (volume,) = IMAGE.command("VOLUME")
        assert IMAGE.command("CMD") == ["run", "--state", volume]
        uid, gid = IMAGE.last("USER").split(":")
        (made,) = (rest for rest in IMAGE.all("RUN") if volume in rest)
        assert re.search(rf"install --directory --owner {uid} --group {gid} --mode 0750 {volume}", made)

    def test_it_says_what_it_is(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        labels = IMAGE.last("LABEL")
        for name, value in (
            ("title", project["name"]), ("description", project["description"]), ("licenses", project["license"]),
        ):  # fmt: skip
            assert f'org.opencontainers.image.{name}="{value}"' in labels

    def test_python_is_one_that_the_package_is_for(self) -> None:
        assert STAGES[0].base.startswith(f"python:{sys.version_info.major}.{sys.version_info.minor}."), (
            "the image has another Python than the tests"
        )

    def test_it_holds_no_secret(self) -> None:
        assert not [stage for stage in STAGES if stage.all("ARG")]
        assert not re.search(r"passw|secret|token|api_?key", DOCKERFILE.read_text(encoding="utf-8").lower())


class TestTheLocks:
    def test_pip_takes_nothing_without_a_hash_and_compiles_nothing(self) -> None:
        installs = [
            step
            for stage in STAGES
            for rest in stage.all("RUN")
            for step in rest.split("&&")
            if re.search(r"\bpip\b.* install\b", step)
        ]
        assert len(installs) == 3
        for step in installs:
            hashed = "--require-hashes" in step and "--only-binary :all:" in step
            assert hashed or ("--no-index" in step and "--no-deps" in step)

    @pytest.mark.parametrize("name", LOCKS)
    def test_they_pin_what_the_project_s_lock_pins(self, name: str) -> None:
        own, all_ = pins(LOCKS[name]), pins(ROOT / "requirements.lock")
        assert own
        assert own.items() <= all_.items(), "they are of another day: make lock"
        assert "://" not in LOCKS[name].read_text(encoding="utf-8")

    def test_what_the_monitor_needs_is_in_and_what_its_authors_need_is_not(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = {normal(each) for each in project["project"]["dependencies"]}
        runtime = set(pins(LOCKS["runtime"]))
        assert wanted <= runtime
        assert not {normal(each) for each in project["dependency-groups"]["dev"]} & runtime
        assert {normal(each) for each in project["build-system"]["requires"]} <= set(pins(LOCKS["build"]))


def seen_by_the_build(path: Path) -> bool:
    """Whether a file is sent to the build, by the rules of Dockerfile.dockerignore, of which the last one wins."""
    name, seen = path.relative_to(ROOT).as_posix(), True
    for line in DOCKERFILE.with_suffix(".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").strip("/")
        parents = ["/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 2)]
        if pattern.startswith("**/"):
            matches = any(fnmatch(part, pattern[3:]) for part in name.split("/"))
        else:
            matches = any(fnmatch(parent, pattern) for parent in parents)
        if matches:
            seen = line.startswith("!")
    return seen


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage has in its folder after its COPY instructions."""
    folder = tmp_path_factory.mktemp("src")
    (build,) = (stage for stage in STAGES if stage.name == "build")
    for copied in build.all("COPY"):
        *sources, to = copied.split()
        for source in sources:
            for path in [ROOT / source] if (ROOT / source).is_file() else (ROOT / source).rglob("*"):
                if path.is_file() and seen_by_the_build(path):
                    inside = path.relative_to(ROOT / source) if (ROOT / source).is_dir() else Path(path.name)
                    target = folder / to / inside
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
    return folder


def test_the_build_sees_no_more_than_it_needs(context: Path) -> None:
    assert {each.name for each in context.iterdir()} == {"monitor", "deploy", "pyproject.toml", "README.md", "LICENSE"}
    for path in ("var/kafka", ".git/config", "requirements.lock", "deploy/compose.yaml", "monitor/__pycache__/x.pyc"):
        assert not seen_by_the_build(ROOT / path)
    assert not list(context.rglob("__pycache__"))


def test_a_wheel_comes_of_it_with_all_that_the_package_has(context: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=context, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("monitor/")}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "monitor").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there
