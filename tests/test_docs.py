"""The site of docs/ builds without a warning, and its commands are those of the program."""

import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest
from paths import ROOT

from zero123pp.pipelines.commands import cli
from zero123pp.pipelines.commands.parser import Parser
from zero123pp.pipelines.commands.subcommands import SUBCOMMANDS, asked_for

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:\S*python3? (?:-m )?|pip |zero123pp |ruff |git clone |docker |curl )")
OURS = re.compile(r"^(?:\S*python run\.py|zero123pp) ")
SAYS_HOW = re.compile(r"<!-- (?:run|command: \w+|not run: .{10,}) -->")


def blocks(page):
    """The line before each fenced block, and the commands in it, continued lines joined."""
    before, inside, text = "", None, page.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("```"):
            if inside and inside[1]:
                yield inside
            inside = (before, []) if inside is None else None
        elif inside is not None and COMMAND.match(line):
            inside[1].append(line)
        before = line


def commands(page, mark=""):
    """The words of each of our commands in blocks whose mark begins so."""
    for before, lines in blocks(page):
        if before.startswith(mark):
            yield from (shlex.split(OURS.sub("", line), comments=True) for line in lines if OURS.match(line))


@pytest.mark.quick
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_of_commands_says_whether_it_is_run(page):
    bad = [lines[0] for before, lines in blocks(page) if not SAYS_HOW.fullmatch(before)]
    assert not bad, f"{page.name}: put <!-- run --> or <!-- not run: why --> before {bad}"


@pytest.mark.quick
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_that_pages_name_are_there(page):
    """Also of commands that are not run."""
    for words in commands(page):
        subcommand = asked_for(words)
        parser = cli._main_parser("zero123pp") if subcommand is None else Parser(prog=subcommand)
        if subcommand is not None:
            import_module(f"zero123pp.pipelines.commands.{SUBCOMMANDS[subcommand][0]}").add_arguments(parser)
            words = words[len(subcommand.split()) :]
        try:
            parser.parse_args(words)
        except SystemExit as left:
            assert left.code == 0, f"{page.name}: {' '.join(words)}"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if "<!-- run -->" in page.read_text()], ids=lambda p: p.name)
def test_commands_run(page, tmp_path, monkeypatch):
    """In the order of the page, in one folder with the README's picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for name in ("toy.png", "pictures/toy.png"):
        shutil.copy(ROOT / "docs" / "toy.png", tmp_path / name)
    for words in commands(page, "<!-- run -->"):
        assert cli.main(words) == 0, words
    assert len(list(tmp_path.iterdir())) > 2


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    if any(find_spec(name) is None for name in ("sphinx", "furo", "myst_parser")):
        pytest.skip("the generator is not installed; pip install 'zero123pp[docs]'")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ROOT / "docs", tmp_path]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    library = (tmp_path / "library.html").read_text()
    for name in ("ImageTo3D.from_pretrained", "save_report", "orbit_camera", "StageFailed", "FileOptions"):
        assert name in library, f"{name} is not in the reference"
    for page in tmp_path.rglob("*.html"):
        fetched = re.findall(r"""<(?:script|link|img)[^>]*(?:src|href)=["'](https?:[^"']+)""", page.read_text())
        assert not fetched, f"{page.name} fetches {fetched}"
