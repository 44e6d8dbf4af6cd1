"""Batches into a real S3 server: killed, resumed, by two writers at a time, and while the store asks to slow down."""

import csv
import hashlib
import io
import json
import time

import pytest
from s3_server import S3Server

pytest.importorskip("moto.server", reason="no S3 server; pip install 'zero123pp[test]'")
s3fs = pytest.importorskip("s3fs")

OUT = "s3://bucket/results"


@pytest.fixture(scope="module")
def server():
    running = S3Server()
    yield running
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """An empty bucket, and where this process and its children find it."""
    secrets = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (secrets | {"AWS_ENDPOINT_URL": server.url, "AWS_MAX_ATTEMPTS": "4"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.refuse = lambda method, path, count: False
    system = s3fs.S3FileSystem(endpoint_url=server.url, use_listings_cache=False, skip_instance_cache=True)
    if system.exists("bucket"):
        system.rm("bucket", recursive=True)
    system.mkdir("bucket")
    server.puts.clear()
    server.refused = 0
    return system


def marks(system):
    """The JSON of every finished result, by key."""
    paths = [path for path in system.find("bucket/results") if path.endswith(".json") and "/failed/" not in path]
    return {said["key"]: said for said in (json.loads(system.cat_file(path)) for path in paths)}


def whole(system):
    """Content of every GLB that its JSON speaks of; each is as large as that says."""
    found = {key: system.cat_file(f"bucket/results/{said['glb']}") for key, said in marks(system).items()}
    assert all(len(found[key]) == said["bytes"] for key, said in marks(system).items())
    return found


def run(command, *more):
    process = command("--out", OUT, "--workers", 1, *more)
    said = process.communicate(timeout=180)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def test_a_batch_and_again_in_the_other_layout(bucket, write_items, command):
    write_items(["ok", "raise", "refuse"])
    for layout, made in (("flat", 1), ("hashed", 0)):
        code, said = run(command, "--layout", layout)
        assert code == 1 and f"{made} made, {1 - made} found done, 2 failed, 0 open, in {OUT}" in said
    names = {path.removeprefix("bucket/results/") for path in bucket.find("bucket/results")}
    assert {"000.glb", "000.json", "index.csv", "index.html"} <= names and len(whole(bucket)) == 1
    assert not [name for name in names if "tmp" in name or "probe" in name]
    rows = list(csv.DictReader(io.StringIO(bucket.cat_file("bucket/results/index.csv").decode())))
    assert [row["status"] for row in rows] == ["done", "failed", "failed"]


def test_killed_and_started_again(bucket, server, write_items, command):
    write_items(["sleep 0.1"] * 8)
    process = command("--out", OUT, "--workers", 1)
    until = time.monotonic() + 120
    while len(marks(bucket)) < 3:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = whole(bucket)
    code, said = run(command)
    assert code == 0 and len(before) >= 3
    after = whole(bucket)
    assert len(after) == 8 and before.items() <= after.items() and f"{len(before)} found done" in said
    assert max(count for path, count in server.puts.items() if path.endswith(".json")) == 1  # nothing done twice


def test_two_writers_at_a_time(bucket, server, write_items, command):
    """There are no locks: work may be done twice, but every result is whole, and the same whoever made it."""
    write_items(["sleep 0.05"] * 8)
    runs = [command("--out", OUT, "--workers", 1, "--shard", shard) for shard in ("1/1", "1/2")]
    assert [process.communicate(timeout=180) and process.returncode for process in runs] == [0, 0]
    found = whole(bucket)
    said = {key: each["sha256"] for key, each in marks(bucket).items()}
    assert len(found) == 8 and {key: hashlib.sha256(data).hexdigest() for key, data in found.items()} == said


def test_a_store_that_asks_to_slow_down_is_asked_again(bucket, server, write_items, command):
    write_items(["ok"] * 3)
    server.refuse = lambda method, path, count: count % 3 == 0
    code, said = run(command)
    assert code == 0 and "3 made, 0 found done, 0 failed" in said and len(whole(bucket)) == 3
    assert server.refused > 8  # of all kinds of requests: each waits before it asks again


def test_a_store_that_refuses_for_good_stops_the_run_and_loses_nothing(bucket, server, write_items, command):
    write_items(["ok"] * 6)
    server.refuse = lambda method, path, count: method == "PUT" and path.endswith(".glb") and len(server.puts) > 6
    code, said = run(command)
    assert code == 1 and "use fewer --workers" in said and "what is done stays done" in said
    done = whole(bucket)
    assert 1 <= len(done) < 6 and not [path for path in bucket.find("bucket/results") if "/failed/" in path]
    server.refuse = lambda method, path, count: False
    code, said = run(command)
    assert code == 0 and f"{6 - len(done)} made, {len(done)} found done" in said
    assert done.items() <= whole(bucket).items()


def test_a_bucket_that_is_not_there_is_told_before_any_work(bucket, write_items, command):
    write_items(["ok"])
    process = command("--out", "s3://missing/results")
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 2 and said.count("\n") == 1 and "cannot write in s3://missing/results" in said
