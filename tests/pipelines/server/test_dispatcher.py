"""What happens to a worker happens to its job alone: visitors, kills, limits, with real processes."""

import os
import signal
import threading
import time

import pytest
from served import SCRIPTED, ask, children, served, until_ready

from zero123pp.client import Client
from zero123pp.errors import StageFailed
from zero123pp.pipelines.server import INSTALL

pytest.importorskip("fastapi", reason=INSTALL)


def words(text):
    """A picture that says what happens."""
    return b"GIF89a " + text.encode()


def last(client, job):
    """The state in which a job ends."""
    return list(client.watch(job["id"], 0.05))[-1]


@pytest.fixture(scope="module")
def scripted():
    with served(program=SCRIPTED) as (address, process):
        yield Client(address), process


def test_five_visitors_at_once_and_a_worker_killed_in_the_middle(scripted):
    """All finish, in order, each with what is made of his own picture; the one that was under way is made anew."""
    client, process = scripted
    ended, jobs = [], [client.submit(image=words(f"sleep 0.4 visitor {number}")) for number in range(5)]
    assert jobs[-1]["position"] >= 4

    def wait(number):
        ended.append((number, last(client, jobs[number])))

    visitors = [threading.Thread(target=wait, args=[number]) for number in range(5)]
    for visitor in visitors:
        visitor.start()
    while client.state(jobs[1]["id"])["status"] != "IN_PROGRESS":
        time.sleep(0.02)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    for visitor in visitors:
        visitor.join(60)
    assert [number for number, _ in sorted(ended)] == [0, 1, 2, 3, 4]
    workers = []
    for number, state in sorted(ended):
        assert state["status"] == "SUCCEEDED", state
        assert client.file(state["model_urls"]["glb"]) == b"glTF" + words(f"sleep 0.4 visitor {number}")
        workers.append(int(client.file(state["files"]["worker.txt"])))
        others = [other["id"] for other in jobs if other["id"] != state["id"]]
        assert not any(other in str(state) for other in others)
    assert workers[0] == worker and set(workers[1:]) == {workers[1]} and workers[1] != worker
    times = {state["id"]: number for number, (_, state) in enumerate(ended)}
    assert [times[job["id"]] for job in jobs] == sorted(times.values()), "somebody was overtaken"


def test_a_job_whose_worker_is_killed_twice_ends_in_words(scripted):
    client, process = scripted
    job, killed = client.submit(image=words("sleep 20")), set()
    while len(killed) < 2:
        for worker in set(children(process.pid)) - killed:
            if client.state(job["id"])["stage"] == "texture":
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
        time.sleep(0.02)
    state = last(client, job)
    assert state["status"] == "FAILED" and "ended from outside, twice" in state["task_error"]["message"]


@pytest.mark.parametrize(
    ("picture", "words_of_it"),
    [("exit", "makes the program crash"), ("segv", "makes the program crash"), ("raise", "ValueError: as told")],
)
def test_a_picture_that_harms_its_worker_costs_itself(scripted, picture, words_of_it):
    client, _ = scripted
    bad, good = client.submit(image=words(picture)), client.submit(image=words("fine"))
    state = last(client, bad)
    assert state["status"] == "FAILED" and words_of_it in state["task_error"]["message"] and not state["files"]
    assert last(client, good)["status"] == "SUCCEEDED"


def test_time_and_memory_have_limits():
    with served("--deadline-s", "1.5", "--memory-mb", "300", program=SCRIPTED) as (address, _):
        client = Client(address)
        slow, large = client.submit(image=words("stuck")), client.submit(image=words(f"grow {10**9}"))
        assert "longer than 1.5 s" in last(client, slow)["task_error"]["message"]
        assert "more than 300 MB" in last(client, large)["task_error"]["message"]
        assert last(client, client.submit(image=words("fine")))["status"] == "SUCCEEDED"


def test_a_job_that_does_not_listen_is_cancelled_all_the_same(scripted):
    client, process = scripted
    deaf, willing = client.submit(image=words("stuck")), client.submit(image=words("sleep 20"))
    while client.state(deaf["id"])["status"] != "IN_PROGRESS":
        time.sleep(0.02)
    client.cancel(deaf["id"])
    assert last(client, deaf)["status"] == "CANCELED"
    while client.state(willing["id"])["stage"] != "texture":
        time.sleep(0.02)
    before = children(process.pid)
    client.cancel(willing["id"])
    assert last(client, willing)["status"] == "CANCELED" and children(process.pid) == before, "the warm worker is kept"


def test_a_full_queue_says_so_and_the_short_jobs_go_first():
    with served("--queue", "3", program=SCRIPTED) as (address, _):
        client = Client(address)
        first = client.submit(image=words("sleep 1.5"))
        while client.state(first["id"])["status"] != "IN_PROGRESS":
            time.sleep(0.02)
        waiting = [client.submit(image=words("sleep 0.1")) for _ in range(3)]
        with pytest.raises(ValueError, match="3 jobs are waiting"):
            client.submit(image=words("sleep 0.1"))
        client.cancel(waiting.pop()["id"])
        body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nGIF89a\r\n--x--\r\n'
        status, _, answer = ask(
            address, "POST", "/v1/cutouts", body, [("Content-Type", "multipart/form-data; boundary=x")]
        )
        assert status == 202 and b'"position":1' in answer.replace(b": ", b":")


def test_results_are_deleted_after_their_time():
    with served("--keep-seconds", "1", program=SCRIPTED) as (address, _):
        client = Client(address)
        job = last(client, client.submit(image=words("fine")))
        url = job["model_urls"]["glb"]
        assert client.file(url)
        time.sleep(1.2)
        for path in (url, f"/v1/jobs/{job['id']}"):
            assert ask(address, "GET", path)[0] == 404


def test_a_worker_that_dies_while_nobody_waits_is_replaced(scripted):
    client, process = scripted
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + 20
    while children(process.pid) in ([worker], []) and time.monotonic() < end:
        time.sleep(0.05)
    assert len(children(process.pid)) == 1
    until_ready(client._address)
    with pytest.raises(StageFailed):
        client.make(words("raise"))
