"""``zero123pp serve``: the page and the HTTP API on this machine; see docs/serve.md."""

import argparse
import sys
import webbrowser

from zero123pp.pipelines.commands.common_flags import positive_int
from zero123pp.pipelines.server import ServerSettings, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``serve`` to ``parser``."""
    add, default = parser.add_argument, ServerSettings()
    add("--host", default=default.host, metavar="NAME", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=default.port, metavar="N", help=f"0: a free one (default: {default.port})")
    add("--token", metavar="TEXT", help="asked for with every request; needed where others can reach --host")
    add("--open", action="store_true", help="open the page in the browser")
    add("--model", default=default.model, metavar="NAME", help="of jobs that name none (default: preview)")
    add("--text-model", metavar="NAME", help="checkpoint that draws pictures from texts (default: none)")
    add("--preset", default=default.preset, metavar="NAME", help="fast, default, quality, gpu, or a YAML file")
    add("--device", default=default.device, metavar="NAME", help="auto, cpu or cuda (default: auto)")
    add(
        "--queue", type=positive_int, default=default.queue, metavar="N",
        help=f"jobs that may wait (default: {default.queue})",
    )  # fmt: skip
    add(
        "--keep", type=positive_int, default=round(default.keep_seconds / 60), metavar="MINUTES",
        help="how long results are kept (default: 60)",
    )  # fmt: skip
    add(
        "--deadline", type=positive_int, default=round(default.deadline_s), metavar="SECONDS",
        help=f"a job that takes longer is stopped (default: {default.deadline_s:g})",
    )  # fmt: skip
    add(
        "--memory", type=positive_int, default=default.memory_mb, metavar="MB",
        help=f"a job that needs more is stopped (default: {default.memory_mb})",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    _check(args)
    settings = ServerSettings(
        host=args.host, port=args.port, token=args.token, model=args.model, text_model=args.text_model,
        preset=args.preset, device=args.device, queue=args.queue, keep_seconds=60.0 * args.keep,
        deadline_s=args.deadline, memory_mb=args.memory,
    )  # fmt: skip

    def tell(address: str) -> None:
        sys.stderr.write(f"{address} (Ctrl-C ends it)\n")
        sys.stderr.flush()
        if args.open:
            webbrowser.open(address)

    serve(settings, tell)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse at once a preset or a model with which every job would fail."""
    from zero123pp.configs import load
    from zero123pp.pipelines.image_to_mesh import PipelineConfig
    from zero123pp.pipelines.models import model_class, resolve_auto

    load(PipelineConfig, args.preset)
    name = resolve_auto() if args.model == "auto" else args.model
    model_class(name).weights(name)
