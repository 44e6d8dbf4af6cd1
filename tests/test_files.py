"""Files and folders appear whole or not at all, whatever is killed when."""

import errno
import os

import pytest
from disk import small_files
from killing import finished

from zero123pp import files
from zero123pp.errors import BadInput

OLD = {"a.txt": "old a", "stale.txt": "old stale"}
NEW = {"a.txt": "new a", "b.txt": "new b"}
OWNED = ("a.txt", "b.txt", "stale.txt")
THEIRS = {"notes.txt": "theirs", "more/deep.txt": "theirs too"}


def fill(folder, contents):
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def content(folder):
    """Text by name of all that is not hidden; None where there is no folder."""
    if not folder.is_dir():
        return None
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {str(name): (folder / name).read_text() for name in names if not str(name).startswith(".")}


def replace(folder, owned=None):
    with files.whole_folder(folder, owned=owned) as fresh:
        fill(fresh, NEW)


def killed_everywhere(tmp_path, work, check):
    """Run ``work(folder)`` on a filled folder, killed at each event; check what each leaves. The number of events."""
    event = 0
    while True:
        folder = tmp_path / str(event) / "folder"
        fill(folder, OLD | THEIRS)
        whole = finished(event, lambda: work(folder))  # noqa: B023
        check(folder)
        if whole:
            return event
        event += 1


@pytest.mark.parametrize(("owned", "kept"), [(None, {}), (OWNED, THEIRS)])
def test_a_folder_is_the_old_or_the_new_one_wherever_its_writer_is_killed(tmp_path, owned, kept):
    seen = []

    def check(folder):
        seen.append(content(folder))
        assert seen[-1] in (OLD | THEIRS, NEW | kept)
        replace(folder, owned)  # the next writer finds nothing in its way and clears up
        assert content(folder) == NEW | kept and os.listdir(folder.parent) == ["folder"]

    assert killed_everywhere(tmp_path, lambda folder: replace(folder, owned), check) > 10
    assert OLD | THEIRS in seen and NEW | kept in seen


def test_without_an_exchange_the_next_start_brings_the_old_folder_back(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda a, b: False)
    missing = []

    def check(folder):
        missing.append(content(folder) is None)
        files.recover_folder(folder)
        assert content(folder) in (OLD | THEIRS, NEW)

    killed_everywhere(tmp_path, replace, check)
    assert any(missing), "the moment between the two renames was met"


def test_the_working_directory_is_filled_from_within_and_never_a_mixture(tmp_path):
    def work(folder):
        os.chdir(folder)
        replace(folder, OWNED)

    def check(folder):
        ours = {name: text for name, text in content(folder).items() if name in OWNED}
        assert ours.items() <= OLD.items() or ours.items() <= NEW.items()
        assert content(folder).items() >= THEIRS.items()

    killed_everywhere(tmp_path, work, check)


def test_the_folder_itself_stays_where_a_shell_stands_in_it(tmp_path, monkeypatch):
    fill(tmp_path, OLD | THEIRS)
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    replace(tmp_path, OWNED)
    assert content(tmp_path) == NEW | THEIRS and tmp_path.stat().st_ino == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_full_disk_and_an_interrupt_leave_the_old_folder(tmp_path, error):
    fill(tmp_path / "folder", OLD)
    with pytest.raises(BadInput if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        with files.whole_folder(tmp_path / "folder") as fresh:
            fill(fresh, NEW)
            raise error
    if isinstance(error, OSError):
        assert str(caught.value).endswith("folder: the disk is full; free some space or choose another folder")
    assert content(tmp_path / "folder") == OLD and os.listdir(tmp_path) == ["folder"]


def test_a_living_writer_is_not_cleared_away(tmp_path):
    with files.whole_folder(tmp_path / "folder") as first:
        fill(first, OLD)
        replace(tmp_path / "folder")
        assert content(first) == OLD
    assert content(tmp_path / "folder") == OLD and os.listdir(tmp_path) == ["folder"]


def test_a_linked_folder_stays_a_link_and_keeps_its_permissions(tmp_path):
    fill(tmp_path / "real", OLD)
    (tmp_path / "real").chmod(0o750)
    (tmp_path / "link").symlink_to("real")
    replace(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and content(tmp_path / "real") == NEW
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o750


def test_what_others_keep_in_a_folder_is_not_copied(tmp_path):
    fill(tmp_path / "folder", OLD | THEIRS)
    (tmp_path / "folder" / "link").symlink_to("nowhere")
    before = (tmp_path / "folder" / "more" / "deep.txt").stat().st_ino
    replace(tmp_path / "folder", OWNED)
    assert (tmp_path / "folder" / "more" / "deep.txt").stat().st_ino == before
    assert os.readlink(tmp_path / "folder" / "link") == "nowhere"


def test_a_file_in_the_way_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("theirs")
    with pytest.raises(BadInput, match="is a file"):
        replace(tmp_path / "file")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match="is a file"):
            files.check_new_folder(folder)
        with pytest.raises(BadInput, match="cannot write"):
            files.make_folder(folder)
    assert (tmp_path / "file").read_text() == "theirs" and os.listdir(tmp_path) == ["file"]
    files.check_new_folder(tmp_path / "a" / "b")


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with small_files(1000), pytest.raises(BadInput, match=r"cannot write .*file: File too large"):
        files.write_file(path, "x" * 5000)
    with small_files(1000), pytest.raises(BadInput, match=r"cannot write .*file: File too large"):
        with files.whole_file(path) as temporary:
            temporary.write_bytes(bytes(5000))
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_what_a_killed_writer_of_a_file_left_is_written_over(tmp_path):
    path = tmp_path / "file"
    child = os.fork()
    if child == 0:
        with files.whole_file(path) as temporary:
            temporary.write_text("half")
            os._exit(0)
    os.waitpid(child, 0)
    assert not path.exists() and len(os.listdir(tmp_path)) == 1
    with files.whole_file(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole" and os.listdir(tmp_path) == ["file"]


def test_two_writers_of_a_shared_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with files.whole_file(path, shared=True) as one, files.whole_file(path, shared=True) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one" and os.listdir(tmp_path) == ["file"]


def test_what_comes_into_a_folder_meanwhile_stays(tmp_path):
    folder = tmp_path / "folder"
    fill(folder, OLD | THEIRS)
    with files.whole_folder(folder, owned=OWNED) as fresh:
        fill(fresh, NEW)
        (folder / "came.txt").write_text("later")
        kept = next(name for name in THEIRS if "/" not in name)
        (folder / "written anew").write_text("new")
        os.replace(folder / "written anew", folder / kept)
    assert content(folder) == NEW | THEIRS | {"came.txt": "later", kept: "new"}


def test_a_pipe_is_no_file_to_replace(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for write in (
        lambda: files.check_folder(tmp_path / "pipe"),
        lambda: files.write_file(tmp_path / "pipe", "text"),
        lambda: files.whole_file(tmp_path / "pipe").__enter__(),
    ):
        with pytest.raises(BadInput, match="is a device or a pipe"):
            write()
    assert not (tmp_path / "pipe").is_file() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_home_that_nobody_has_is_a_name_like_any_other(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.expanded("~/model") == tmp_path / "model"
    assert str(files.expanded("~nobody here/model")) == "~nobody here/model"
