"""Thousands of pictures to meshes: `run.py batch --images FOLDER|LIST.csv|LIST.jsonl --out FOLDER`.

Each result is named by a hash of what it was made from and appears whole or not at all, so a run can be stopped or
killed at any moment and started again with the same command. See docs/scaling.md.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput, Zero123ppError
from zero123pp.machine import processors
from zero123pp.pipelines.batch import FLAT_ITEMS, LAYOUTS
from zero123pp.pipelines.commands import common_flags

if TYPE_CHECKING:
    from zero123pp.pipelines.batch import Batch, BatchSettings, Engine, Shard, Store

ENGINES = ("local", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``batch`` to ``parser``."""
    add = parser.add_argument
    add(
        "--images",
        required=True,
        metavar="DIR|LIST",
        help="a folder of pictures (with its sub-folders), or a .csv or .jsonl list with the columns image, views or "
        "prompt, and rig, model, seed, steps, guidance; its paths are relative to its own folder and stay inside",
    )
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="where the results go, a folder or an address such as s3://bucket/results; the same again: go on there",
    )
    add(
        "--layout",
        choices=("auto", *LAYOUTS),
        default="auto",
        help="flat: toy.glb; hashed: ab/abcd....glb; auto: flat in folders, hashed in object stores and for more than "
        f"{FLAT_ITEMS:,} rows; results of either are found again (default: auto)",
    )
    add("--workers", type=int, default=0, metavar="N", help="items at the same time (default: one a processor)")
    add("--engine", choices=ENGINES, default="local", help="local: this machine; ray: a cluster (default: local)")
    add("--ray-address", metavar="ADDRESS", help="auto or host:port of a cluster (default: start one on this machine)")
    add("--gpus", type=float, default=0.0, metavar="F", help="GPUs of each Ray worker, also a fraction (default: 0)")
    add("--cpus", type=float, default=1.0, metavar="F", help="processors of each Ray worker (default: 1)")
    add("--shard", default="1/1", metavar="I/N", help="only every N-th row, from the I-th on (default: 1/1)")
    add("--retry-failed", action="store_true", help="try again what earlier runs gave up")
    add("--together", type=int, default=1, metavar="N", help="draw so many in one call; for large GPUs (default: 1)")
    add("--deadline", type=float, default=1800.0, metavar="S", help="seconds an item may take (default: 1800)")
    add("--memory", type=int, metavar="MB", help="resident memory an item may take (default: an equal share of all)")
    add("--model", default="auto", metavar="NAME", help="as for the main job; rows may name another (default: auto)")
    common_flags.add_config(parser)
    common_flags.add_seed(parser, "of rows that name none")
    common_flags.add_drawing(parser, " of rows that name none")
    common_flags.add_mesh(parser)
    add("--thumbnail", type=int, default=160, metavar="PX", help="side of the contact sheet's pictures; 0: none")


def run(args: argparse.Namespace) -> int:
    """Make everything that is not done; 0 when all is done, 1 when items failed, 128 + signal when stopped."""
    from zero123pp.pipelines.batch import Batch, Item, Shard, common_identity, open_store, read_items
    from zero123pp.pipelines.inputs import passed_over_under
    from zero123pp.pipelines.models import resolve_auto

    _check(args)
    shard = Shard.parse(args.shard)
    auto = resolve_auto()  # once, so that a batch is of one model from its first item to its last
    model = auto if args.model == "auto" else args.model
    defaults = Item(0, model=model, seed=args.seed, steps=args.steps, guidance=args.guidance)
    skip = _results_among_pictures(args)
    _check_tables(args, shard)
    items, root = read_items(args.images, defaults, shard, skip=skip)
    if Path(args.images).is_dir() and (others := passed_over_under(root, skip)):
        sys.stderr.write(f"{others}\n")
    items = [item if item.model != "auto" else _of_model(item, auto) for item in items]
    settings = _settings(args)
    common_identity(model, settings)  # refuses a wrong preset, value or model before anything is started
    with closing(open_store(settings.out, _layout(args, len(items) * shard.count))) as store:
        batch = Batch(items, root, settings, store, retry_failed=args.retry_failed, together=args.together)
        store.clean()
        stop = _Stop()
        try:
            _work(batch, args, settings, stop)
        finally:
            store.clean()
            _write_tables(batch, store, items, shard)
    tally = batch.tally
    sys.stderr.write(
        f"{tally.done} made, {tally.found} found done, {tally.failed} failed, "
        f"{tally.total - tally.settled} open, in {args.out}\n"
    )
    _say_where_to_look(args.out, shard, tally.failed)
    if stop.signal:
        sys.stderr.write("interrupted; run the same command again to go on\n")
        return 128 + stop.signal
    return 1 if tally.failed or tally.settled < tally.total else 0


def _results_among_pictures(args: argparse.Namespace) -> Path | None:
    """The folder of the results, where it is to be left out of that of the pictures; BadInput when they are one."""
    from zero123pp.pipelines.batch import is_folder

    if not is_folder(args.out) or "\0" in args.out + args.images:
        return None
    out, pictures = Path(args.out).resolve(), Path(args.images).resolve()
    if out == pictures:
        raise BadInput(f"--out {args.out} is the folder of the pictures; name another one, for example results")
    return out


