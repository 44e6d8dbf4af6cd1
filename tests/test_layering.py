"""Import direction between the rooms (docs/rooms.md), and what an import may load."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pkgutil import resolve_name

import pytest
from import_graph import arrows, cycles, imported, modules
from paths import ROOT

pytestmark = pytest.mark.quick

HEAVY = ("torch", "diffusers", "transformers", "rembg", "onnxruntime", "numba", "trimesh", "skimage", "scipy")
MOST_ROOMS = 14
"""At the top of pipelines/ and of recon/: more are no longer seen at a glance."""
SHARED_WORDS = "zero123pp"
"""The files at the root of that folder, which all rooms may use."""


@cache
def table() -> dict[str, list[str]]:
    """Room to the rooms that it may import, in the order of docs/rooms.md."""
    rows = re.findall(r"^\| `([\w/]+)` \| (.*?) \|$", (ROOT / "docs" / "rooms.md").read_text(), re.MULTILINE)
    return {room: re.findall(r"`([\w/]+)`", may) for room, may in rows}


@cache
def room_of(module: str) -> str:
    """The longest room of the table that the module lies in."""
    path = module.replace(".", "/")
    for top in ("recon", "pipelines", "configs"):
        path = path.replace(f"zero123pp/{top}", top, 1) if path.startswith(f"zero123pp/{top}") else path
    inside = [room for room in table() if path == room or path.startswith(f"{room}/")]
    return max(inside, key=len, default=SHARED_WORDS if path.startswith("zero123pp") else path)


@cache
def drawn_arrows() -> dict[str, dict[str, str]]:
    """Room to each room that it imports, with one module that does so."""
    found: dict[str, dict[str, str]] = {}
    for module, targets in arrows().items():
        for target in targets:
            if room_of(module) != room_of(target):
                found.setdefault(room_of(module), {})[room_of(target)] = module
    return found


def test_every_module_lies_in_a_room_of_the_table():
    for module, path in modules().items():
        if path in {ROOT / house / "__init__.py" for house in ("recon", "pipelines")}:
            continue
        in_root = path.parent == ROOT / "zero123pp"
        assert room_of(module) in table() or in_root, f"{module} lies in no room of docs/rooms.md"
    for room in table():
        assert (ROOT / room).is_dir() or (ROOT / f"{room}.py").is_file(), f"docs/rooms.md names {room}, which is gone"


def test_rooms_import_what_the_table_says_and_no_more():
    rooms = table()
    drawn = drawn_arrows()
    assert set(drawn.get(SHARED_WORDS, {})) <= {SHARED_WORDS}, f"the shared words import {drawn[SHARED_WORDS]}"
    for room, may in rooms.items():
        does = {target: module for target, module in drawn.get(room, {}).items() if target != SHARED_WORDS}
        for target, module in does.items():
            assert target in may, f"{module} imports {target}, which {room} may not (docs/rooms.md)"
        assert set(may) == set(does), f"docs/rooms.md lets {room} import {set(may) - set(does)}, which it does not"


def test_no_arrow_runs_upwards():
    order = list(table())
    for room, may in table().items():
        for target in may:
            assert order.index(target) > order.index(room), f"{room} -> {target} runs upwards in docs/rooms.md"


def test_no_two_files_import_each_other():
    assert cycles() == []


@pytest.mark.parametrize("folder", ["pipelines", "recon"])
def test_the_top_of_a_house_is_seen_at_a_glance(folder):
    rooms = [path.name for path in (ROOT / folder).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert 5 < len(rooms) <= MOST_ROOMS, sorted(rooms)


def test_every_room_opens_with_one_sentence_on_what_comes_in_and_goes_out():
    for room in table():
        init = ROOT / room / "__init__.py"
        if init.is_file() and room.startswith(("pipelines", "recon")):
            first = (ast.get_docstring(ast.parse(init.read_text())) or "").split("\n")[0]
            assert re.search(r"\bcomes? in\b.*\bgoe?s? out\b", first), f"{room}: {first!r}"


def test_rooms_are_entered_by_the_names_they_hand_on():
    """What comes from another room is a name of its door, which is its own ``__init__`` or that of a folder in it."""
    through = 0
    for module, path in modules().items():
        for name in imported(path):
            if name.split(".")[0] != "zero123pp":
                continue
            door, _, handed_on = name.rpartition(".")
            room = room_of(name if name in modules() else door)
            is_door = name in modules() and modules()[name].name == "__init__.py"
            is_one_file = (ROOT / f"{room}.py").is_file()
            if room in (room_of(module), SHARED_WORDS) or is_door or is_one_file:
                continue
            assert modules()[door].name == "__init__.py", f"{module} reaches past the door of {room}: {name}"
            assert handed_on in dir(import_module(door)), f"{module}: {door} hands on no {handed_on}"
            through += 1
    assert through > 200


def test_no_bare_room_names():
    for folder in ("zero123pp", "recon", "pipelines", "configs", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            bare = {name.split(".")[0] for name in imported(path)} & {"recon", "pipelines", "configs"}
            assert not bare, f"{path.relative_to(ROOT)} imports {bare} by a bare name"


@pytest.mark.parametrize(
    "module", ["zero123pp", "zero123pp.pipelines.commands.cli", "zero123pp.pipelines.image_to_mesh"]
)
def test_imports_stay_light(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_resolve():
    import zero123pp

    for name in set(zero123pp.__all__) - {"Zero123PlusPipeline"}:
        assert getattr(zero123pp, name) is not None
    with pytest.raises(AttributeError):
        zero123pp.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("words", "homes"),
    [
        (r"os\.(replace|rename)\(|rmtree\(|mkstemp\(", {"zero123pp/files.py"}),
        (r"sched_getaffinity|cpu_count", {"zero123pp/machine.py"}),
        (r"10 \* \S*log10", {"recon/metrics/pictures.py"}),
        (r"\.hdr\"", {"zero123pp/render/hdr.py"}),
        (r"b\"#\?\"", {"zero123pp/render/hdr.py"}),
        (r"\.jpeg\"", {"pipelines/inputs/pictures.py"}),
        (r"glob\(\"\*\.glb", set()),
        (r"Mesh \| TexturedMesh|TexturedMesh \| Mesh", {"zero123pp/types.py"}),
    ],
)
def test_one_home_each(words, homes):
    """What is written in one place stays there: others call it."""
    sources = [path for room in ("zero123pp", "recon", "pipelines", "configs") for path in (ROOT / room).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in sources if re.search(words, path.read_text())}
    assert found == homes


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_files_that_are_there(page):
    """Paths of the project in back-quotes, and links."""
    text = page.read_text()
    tops = "zero123pp|recon|pipelines|configs|tests|benchmarks|docs"
    paths = {(ROOT, path) for path in re.findall(rf"`((?:{tops})/[\w/.-]*)`", text)}
    paths |= {(page.parent, path) for path in re.findall(r"\]\(([\w/.-]+?)(?:#[\w-]+)?\)", text)}
    missing = [path for folder, path in paths if not ((folder / path).exists() or (folder / f"{path}.py").exists())]
    assert not missing, f"{page.name} names {missing}"
    modules_named = set(re.findall(r"`(zero123pp(?:\.\w+)+)`", text))
    for name in modules_named:
        resolve_name(name)
