"""Import direction between the rooms, and what an import may load."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

pytestmark = pytest.mark.quick

ROOT_FILES = {
    "zero123pp",
    *(f"zero123pp.{name}" for name in ("types", "cameras", "images", "rigs", "errors", "files", "machine")),
}
MAY_IMPORT = {
    "zero123pp/diffusion": ("zero123pp.diffusion",),
    "zero123pp/render": ("zero123pp.render",),
    "recon": ("zero123pp.recon",),
    "configs": ("zero123pp.configs",),
}
HEAVY = ("torch", "diffusers", "transformers", "rembg", "onnxruntime", "numba", "trimesh", "skimage", "scipy")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; import by the full name"
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_rooms_import_only_downwards(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for module in _imports(path):
            allowed = module in ROOT_FILES or module.startswith(MAY_IMPORT[folder])
            assert not module.startswith("zero123pp") or allowed, f"{path.relative_to(ROOT)} imports {module}"


def test_no_bare_room_names():
    for folder in ("zero123pp", "recon", "pipelines", "configs", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            bare = {module.split(".")[0] for module in _imports(path) if module} & {"recon", "pipelines", "configs"}
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
