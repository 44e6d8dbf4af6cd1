"""The book of jobs with a clock of its own: order, room, time, and what is told."""

import pytest

from zero123pp.pipelines.server.jobs import Full, Jobs
from zero123pp.pipelines.server.work import Made, Told, Work

pytestmark = pytest.mark.quick


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def book(clock=None, queue=20, keep_seconds=100.0, keep_bytes=1000):
    return Jobs(queue=queue, keep_seconds=keep_seconds, keep_bytes=keep_bytes, clock=clock or Clock())


def work(kind="object", size=10, **more):
    return Work("", kind, pictures={"image": bytes(size)}, **more)


def made(size=10, seconds=2.0, **stages):
    return Made("done", "", seconds, files={"model.glb": bytes(size)}, facts={"seconds": stages})


def test_ids_cannot_be_guessed_and_work_bears_them():
    jobs = book()
    found = {jobs.add(work()).id for _ in range(20)}
    assert len(found) == 20 and all(len(each) == 32 and int(each, 16) for each in found)
    job = jobs.take(0)
    assert job.work.key == job.id


def test_short_jobs_first_then_first_come_first_served():
    jobs = book()
    order = [jobs.add(work(kind)) for kind in ("object", "export", "object", "cutout", "cutout")]
    assert [jobs.state(each)["position"] for each in order] == [4, 3, 5, 1, 2]
    assert [jobs.take(0) for _ in range(5)] == [order[3], order[4], order[1], order[0], order[2]]
    assert jobs.take(0) is None


def test_one_that_lost_its_worker_is_next():
    jobs = book()
    first, _ = jobs.add(work()), jobs.add(work("cutout"))
    jobs.take(0)
    assert jobs.take(0) is first
    jobs.add(work("cutout"))
    jobs.put_back(first)
    assert jobs.take(0) is first and first.tries == 2


def test_room_is_made_by_the_oldest_results_and_never_by_who_waits():
    clock = Clock()
    jobs = book(clock, keep_bytes=100)
    ended = []
    for _ in range(3):
        jobs.add(work(size=0))
        ended.append(jobs.take(0))
        clock.now += 1
        jobs.end(ended[-1], made(40))
    assert [jobs.get(each.id) is not None for each in ended] == [False, True, True]
    waiting = jobs.add(work(size=90))
    assert not any(jobs.get(each.id) for each in ended) and jobs.get(waiting.id)
    with pytest.raises(Full, match="room"):
        jobs.add(work(size=20))
    assert jobs.counts()["bytes"] == 90


def test_what_was_sent_is_let_go_at_the_end_and_the_result_after_its_time():
    clock = Clock()
    jobs = book(clock)
    jobs.add(work(size=500))
    job = jobs.take(0)
    jobs.end(job, made(10))
    assert job.work is None and jobs.counts()["bytes"] == 10
    clock.now = 99
    assert jobs.file(job.id, "model.glb") == bytes(10) and jobs.file(job.id, "../model.glb") is None
    clock.now = 101
    assert jobs.get(job.id) is None and jobs.counts()["bytes"] == 0


def test_the_same_key_finds_the_same_content_only():
    jobs = book()
    one = jobs.add(work(), ("key", "digest"))
    assert jobs.add(work(), ("key", "digest")) is one
    assert jobs.add(work(), ("key", "other")) is not one, "a stranger who has the same key sees nothing of it"
    jobs.delete(one)
    assert jobs.add(work(), ("key", "digest")) is not one


def test_seconds_left_are_those_of_all_who_come_before():
    clock = Clock()
    jobs = book(clock)
    jobs.add(work())
    first = jobs.take(0)
    assert jobs.state(first)["seconds_left"] is None, "nothing is known yet"
    jobs.end(first, made(seconds=4.0, cutout=1.0, texture=3.0))
    jobs.add(work())
    second, third = jobs.take(0), jobs.add(work())
    clock.now += 1
    assert jobs.state(second)["seconds_left"] == pytest.approx(3.0)
    assert jobs.state(third)["seconds_left"] == pytest.approx(7.0)
    jobs.told(second, Told("texture", 1 / 3))
    assert jobs.state(second)["progress"] == 50
    jobs.told(second, Told("cutout", 0.0))
    assert jobs.state(second)["progress"] == 50, "progress never goes back"
    clock.now += 60
    assert jobs.state(second)["seconds_left"] == pytest.approx(0.1)


def test_listeners_hear_of_their_own_job_until_they_stop():
    jobs, heard = book(), []
    one, other = jobs.add(work()), jobs.add(work())
    stop = jobs.listen(one, lambda: heard.append(1))
    jobs.told(other, Told("texture"))
    assert not heard
    jobs.take(0)
    jobs.told(one, Told("texture", 0.5, {"untextured.glb": b"x"}))
    stop()
    jobs.end(one, made())
    assert len(heard) == 2 and set(jobs.state(one)["files"]) == {"untextured.glb", "model.glb"}


def test_a_cancelled_or_failed_job_keeps_no_files():
    jobs = book()
    jobs.add(work())
    job = jobs.take(0)
    jobs.told(job, Told("mesh", 0.0, {"untextured.glb": b"x"}))
    jobs.end(job, None, "it broke")
    state = jobs.state(job)
    assert (state["status"], state["task_error"], state["files"]) == ("FAILED", {"message": "it broke"}, {})
    jobs.end(job, made())
    assert jobs.state(job)["status"] == "FAILED", "what has ended stays as it is"
