"""The HTTP API and the page: see docs/serve.md, and ``/v1/openapi.json`` of a running server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import FastAPI, File, Form, Header, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from zero123pp import __version__
from zero123pp.errors import BadInput
from zero123pp.pipelines.server.dispatcher import Dispatcher
from zero123pp.pipelines.server.forms import ORIGINS, cutout_work, digest, export_work, object_work
from zero123pp.pipelines.server.guard import Guard
from zero123pp.pipelines.server.jobs import ENDED, SUCCEEDED, Full, Job, Jobs
from zero123pp.pipelines.server.page import EXAMPLES, page_files, style_hashes
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import Work
from zero123pp.recon.export import AXES, COLLISIONS, EXPORTERS, MATERIALS, TEXTURE_FORMATS, UNITS

MEDIA = {
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "png": "image/png",
    "jpg": "image/jpeg",
    "json": "application/json",
    "zip": "application/zip",
    "obj": "model/obj",
    "stl": "model/stl",
    "3mf": "model/3mf",
}
_EVENT_SECONDS = 1.0
"""Between two events at most: the seconds that are left change by themselves."""

Picture = Annotated[UploadFile | None, File()]


def create_app(settings: ServerSettings, jobs: Jobs, dispatcher: Dispatcher) -> Guard:
    """The ASGI application, guarded; starting and stopping the dispatcher is up to the caller."""
    app = FastAPI(
        title="zero123pp", version=__version__, docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json",
        description="One picture in, one textured 3D mesh out.",
    )  # fmt: skip
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(BadInput, lambda _, error: _error(422, str(error)))
    app.add_exception_handler(Full, lambda _, error: _error(429, str(error), {"retry-after": "5"}))
    _add_page(app)
    _add_making(app, settings, jobs)
    _add_looking(app, settings, jobs, dispatcher)
    return Guard(app, settings, style_hashes())


def _add_page(app: FastAPI) -> None:
    async def page(request: Request) -> Response:
        file = page_files()[request.scope["path"]]
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.type, headers=headers)

    for path in page_files():
        app.add_api_route(path, page, methods=["GET"], include_in_schema=False)


def _add_making(app: FastAPI, settings: ServerSettings, jobs: Jobs) -> None:
    """Requests that begin a job."""
    Key = Annotated[str | None, Header(max_length=200, description="the same key and content give the same job")]

    @app.post("/v1/cutouts", status_code=202, summary="Find the object of a picture, to be corrected before a job")
    async def make_cutout(
        image: Picture = None,
        prompt: Annotated[str | None, Form(max_length=1000)] = None,
        seed: Annotated[int, Form(ge=0, lt=2**32)] = 0,
        idempotency_key: Key = None,
    ) -> dict[str, Any]:
        pictures = await _contents(image=image)
        return _begun(cutout_work(settings, pictures, prompt, seed), idempotency_key)

    @app.post("/v1/jobs", status_code=202, summary="Make a textured mesh of a picture, or of a sheet of six views")
    async def make_object(
        image: Picture = None,
        sheet: Picture = None,
        back: Picture = None,
        mask: Picture = None,
        model: Annotated[str | None, Form(max_length=200)] = None,
        seed: Annotated[int, Form(ge=0, lt=2**32)] = 0,
        target_polycount: Annotated[int | None, Form(ge=100, le=200_000)] = None,
        texture_size: Literal["256", "512", "1024", "2048", "4096", None] = Form(None),
        origin_at: Literal[tuple(ORIGINS)] | None = Form(None),
        topology: Literal["triangle"] = Form("triangle"),
        rig: Annotated[str | None, Form(max_length=40)] = None,
        depth: Annotated[float | None, Form(ge=0.1, le=4, description="factor of the depth along the sight")] = None,
        elevation: Annotated[float | None, Form(ge=-90, le=90, description="degrees the camera looks down")] = None,
        up: Annotated[float | None, Form(ge=-180, le=180, description="degrees the object's top is turned")] = None,
        symmetry: Literal["auto", "off", "mirror", "lathe", None] = Form(None),
        idempotency_key: Key = None,
    ) -> dict[str, Any]:
        asked = {
            "model": model, "seed": seed, "target_polycount": target_polycount, "texture_size": texture_size,
            "origin_at": origin_at, "rig": rig, "depth": depth, "elevation": elevation, "up": up, "symmetry": symmetry,
        }  # fmt: skip
        pictures = await _contents(image=image, sheet=sheet, back=back, mask=mask)
        return _begun(object_work(settings, pictures, asked), idempotency_key)

    @app.post("/v1/jobs/{number}/exports", status_code=202, summary="Another file of a finished mesh, not made anew")
    async def make_export(
        number: str,
        format: Literal[tuple(suffix.lstrip(".") for suffix in EXPORTERS)] = Form(),
        size: Annotated[float | None, Form(gt=0, le=1000, description="longest side, metres")] = None,
        origin_at: Literal[tuple(ORIGINS)] | None = Form(None),
        axes: Literal[AXES] | None = Form(None),
        units: Literal[UNITS] | None = Form(None),
        texture_format: Literal[TEXTURE_FORMATS] | None = Form(None),
        faces: Annotated[int | None, Form(ge=100, le=200_000)] = None,
        lods: Annotated[int | None, Form(ge=1, le=8)] = None,
        collision: Literal[COLLISIONS] | None = Form(None),
        texture_size: Annotated[int | None, Form(ge=16, le=8192)] = None,
        topology: Literal["triangle", "quad"] = Form("triangle"),
        material: Literal[tuple(MATERIALS)] | None = Form(None),
        idempotency_key: Key = None,
    ) -> dict[str, Any]:
        job = _job(jobs, number)
        if job.status != SUCCEEDED or "model.glb" not in job.files:
            raise HTTPException(409, "this job has no mesh (yet)")
        asked = {
            "format": format, "size": size, "origin_at": origin_at, "axes": axes, "units": units, "faces": faces,
            "texture_format": texture_format, "lods": lods, "collision": collision, "texture_size": texture_size,
            "topology": topology, "material": material,
        }  # fmt: skip
        return _begun(export_work(job.files["model.glb"], asked), idempotency_key)

    def _begun(work: Work, key: str | None) -> dict[str, Any]:
        return jobs.state(jobs.add(work, None if key is None else (key, digest(work))))


def _add_looking(app: FastAPI, settings: ServerSettings, jobs: Jobs, dispatcher: Dispatcher) -> None:
    """Requests about jobs that have begun, and about the server."""

    @app.get("/v1/jobs/{number}", summary="Where a job stands")
    async def state(number: str) -> dict[str, Any]:
        return jobs.state(_job(jobs, number))

    @app.get("/v1/jobs/{number}/events", summary="The same at each change, as server-sent events, until it ends")
    async def events(number: str) -> StreamingResponse:
        return StreamingResponse(_events(jobs, _job(jobs, number)), media_type="text/event-stream")

    @app.get("/v1/jobs/{number}/files/{name}", summary="One of its files")
    async def file(number: str, name: str) -> Response:
        content = jobs.file(number, name)
        if content is None:
            raise HTTPException(404, "there is no such file")
        headers = {"cache-control": "no-store", "content-disposition": f'inline; filename="{name}"'}
        return Response(content, media_type=MEDIA.get(name.rpartition(".")[2], _BYTES), headers=headers)

    @app.post("/v1/jobs/{number}/cancel", summary="Stop it; what is there already stays")
    async def cancel(number: str) -> dict[str, Any]:
        job = _job(jobs, number)
        jobs.cancel(job)
        return jobs.state(job)

    @app.delete("/v1/jobs/{number}", status_code=204, summary="Stop it, and delete all its files now")
    async def delete(number: str) -> Response:
        jobs.delete(_job(jobs, number))
        return Response(status_code=204)

    @app.get("/v1/health", summary="Whether the worker is ready, and what this server offers")
    async def health() -> dict[str, Any]:
        counts = jobs.counts()
        return {
            "status": "ok",
            "version": __version__,
            "worker": dispatcher.state,
            "waiting": counts["waiting"],
            "in_progress": counts["in_progress"],
            "models": list(settings.models),
            "prompts": settings.text_model is not None,
            "formats": [suffix.lstrip(".") for suffix in EXPORTERS],
            "examples": [f"/static/example-{name}.webp" for name in EXAMPLES],
            "upload_bytes": settings.upload_bytes,
            "keep_seconds": settings.keep_seconds,
        }


_BYTES = "application/octet-stream"


async def _contents(**files: UploadFile | None) -> dict[str, bytes]:
    """Of the files that were sent; their names are looked at by nobody."""
    return {name: await file.read() for name, file in files.items() if file is not None}


def _job(jobs: Jobs, number: str) -> Job:
    job = jobs.get(number)
    if job is None:
        raise HTTPException(404, "there is no such job; results are kept for a while only")
    return job


async def _events(jobs: Jobs, job: Job) -> AsyncIterator[bytes]:
    """The job's states, each once."""
    loop, changed, last = asyncio.get_running_loop(), asyncio.Event(), None
    stop = jobs.listen(job, lambda: loop.call_soon_threadsafe(changed.set))
    try:
        while True:
            changed.clear()
            state = jobs.state(job)
            if state != last:
                yield f"data: {json.dumps(state)}\n\n".encode()
                last = state
            if state["status"] in ENDED:
                return
            try:
                await asyncio.wait_for(changed.wait(), _EVENT_SECONDS)
            except TimeoutError:
                pass
    finally:
        stop()


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    line = " ".join(message.split())[:500]
    return JSONResponse({"error": {"message": line}}, status, {"cache-control": "no-store", **(headers or {})})


def _http_error(_: Request, error: HTTPException) -> JSONResponse:
    return _error(error.status_code, str(error.detail), error.headers)


def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    """The first thing that is wrong, in the names that were sent."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first.get("loc", ())[1:]) or "the body"
    given = first.get("input")
    shown = f" is {str(given)[:40]!r}" if isinstance(given, str | int | float) else ""
    return _error(422, f"{name}{shown}: {first['msg'].removeprefix('Input ')}")
