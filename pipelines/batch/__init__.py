"""A list of pictures comes in, as many results go out: resumable, whole or not at all, on one machine or many."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "addresses": ["absolute", "is_folder", "open_store"],
        "bar": ["progress_bar"],
        "contact": ["write_contact_sheets"],
        "driver": ["Batch"],
        "identity": ["common_identity"],
        "index": ["check_tables", "rows", "table_name", "write_index"],
        "items": ["Item", "Shard", "read_items"],
        "job": ["BatchSettings", "News", "Outcome"],
        "local": ["Engine", "LocalEngine"],
        "make": ["as_file", "decode", "one_line", "thumbnail"],
        "places": ["FLAT_ITEMS", "LAYOUTS"],
        "process": ["Limits", "WorkerProcess", "share_of_memory_mb"],
        "ray_engine": ["RayEngine"],
        "store": ["Store"],
    },
)
