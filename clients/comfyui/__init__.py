"""A node of ComfyUI: a picture goes to a running `zero123pp serve`, a textured .glb comes back.

Copy this folder into ComfyUI/custom_nodes. The server's address and token are taken from ZERO123PP_SERVER and
ZERO123PP_TOKEN, so that no workflow holds a secret; the address can be set on the node too.
"""

import io as streams
import json
import os
import secrets
import struct
import time
import urllib.error
import urllib.request
import zlib

from comfy_api.latest import ComfyAPISync, ComfyExtension, Types, io

LOCAL = "http://127.0.0.1:8000"
_SECONDS = 30.0
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


class PictureTo3D(io.ComfyNode):
    """One picture of one object to one textured mesh."""

    @classmethod
    def define_schema(cls):
        """What it takes and gives."""
        return io.Schema(
            node_id="Zero123ppPictureTo3D",
            display_name="Picture to 3D (zero123pp)",
            category="3d",
            description="A textured mesh of the object in a picture, made by a running `zero123pp serve`.",
            inputs=[
                io.Image.Input("image", tooltip="The first picture of the batch; one object, plain background."),
                io.Mask.Input("mask", optional=True, tooltip="White is the object. Without it the server finds it."),
                io.Image.Input("back", optional=True, tooltip="A picture of the other side."),
                io.Int.Input("triangles", default=10000, min=100, max=200000, tooltip="At most."),
                io.Combo.Input("texture_size", options=["512", "1024", "2048", "4096"], default="1024"),
                io.Combo.Input("origin", options=["as made", "center", "bottom"], default="as made"),
                io.Int.Input("seed", default=0, min=0, max=2**32 - 1, control_after_generate=True),
                io.Float.Input("depth", default=1.0, min=0.1, max=4.0, step=0.05, tooltip="Below 1: thinner."),
                io.Float.Input(
                    "elevation", default=-91.0, min=-91.0, max=90.0, step=1.0, optional=True,
                    tooltip="Degrees the camera looks down on the object; -91: as the picture tells.",
                ),
                io.String.Input("server", default="", optional=True, tooltip=f"Empty: ZERO123PP_SERVER, else {LOCAL}"),
            ],
            outputs=[io.File3DGLB.Output("glb", display_name="GLB"), io.String.Output("report", display_name="report")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, image, triangles, texture_size, origin, seed, depth, mask=None, back=None, elevation=-91.0, server=""
    ):
        """Send the picture, wait, and hand on the file; the report is JSON."""
        fields = {"target_polycount": triangles, "texture_size": texture_size, "seed": seed}
        fields |= {} if origin == "as made" else {"origin_at": origin}
        fields |= {} if depth == 1.0 else {"depth": depth}
        fields |= {} if elevation < -90 else {"elevation": elevation}
        pictures = {"image": png(image[0])}
        pictures |= {} if mask is None else {"mask": png(mask[0])}
        pictures |= {} if back is None else {"back": png(back[0])}
        talk = Server(server.strip() or os.environ.get("ZERO123PP_SERVER", LOCAL), os.environ.get("ZERO123PP_TOKEN"))
        state = talk.made(fields, pictures, _shown)
        file = Types.File3D(streams.BytesIO(talk.ask("GET", state["model_urls"]["glb"])), file_format="glb")
        return io.NodeOutput(file, json.dumps({"id": state["id"], "warnings": state["warnings"]}))


class Nodes(ComfyExtension):
    """All nodes of this folder."""

    async def get_node_list(self):
        """The one there is."""
        return [PictureTo3D]


async def comfy_entrypoint():
    """What ComfyUI asks a folder of nodes for."""
    return Nodes()


class Server:
    """The few requests that are needed."""

    def __init__(self, address, token=None):
        if not address.startswith(("http://", "https://")):
            raise RuntimeError(f"zero123pp: the server's address is {address!r}; expected http://HOST:PORT")
        self._address, self._headers = address.rstrip("/"), {} if not token else {"Authorization": f"Bearer {token}"}

    def made(self, fields, pictures, progress):
        """The state of a job that has succeeded; ``progress`` gets each state, and may raise, which cancels the job."""
        body, kind = _multipart(fields, pictures)
        state = json.loads(self.ask("POST", "/v1/jobs", body, {"Content-Type": kind}))
        try:
            while state["status"] not in _ENDED:
                progress(state)
                time.sleep(0.3)
                state = json.loads(self.ask("GET", f"/v1/jobs/{state['id']}"))
        except BaseException:
            self.ask("DELETE", f"/v1/jobs/{state['id']}")
            raise
        if state["status"] != "SUCCEEDED":
            raise RuntimeError(f"zero123pp: {(state.get('task_error') or {}).get('message') or 'cancelled'}")
        return state

    def ask(self, method, path, body=None, headers=()):
        """The answer's bytes; RuntimeError with the server's own line where it refuses."""
        sent = {**self._headers, **dict(headers)}
        request = urllib.request.Request(self._address + path, body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            try:
                said = json.loads(error.read())["error"]["message"]
            except (ValueError, KeyError, TypeError):
                said = f"the server answered {error.code}"
            raise RuntimeError(f"zero123pp: {said}") from error
        except OSError as error:
            raise RuntimeError(f"no zero123pp server answers at {self._address}; start one: zero123pp serve") from error


def png(values):
    """A PNG of a tensor (H, W), (H, W, 3) or (H, W, 4) in [0, 1]."""
    pixels = (values.clamp(0, 1) * 255).round().byte().cpu().contiguous()
    height, width, channels = *pixels.shape[:2], pixels.shape[2] if pixels.dim() == 3 else 1
    kind, row = {1: 0, 3: 2, 4: 6}[channels], width * channels
    data = pixels.numpy().tobytes()
    rows = b"".join(b"\0" + data[start : start + row] for start in range(0, height * row, row))

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


def _shown(state):
    """The progress on the node; raises where the user has pressed stop."""
    ComfyAPISync().execution.set_progress(state["progress"], 100)
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted
    except ImportError:  # not inside ComfyUI
        return
    throw_exception_if_processing_interrupted()


def _multipart(fields, pictures):
    boundary, parts = secrets.token_hex(16), []
    for name, value in {**fields, **pictures}.items():
        file = '; filename="picture.png"' if name in pictures else ""
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode())
        parts += [value if isinstance(value, bytes) else str(value).encode(), b"\r\n"]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
