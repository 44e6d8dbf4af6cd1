"""A request comes in over HTTP, the state and the files of its job go out: the API, the page, and the worker behind."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "app": ["create_app"],
        "listen": ["serve"],
        "settings": ["INSTALL", "ServerSettings"],
    },
)
