"""What a server is told when it starts. Imports nothing heavy."""

import ipaddress
from dataclasses import dataclass

from zero123pp.errors import BadInput

INSTALL = "pip install 'zero123pp[serve]'"


@dataclass(frozen=True)
class ServerSettings:
    """Where it listens, what it makes, and what it lets a visitor use."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes a free one."""
    token: str | None = None
    """Asked for with every request of the API; demanded where others than this machine can reach ``host``."""
    model: str = "preview"
    """The model of jobs that name none; never 'auto'. Jobs may name it, 'preview' or 'inflated', and nothing else."""
    text_model: str | None = None
    """Folder or hub id of the checkpoint that draws pictures from texts; None: there are no prompts."""
    preset: str = "default"
    device: str = "auto"
    queue: int = 20
    """Jobs that may wait; one more is refused."""
    upload_bytes: int = 25 * 2**20
    """Of one request."""
    body_seconds: float = 30.0
    """In which a request has to be here, headers and body each."""
    deadline_s: float = 600.0
    """Wall seconds of one job."""
    memory_mb: int | None = 6000
    """Resident memory of the worker; a job that takes it beyond is stopped."""
    keep_seconds: float = 3600.0
    """How long the files of a job are kept after its end."""
    keep_bytes: int = 512 * 2**20
    """Of all jobs together, what waits included; beyond it the oldest results go first."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise BadInput(f"--port is {self.port}; expected 0 to 65535")
        if self.token is not None and (len(self.token) < 8 or not self.token.isascii() or not self.token.isprintable()):
            raise BadInput("--token is too short or has odd characters; give at least 8 plain ones")
        if not self.is_local and self.token is None:
            raise BadInput(
                f"--host {self.host} can be reached from other machines; give a --token too, which every visitor needs"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def models(self) -> tuple[str, ...]:
        """What a job may name as its model."""
        return tuple(dict.fromkeys((self.model, "preview", "inflated")))