def _check_tables(args: argparse.Namespace, shard: "Shard") -> None:
    """BadInput when the tables of the results would replace the list, or a file of somebody else's."""
    from zero123pp.pipelines.batch import check_tables, is_folder, table_name

    if not is_folder(args.out) or "\0" in args.out + args.images:
        return
    for suffix in (".csv", ".parquet", ".html"):
        table = Path(args.out, table_name("index", shard, suffix))
        if table.exists() and Path(args.images).exists() and table.samefile(args.images):
            raise BadInput(
                f"--images {args.images} would be replaced by the table of the results; choose another --out"
            )
    check_tables(Path(args.out), shard)


def _layout(args: argparse.Namespace, rows: int) -> str:
    from zero123pp.pipelines.batch import is_folder

    if args.layout != "auto":
        return args.layout
    return "flat" if is_folder(args.out) and rows <= FLAT_ITEMS else "hashed"


def _say_where_to_look(out: str, shard: "Shard", failed: int) -> None:
    from zero123pp.pipelines.batch import table_name

    where = out.rstrip("/")
    lines = [f"look at {where}/{table_name('index', shard, '.html')}; {table_name('index', shard, '.csv')} is a table"]
    if failed:
        lines.append(f"why {failed} failed: in both, and in {where}/failed/; --retry-failed tries again")
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _work(batch: "Batch", args: argparse.Namespace, settings: "BatchSettings", stop: "_Stop") -> None:
    from zero123pp.pipelines.batch import progress_bar

    engine = _engine(args, settings, batch.tally.total)
    with _signals(stop):  # after the engine: Ray installs handlers of its own when it starts
        try:
            with progress_bar(sys.stderr.isatty()) as tick:
                batch.run(engine, stopped=lambda: stop.signal != 0, tick=tick)
        finally:
            engine.close()


def _engine(args: argparse.Namespace, settings: "BatchSettings", count: int) -> "Engine":
    from zero123pp.pipelines.batch import Limits, share_of_memory_mb

    limits = Limits(deadline_s=args.deadline, memory_mb=args.memory)
    if args.engine == "ray":
        from zero123pp.pipelines.batch import RayEngine

        return RayEngine(
            settings, limits, args.workers, address=args.ray_address, cpus=args.cpus, gpus=args.gpus, items=count
        )
    from dataclasses import replace

    from zero123pp.pipelines.batch import LocalEngine

    workers = max(1, min(args.workers or len(processors()), count))
    if limits.memory_mb is None:
        limits = replace(limits, memory_mb=share_of_memory_mb(workers))
    return LocalEngine(settings, limits, workers)


def _settings(args: argparse.Namespace) -> "BatchSettings":
    from zero123pp.pipelines.batch import BatchSettings, absolute

    preset = str(Path(args.preset).resolve()) if args.preset.endswith((".yaml", ".yml")) else args.preset
    return BatchSettings(absolute(args.out), preset, tuple(common_flags.overrides(args)), args.device, args.thumbnail)


def _of_model(item: object, model: str) -> object:
    from dataclasses import replace

    return replace(item, model=model)


def _check(args: argparse.Namespace) -> None:
    if not args.out:
        raise BadInput("--out is empty; name a folder for the results")
    if args.workers < 0:
        raise BadInput(f"--workers is {args.workers}; expected a number of workers, or 0 for one a processor")
    if not 1 <= args.together <= 1000:
        raise BadInput(f"--together is {args.together}; expected 1 to 1000 items")
    if not 0 < args.deadline < 1e7:
        raise BadInput(f"--deadline is {args.deadline}; expected seconds above 0")
    if args.memory is not None and args.memory < 100:
        raise BadInput(f"--memory is {args.memory} MB; a worker needs 100 MB before it does anything")
    if not 0 <= args.thumbnail <= 2048:
        raise BadInput(f"--thumbnail is {args.thumbnail}; expected 0 to 2048 px")
    if args.engine != "ray" and (args.ray_address or args.gpus):
        raise BadInput("--ray-address and --gpus belong to --engine ray")
    if args.gpus < 0 or args.cpus <= 0:
        raise BadInput(f"--cpus {args.cpus} and --gpus {args.gpus}: expected processors above 0 and GPUs from 0 on")


def _write_tables(batch: "Batch", store: "Store", items: list, shard: "Shard") -> None:
    """The index and the contact sheets of what there is. Can be made again at any time, so a failure is only told."""
    from zero123pp.pipelines.batch import rows, write_contact_sheets, write_index

    try:
        table = list(rows(items, batch.keys, store))
        with store.tables() as folder:
            write_index(table, folder, shard)
            write_contact_sheets(table, folder, shard, store.has_picture)
    except (Zero123ppError, OSError) as error:
        sys.stderr.write(f"no index: {error}\n")


class _Stop:
    """Which signal asked to stop; 0 for none."""

    signal = 0


@contextmanager
def _signals(stop: _Stop) -> Iterator[None]:
    """Ctrl-C and SIGTERM set ``stop`` instead of raising somewhere; a second one does what it always did."""
    before = {}

    def ask(number: int, _frame: object) -> None:
        stop.signal = number
        signal.signal(number, before[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread: whoever called decides about signals
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
