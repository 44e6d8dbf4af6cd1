"""Objaverse from a stand-in of its cache: the right list, resumed after a kill, broken ones put aside, nothing lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types

import pytest
from objaverse_cache import ANIMATED, BROKEN, COUNT, LICENCES, uid_of, write_cache, write_packed
from paths import ROOT
from render_files import write_lights

from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.pipelines.commands.cli import main
from zero123pp.pipelines.training_data.multiview.attempts import TRIES, Attempts
from zero123pp.pipelines.training_data.multiview.objaverse import Cache, ObjaverseFilter, chosen_once, passes
from zero123pp.render import open_samples

SMALL = ["--tile-px", "16", "--query-px", "16", "--per-shard", "3", "--set", "light_samples=2", "--set",
         "mirrored=false", "--set", "depth=false", "--set", "normals=false", "--set", "supersample=1"]  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_cache(tmp_path_factory.mktemp("objaverse"))


def chosen(cache, **wanted):
    return {each.uid for each in Cache(cache).choose(ObjaverseFilter(**wanted))}


def uids(test=lambda number: True):
    return {uid_of(number) for number in range(COUNT) if test(number)}


def test_the_list_is_the_one_that_the_annotations_say(cache, tmp_path):
    assert len(uids()) == COUNT and chosen(cache) == uids()
    assert chosen(cache, licences=("CC0", "by-nc")) == uids(lambda n: LICENCES[n % 5] in ("cc0", "by-nc"))
    assert chosen(cache, faces=(1000, 2000)) == uids(lambda n: 10 <= n <= 20)
    assert chosen(cache, animated=False) == uids(lambda n: n != ANIMATED)
    assert chosen(cache, textured=True) == uids(lambda n: n % 5)
    assert chosen(cache, source="lvis") == uids(lambda n: n % 3 < 2)
    lamps = Cache(cache).choose(ObjaverseFilter(source="lvis", categories=("lamp",), licences=("by",)))
    assert {each.uid for each in lamps} == uids(lambda n: n % 3 == 1 and LICENCES[n % 5] == "by")
    assert {(each.group, each.licence) for each in lamps} == {("lamp", "by")}
    (tmp_path / "some.txt").write_text(f"{uid_of(3)}\n{uid_of(4)}.glb\nnobody\n")
    (tmp_path / "some.json").write_text(json.dumps([uid_of(3)]))
    assert chosen(cache, uids=str(tmp_path / "some.txt")) == {uid_of(3), uid_of(4)}
    assert chosen(cache, uids=str(tmp_path / "some.json")) == {uid_of(3)}
    assert [each.uid for each in Cache(cache).choose(ObjaverseFilter(limit=4))] == sorted(uids())[:4]


def test_what_is_not_said_does_not_pass():
    assert passes({}, ObjaverseFilter())
    for wanted in ({"licences": ("by",)}, {"faces": (0, 9)}, {"animated": False}, {"textured": True}):
        assert not passes({"archives": None, "faceCount": "many"}, ObjaverseFilter(**wanted))


def test_without_a_network_only_what_is_in_the_cache(cache, tmp_path):
    part = shutil.copytree(cache, tmp_path / "part")
    for file in sorted(part.rglob("glbs/*/*.glb"))[10:]:
        file.unlink()
    assert len(chosen(part)) == 10
    (part / "hf-objaverse-v1" / "metadata" / "000-001.json.gz").unlink()
    with pytest.raises(MissingBackend, match="is not here; allow the download"):
        chosen(part)


def test_damaged_and_hostile_annotations_are_one_line(cache, tmp_path):
    bad = shutil.copytree(cache, tmp_path / "bad") / "hf-objaverse-v1"
    write_packed(bad / "object-paths.json.gz", {"a": "glbs/../../../etc/passwd.glb"})
    write_packed(bad / "metadata" / "...json.gz", {})
    with pytest.raises((BadInput, MissingBackend)):
        chosen(tmp_path / "bad")
    for content in (b"", b"nothing packed", (cache / "hf-objaverse-v1/object-paths.json.gz").read_bytes()[:99]):
        (bad / "object-paths.json.gz").write_bytes(content)
        with pytest.raises(BadInput, match="is no annotation of Objaverse"):
            chosen(tmp_path / "bad")
    write_packed(bad / "object-paths.json.gz", [1])
    with pytest.raises(BadInput, match="holds a list"):
        chosen(tmp_path / "bad")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"faces": (5,)}, "faces is"),
        ({"faces": (9, 5)}, "faces is"),
        ({"limit": -1}, "limit is -1"),
        ({"categories": ("chair",)}, "categories need source=lvis"),
        ({"source": "xl", "textured": True}, "do not say textured"),
    ],
)
def test_senseless_filters(wanted, message):
    with pytest.raises(ConfigError, match=message):
        ObjaverseFilter(**wanted)


def test_a_run_keeps_the_list_that_it_began_with(cache, tmp_path):
    wanted = ObjaverseFilter(licences=("by",))
    first = chosen_once(Cache(cache), wanted, tmp_path)
    assert chosen_once(Cache(tmp_path / "gone"), wanted, tmp_path) == first
    with pytest.raises(BadInput, match="take the same --where"):
        chosen_once(Cache(cache), ObjaverseFilter(), tmp_path)
    (tmp_path / "objects.json").write_text("{")
    with pytest.raises(BadInput, match="is damaged"):
        chosen_once(Cache(cache), wanted, tmp_path)


def command(cache, lights, out, *more):
    return ["render", "multiview", "--objaverse", str(cache), "--hdri", str(lights), "--out", str(out), *SMALL,
            "--where", "licences=[by]", "--where", "animated=false", *more]  # fmt: skip


WANTED = {n for n in range(COUNT) if LICENCES[n % 5] == "by" and n != ANIMATED}


def test_killed_and_resumed_in_shards_nothing_is_lost(cache, tmp_path):
    pytest.importorskip("embreex")
    lights, out = write_lights(tmp_path / "hdri"), tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *command(cache, lights, out)],
        stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    limit = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < limit:
        if len(list(out.glob("*.tar"))) >= 2 and list(out.glob(".*.tar.tmp")):
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    parts = -(-len(WANTED) // 3)
    before = {file.name: file.read_bytes() for file in out.glob("*.tar")}
    assert 2 <= len(before) < parts
    for shard in ("1/2", "2/2"):
        assert main(command(cache, lights, out, "--shard", shard)) == 0
    assert all((out / name).read_bytes() == content for name, content in before.items())
    samples = open_samples(out, depth=False, normals=False)
    broken = {uid_of(n) for n in BROKEN if n in WANTED}
    assert set(samples.meshes) == {uid_of(n) for n in WANTED} - broken and broken
    assert len(samples) == 12 * (len(WANTED) - len(broken))
    assert set(json.loads((out / "failures.json").read_text())) == {f"{uid}.glb" for uid in broken}
    assert not (out / "attempts").exists() and len(list(out.glob("*.tar"))) == parts


def test_what_kills_its_process_again_and_again_is_put_aside(tmp_path):
    for number in range(TRIES + 1):
        attempts = Attempts(tmp_path)  # a new process each time
        assert attempts.begin(5, "good-0") == 1
        attempts.done(5, "good-0")
        assert attempts.begin(5, "bad-0") == number + 1
    Attempts(tmp_path).end(5)
    assert Attempts(tmp_path).begin(5, "bad-0") == 1
    (tmp_path / "attempts" / "000005.json").write_text("[")
    assert Attempts(tmp_path).begin(5, "bad-0") == 1


def test_the_package_fetches_what_is_not_here(cache, tmp_path, monkeypatch, capsys):
    """A stand-in of the package with the functions that are called, on a folder where nothing is yet."""
    mine = tmp_path / "mine"
    fake = types.ModuleType("objaverse")

    def copied(name):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(cache / name, mine / name)

    def load_objects(asked):
        print("Downloaded 1 / 1 objects")
        for uid in asked:
            for file in (cache / "hf-objaverse-v1").rglob(f"{uid}.glb"):
                copied(file.relative_to(cache))

    fake._load_object_paths = lambda: copied("hf-objaverse-v1/object-paths.json.gz")
    fake.load_annotations = lambda asked: [copied(f"hf-objaverse-v1/metadata/000-{n:03d}.json.gz") for n in range(3)]
    fake.load_objects = load_objects
    monkeypatch.setitem(sys.modules, "objaverse", fake)
    with pytest.raises(MissingBackend, match="allow the download"):
        Cache(mine).choose(ObjaverseFilter())
    here = Cache(mine, download=True)
    objects = here.choose(ObjaverseFilter(limit=3))
    assert str(mine) in fake._VERSIONED_PATH and len(objects) == 3
    files = [here.mesh(each) for each in objects]
    assert not any(file.is_file() for file in files)
    assert here.supply(files, {file.name: each for file, each in zip(files, objects)}) == {}
    assert all(file.is_file() for file in files)
    assert capsys.readouterr().out == ""
    fake.load_objects = lambda asked: (_ for _ in ()).throw(OSError("no route to host"))
    files[0].unlink()
    with pytest.raises(MissingBackend, match="no route to host"):
        here.supply(files[:1], {files[0].name: objects[0]})


def test_objaverse_xl_by_the_package(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    kinds, licences = ("glb", "blend", "obj"), ("MIT", "by")
    rows = [
        {"fileIdentifier": f"https://x/{n}", "source": "github", "license": licences[n % 2], "sha256": f"{n:x}",
         "fileType": kinds[n % 3], "metadata": "{}"} for n in range(12)
    ]  # fmt: skip
    fake = types.ModuleType("objaverse.xl")
    fake.get_annotations = lambda download_dir: pandas.DataFrame(rows)

    def download_objects(table, folder, processes):
        (tmp_path / "a.glb").write_bytes(b"")
        return {key: str(tmp_path / "a.glb") for key in table["fileIdentifier"][:1]}

    fake.download_objects = download_objects
    monkeypatch.setitem(sys.modules, "objaverse", types.ModuleType("objaverse"))
    monkeypatch.setitem(sys.modules, "objaverse.xl", fake)
    cache = Cache(tmp_path, download=True)
    found = cache.choose(ObjaverseFilter(source="xl", licences=("mit",)))
    assert [(each.uid, each.file, each.licence) for each in found] == [
        (f"{n:x}", f"{n:x}{s}", "MIT") for n, s in ((0, ".glb"), (2, ".obj"), (6, ".glb"), (8, ".obj"))
    ]
    files = [cache.mesh(each) for each in found[:2]]
    assert cache.supply(files, {file.name: each for file, each in zip(files, found)}) == {files[0]: tmp_path / "a.glb"}
    assert chosen_once(cache, ObjaverseFilter(source="xl", licences=("mit",)), tmp_path / "out") == found
    with pytest.raises(MissingBackend, match="allow it with --download"):
        Cache(tmp_path).choose(ObjaverseFilter(source="xl"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--meshes", "x"], "give one of --meshes and --objaverse"),
        (["--only", "a*"], "--only is about names of files"),
        (["--where", "licence=by"], "did you mean licences"),
        (["--where", "limit=many"], "limit is 'many'"),
        (["--where", "licences=[wtfpl]"], "no object of"),
        (["--where", "uids=nowhere.txt"], "cannot read the uids"),
    ],
)
def test_bad_usage(cache, tmp_path, more, message, capsys):
    assert main(command(cache, write_lights(tmp_path / "hdri"), tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
