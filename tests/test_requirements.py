"""The exact requirements with hashes: of the versions in constraints.txt, whole, and without addresses."""

import json
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from paths import ROOT

pytestmark = pytest.mark.quick

FOLDER = ROOT / "requirements"
MACHINES_OWN = r"torch|triton|(nvidia|cuda)-.*"
"""Of which there is a build for each kind of machine."""


def pinned(path):
    """Version of each distribution of a list, and how many hashes it has."""
    text = path.read_text().replace("\\\n", " ")
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [(*re.match(r"([\w.-]+)==(\S+)", row).groups(), row.count("--hash=sha256:")) for row in rows]
    return {canonicalize_name(name): (version, hashes) for name, version, hashes in found}


def needed(*extras):
    """The distributions that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines, names = [*project["dependencies"]], set()
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    for line in lines:
        asked = Requirement(line)
        names |= needed(*asked.extras) if asked.name == "zero123pp" else {canonicalize_name(asked.name)}
    return names


@pytest.mark.parametrize(("name", "extras"), [("run.txt", ()), ("test.txt", ("test",))])
def test_every_package_is_pinned_as_in_the_constraints_with_hashes(name, extras):
    constraints, found = pinned(ROOT / "constraints.txt"), pinned(FOLDER / name)
    assert {each: version for each, (version, _) in found.items()} == {each: constraints[each][0] for each in found}, (
        "run requirements/refresh.sh"
    )
    assert all(hashes >= 1 for _, hashes in found.values())
    lacking = {each for each in needed(*extras) - found.keys() if not re.fullmatch(MACHINES_OWN, each)}
    assert name != "run.txt" or not lacking, "run requirements/refresh.sh"
    if lacking:  # what tests need changes often, and neither command of the README installs from here
        pytest.skip(f"requirements/{name} lacks {', '.join(sorted(lacking))}: run requirements/refresh.sh")


def test_the_bill_of_materials_is_that_of_the_requirements():
    said = json.loads((FOLDER / "sbom.cdx.json").read_text())
    found = {canonicalize_name(each["name"]): each["version"] for each in said["components"]}
    assert found == {name: version for name, (version, _) in pinned(FOLDER / "run.txt").items()}
    assert said["metadata"]["component"]["name"] == "zero123pp"


def test_no_file_says_where_an_index_lies():
    for path in (FOLDER / "run.txt", FOLDER / "test.txt", FOLDER / "sbom.cdx.json", ROOT / "constraints.txt"):
        assert not re.search(r"https?://(?!cyclonedx\.org|json-schema\.org)", path.read_text().replace("bom-1.6", ""))
