"""File > Import > Picture to 3D: a picture goes to a running `zero123pp serve`, its textured mesh comes into the scene.

For Blender 4.2 and later: zip this folder and drop it on the window, or `blender --command extension build`. Needs
nothing but Blender; the server may run on this machine or, with a token, on another.
"""

import json
import os
import secrets
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

LOCAL = "http://127.0.0.1:8000"
_SECONDS = 30.0
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


class Refused(Exception):
    """What the server, or the way to it, says."""


class Job(threading.Thread):
    """One picture on its way, beside Blender's own thread."""

    def __init__(self, server, token, picture, fields):
        super().__init__(daemon=True)
        self._server, self._token, self._picture, self._fields = server.rstrip("/"), token, picture, fields
        self._stop_asked = threading.Event()
        self.said = "asking the server"
        """How it stands, for the status bar."""
        self.progress = 0.0
        self.glb = None
        """The mesh, when the thread has ended well."""
        self.error = None
        """A line, when it has not."""

    def stop(self):
        """Cancel it."""
        self._stop_asked.set()

    def run(self):
        """Send, wait, fetch."""
        try:
            self.glb = self._made()
        except Refused as error:
            self.error = str(error)

    def _made(self):
        try:
            with open(self._picture, "rb") as file:
                body, kind = _multipart(self._fields, file.read())
        except OSError as error:
            raise Refused(f"cannot read {self._picture}: {error.strerror}") from error
        state = json.loads(self._ask("POST", "/v1/jobs", body, {"Content-Type": kind}))
        while state["status"] not in _ENDED:
            self.progress = state["progress"] / 100
            self.said = f"{state['stage'] or 'waiting'}, {state['progress']} %"
            if self._stop_asked.wait(0.3):
                self._ask("DELETE", f"/v1/jobs/{state['id']}")
                raise Refused("cancelled")
            state = json.loads(self._ask("GET", f"/v1/jobs/{state['id']}"))
        if state["status"] != "SUCCEEDED":
            raise Refused((state.get("task_error") or {}).get("message") or "cancelled")
        return self._ask("GET", state["model_urls"]["glb"])

    def _ask(self, method, path, body=None, headers=()):
        sent = {**({"Authorization": f"Bearer {self._token}"} if self._token else {}), **dict(headers)}
        try:
            request = urllib.request.Request(self._server + path, body, sent, method=method)
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            try:
                said = json.loads(error.read())["error"]["message"]
            except (ValueError, KeyError, TypeError):
                said = f"the server answered {error.code}"
            raise Refused(said) from error
        except (OSError, ValueError) as error:
            raise Refused(f"no zero123pp server answers at {self._server}; start one: zero123pp serve") from error


class Preferences(bpy.types.AddonPreferences):
    """Where the server is."""

    bl_idname = __package__ or __name__

    server: StringProperty(name="Server", default=LOCAL, description="Address of a running zero123pp serve")
    token: StringProperty(name="Token", subtype="PASSWORD", description="Asked for by servers on other machines")

    def draw(self, context):
        """Both fields."""
        self.layout.prop(self, "server")
        self.layout.prop(self, "token")


class PictureTo3D(bpy.types.Operator, ImportHelper):
    """Make a textured mesh of the object in a picture"""  # noqa: D415  (a tooltip of Blender, which adds the stop)

    bl_idname = "import_scene.zero123pp"
    bl_label = "Picture to 3D"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012  (Blender reads it)

    filename_ext = ".png"
    filter_glob: StringProperty(default="*.png;*.jpg;*.jpeg;*.webp", options={"HIDDEN"})
    triangles: IntProperty(name="Triangles", default=10000, min=100, max=200000, description="At most")
    texture_size: EnumProperty(
        name="Texture", default="1024", items=[(each, f"{each} px", "") for each in ("512", "1024", "2048", "4096")]
    )
    origin: EnumProperty(
        name="Origin",
        default="bottom",
        items=[("bottom", "Bottom", "It stands on the floor"), ("center", "Center", "Middle of the object")],
    )
    height: FloatProperty(name="Height", default=0.0, min=0.0, unit="LENGTH", description="0 leaves it as it comes")
    seed: IntProperty(name="Seed", default=0, min=0)
    server: StringProperty(name="Server", description="Empty: the one of the preferences", options={"SKIP_SAVE"})
    token: StringProperty(name="Token", subtype="PASSWORD", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context):
        """Send the picture; with a window Blender goes on meanwhile, without one this waits."""
        added = context.preferences.addons.get(__package__ or __name__)
        server = self.server or (added.preferences.server if added else LOCAL)
        if not _is_here(server) and not getattr(bpy.app, "online_access", True):
            self.report(
                {"ERROR"}, "online access is off in Blender's preferences, and the server is on another machine"
            )
            return {"CANCELLED"}
        fields = {"target_polycount": self.triangles, "texture_size": self.texture_size, "origin_at": self.origin}
        token = self.token or (added.preferences.token if added else "")
        self._job = Job(server, token, self.filepath, fields | {"seed": self.seed})
        self._job.start()
        if bpy.app.background:
            self._job.join()
            return self._ended(context)
        self._timer = context.window_manager.event_timer_add(0.2, window=context.window)
        context.window_manager.progress_begin(0, 1)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        """Look how it stands; Escape cancels."""
        if event.type == "ESC":
            self._job.stop()
        if event.type == "TIMER":
            context.window_manager.progress_update(self._job.progress)
            context.workspace.status_text_set(f"Picture to 3D: {self._job.said} (Esc cancels)")
            if not self._job.is_alive():
                context.window_manager.event_timer_remove(self._timer)
                context.window_manager.progress_end()
                context.workspace.status_text_set(None)
                return self._ended(context)
        return {"PASS_THROUGH"}

    def _ended(self, context):
        if self._job.glb is None:
            self.report({"ERROR"}, self._job.error or "the request was lost")
            return {"CANCELLED"}
        name = os.path.splitext(os.path.basename(self.filepath))[0]
        add_glb(self._job.glb, name, self.height)
        return {"FINISHED"}


def add_glb(glb, name, height=0.0):
    """Add a .glb to the scene; its meshes are called ``name``, and scaled to ``height`` metres unless that is 0."""
    before = set(bpy.data.objects)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.glb")
        with open(path, "wb") as file:
            file.write(glb)
        bpy.ops.import_scene.gltf(filepath=path)
    new = [each for each in bpy.data.objects if each not in before]
    for each in (each for each in new if each.type == "MESH"):
        each.name = each.data.name = name
        if height > 0:
            bpy.context.view_layer.update()
            each.scale *= height / max(each.dimensions.z, 1e-9)
    return new


def _is_here(server):
    """Whether the server runs on this machine."""
    return urllib.parse.urlsplit(server).hostname in ("127.0.0.1", "localhost", "::1")


def _multipart(fields, picture):
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    parts = [f'{head}{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    parts += [f'{head}image"; filename="picture"\r\n\r\n'.encode(), picture, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _entry(menu, context):
    menu.layout.operator(PictureTo3D.bl_idname, text="Picture to 3D (zero123pp)")


def register():
    """What Blender calls when the extension is switched on."""
    bpy.utils.register_class(Preferences)
    bpy.utils.register_class(PictureTo3D)
    bpy.types.TOPBAR_MT_file_import.append(_entry)


def unregister():
    """What Blender calls when it is switched off."""
    bpy.types.TOPBAR_MT_file_import.remove(_entry)
    bpy.utils.unregister_class(PictureTo3D)
    bpy.utils.unregister_class(Preferences)
