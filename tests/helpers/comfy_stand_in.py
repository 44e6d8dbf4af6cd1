"""What a node uses of ComfyUI's `comfy_api.latest`, as that declares it: names, arguments and types of the V3 schema.

Recorded from comfy_api/latest/_io.py and _util/geometry_types.py of ComfyUI; an argument that is not there is an error
here as well.
"""

import sys
from types import ModuleType, SimpleNamespace


class _Input:
    """Of every type."""

    def __init__(self, id, display_name=None, optional=False, tooltip=None, lazy=None):
        self.id, self.optional, self.tooltip, self.default = id, optional, tooltip, None


class _Widget(_Input):
    def __init__(self, id, display_name=None, optional=False, tooltip=None, lazy=None, default=None, **more):
        super().__init__(id, display_name, optional, tooltip, lazy)
        assert set(more) <= self.own, f"{id}: {set(more) - self.own} is no argument of such an input"
        self.default = default
        vars(self).update(more)


class _Int(_Widget):
    own = frozenset({"min", "max", "step", "control_after_generate", "display_mode", "socketless", "force_input"})


class _Float(_Widget):
    own = frozenset({"min", "max", "step", "round", "display_mode", "socketless", "force_input"})


class _String(_Widget):
    own = frozenset({"multiline", "placeholder", "dynamic_prompts", "socketless", "force_input"})


class _Combo(_Widget):
    own = frozenset({"options", "control_after_generate", "upload", "image_folder", "remote", "socketless"})


class _Output:
    def __init__(self, id=None, display_name=None, tooltip=None, is_output_list=False):
        self.id, self.display_name = id, display_name


class _Schema:
    def __init__(self, node_id, display_name=None, category="sd", inputs=(), outputs=(), hidden=(), description="",
                 is_output_node=False, is_deprecated=False, is_experimental=False, not_idempotent=False):  # fmt: skip
        self.node_id, self.category, self.inputs, self.outputs = node_id, category, inputs, outputs


class _NodeOutput:
    def __init__(self, *args, ui=None, expand=None, block_execution=None):
        self.args = args


class _File3D:
    def __init__(self, source, file_format=""):
        self.source, self.format = source, file_format

    def get_bytes(self):
        self.source.seek(0)
        return self.source.read()


def install(monkeypatch):
    """Put the module where a node imports it from; returns the list that progress is noted in."""
    seen = []
    latest = ModuleType("comfy_api.latest")
    kinds = {"Image": _Input, "Mask": _Input, "Int": _Int, "Float": _Float, "String": _String, "Combo": _Combo}
    latest.io = SimpleNamespace(
        ComfyNode=type("ComfyNode", (), {}), Schema=_Schema, NodeOutput=_NodeOutput,
        File3DGLB=SimpleNamespace(Output=_Output),
        **{name: SimpleNamespace(Input=kind, Output=_Output) for name, kind in kinds.items()},
    )  # fmt: skip
    latest.ComfyExtension = type("ComfyExtension", (), {})
    latest.Types = SimpleNamespace(File3D=_File3D)
    told = SimpleNamespace(set_progress=lambda value, max_value: seen.append(value / max_value))
    latest.ComfyAPISync = lambda: SimpleNamespace(execution=told)
    monkeypatch.setitem(sys.modules, "comfy_api", ModuleType("comfy_api"))
    monkeypatch.setitem(sys.modules, "comfy_api.latest", latest)
    return seen
