"""Lists and folders of strangers: what they may say, and what is refused."""

import csv
import io
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import ROOT

from zero123pp.errors import BadInput
from zero123pp.pipelines.batch.items import Item, Shard, inside, read_items
from zero123pp.pipelines.inputs import MAX_ROW_CHARACTERS

DEFAULT = Item(0, model="inflated", seed=7)
EVERYTHING = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def from_list(path, text, defaults=DEFAULT):
    path.write_text(text, encoding="utf-8")
    return read_items(path, defaults)[0]


def refused(*arguments):
    with pytest.raises(BadInput) as caught:
        read_items(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.quick
def test_columns_and_defaults(tmp_path):
    items = from_list(tmp_path / "a.csv", "image,seed,model,prompt\na.png,3,preview,\n,,,a robot\n\nb.png,,,\n")
    assert [(i.row, i.image, i.prompt, i.seed, i.model) for i in items] == [
        (0, "a.png", None, 3, "preview"),
        (1, None, "a robot", 7, "inflated"),
        (2, "b.png", None, 7, "inflated"),
    ]
    lines = [{"views": "s.png", "rig": "v1.1"}, {"image": "a.png", "guidance": 3, "steps": "20"}]
    items = from_list(tmp_path / "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert (items[0].views, items[0].rig, items[1].guidance, items[1].steps) == ("s.png", "v1.1", 3.0, 20)
    assert not any(item.problem for item in items)


@pytest.mark.quick
def test_lists_of_spreadsheets_and_of_windows(tmp_path):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "One.PNG").touch()
    (tmp_path / "semi.csv").write_bytes("Image;Guidance;;\r\npics\\one.png;3,5;;\r\n".encode("utf-16"))
    (item,), root = read_items(tmp_path / "semi.csv", DEFAULT)
    assert (item.image, item.guidance, item.problem) == ("pics\\one.png", 3.5, "")
    assert inside(root, item.image) == tmp_path / "pics" / "One.PNG"
    (tmp_path / "a.tsv").write_text("image\tseed\npics/One.PNG\t4\n")
    assert read_items(tmp_path / "a.tsv", DEFAULT)[0][0].seed == 4
    for text in ("..\\x.png", "\\\\server\\x.png", "\\x.png", "pics\\..\\..\\x"):
        with pytest.raises(BadInput, match=r"leaves|absolute"):
            inside(tmp_path, text)


def test_rows_that_give_their_views_are_not_drawn(tmp_path):
    (tmp_path / "a.csv").write_text("image,views,steps,guidance\na.png,,,\n,s.png,,\n,s.png,5,\n,s.png,,2\n")
    items, _ = read_items(tmp_path / "a.csv", Item(0, steps=30, guidance=3.0))
    assert [(item.steps, item.guidance) for item in items[:2]] == [(30, 3.0), (None, None)]
    assert "row 3: steps is about drawing views" in items[2].problem and "guidance is about" in items[3].problem


@pytest.mark.quick
def test_a_bad_row_costs_that_row_only(tmp_path):
    rows = ["{", "[1]", "null", '{"image": 3}', '{"image": "a", "seed": -1}', '{"image": "a", "seed": true}']
    rows += ['{"image": "a", "seed": 1e400}', '{"image": "a", "guidance": NaN}', '{"image": "a", "prompt": "b"}', "{}"]
    rows += ['{"image": "a", "sead": 1}', "[" * 5000, '{"image": "a", "seed": ' + "9" * 5000 + "}"]
    items = from_list(tmp_path / "a.jsonl", "\n".join([*rows, '{"image": "good.png"}']))
    assert len(items) == len(rows) + 1 and all(item.problem for item in items[:-1]) and not items[-1].problem
    assert all(len(item.problem) < 500 for item in items)
    items = from_list(tmp_path / "a.csv", "image,seed\na,x\nb,1,2\nc,1\n")
    assert [bool(item.problem) for item in items] == [True, True, False]


@pytest.mark.quick
def test_damaged_lists_are_refused_as_a_whole(tmp_path):
    path = tmp_path / "a.csv"
    for content, words in [
        (b"", "first line"),
        (b"a,b\n1,2\n", "unknown columns"),
        (b"image,image\na,b\n", "once each"),
        (b"seed\n1\n", "image, views or prompt"),
        (b"image\n\x81\n", "line 2 is text of another encoding"),
        (b'image\n"a', "no readable CSV"),
        (b"image\n" + b"a" * (MAX_ROW_CHARACTERS + 1), "characters"),
        (b"image\n", "nothing to do"),
    ]:
        path.write_bytes(content)
        assert words in refused(path, DEFAULT)
    assert "neither a folder nor" in refused(__file__, DEFAULT)
    assert "no folder or list" in refused(tmp_path / "missing.csv", DEFAULT)
    assert "NUL" in refused("a\0.csv", DEFAULT)


def test_folders_are_searched_in_order_without_following_links(tmp_path):
    for name in ("b.png", "a/c.JPG", ".hidden/d.png", "note.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.png").write_bytes(b"x")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    items, root = read_items(tmp_path / "in", DEFAULT)
    assert [item.image for item in items] == ["a/c.JPG", "b.png"] and root == tmp_path / "in"


@pytest.mark.quick
@pytest.mark.parametrize(
    "text", ["../a.png", "/etc/passwd", "a/../../b", "C:\\a.png", "a\0b", "out.png", "loop", "\ud800"]
)
def test_paths_stay_inside(tmp_path, text):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    (home / "out.png").symlink_to(tmp_path / "secret")
    (home / "loop").symlink_to(home / "loop")
    with pytest.raises(BadInput) as caught:
        inside(home, text)
    assert "\0" not in str(caught.value)


@EVERYTHING
@given(text=st.text(st.characters() | st.sampled_from("./\\~\0"), max_size=60))
def test_no_text_leads_outside(tmp_path, text):
    try:
        assert inside(tmp_path, text).is_relative_to(tmp_path.resolve())
    except BadInput:
        pass


@EVERYTHING
@given(rows=st.lists(st.tuples(st.text(min_size=1, max_size=30), st.integers(-5, 2**70)), min_size=1, max_size=8))
def test_what_a_list_says_comes_back_or_is_refused(tmp_path, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([("image", "seed"), *rows])
    try:
        (tmp_path / "list.csv").write_text(buffer.getvalue(), encoding="utf-8", newline="")
        items, _ = read_items(tmp_path / "list.csv", DEFAULT)
    except (BadInput, UnicodeEncodeError):
        return
    assert len(items) == len(rows)
    for item, (image, seed) in zip(items, rows):
        assert item.problem or (item.image, item.seed) == (image, seed)


@pytest.mark.quick
@EVERYTHING
@given(count=st.integers(1, 9), rows=st.integers(0, 40))
def test_shards_are_a_partition(count, rows):
    parts = [[row for row in range(rows) if Shard(n + 1, count).has(row)] for n in range(count)]
    assert (
        sorted(row for part in parts for row in part) == list(range(rows))
        and max(map(len, parts)) - min(map(len, parts)) <= 1
    )


@pytest.mark.quick
@pytest.mark.parametrize(
    "text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/2/3", "\u0661/\u0662", "1" * 30 + "/" + "2" * 30]
)
def test_bad_shards(text):
    with pytest.raises(BadInput):
        Shard.parse(text)


def test_a_list_without_end_is_not_read_into_memory(tmp_path):
    """A file of zeros that claims to be a list costs no memory."""
    with open(tmp_path / "huge.csv", "wb") as file:
        file.truncate(4 * 2**30)
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from zero123pp.pipelines.batch.items import Item, read_items
from zero123pp.errors import BadInput
try:
    read_items({str(tmp_path / "huge.csv")!r}, Item(0))
except BadInput as error:
    print("refused", error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "refused" in done.stdout, done.stderr
