"""Where a checkpoint's files are: a local folder, the Hugging Face cache, or the hub. Light: no torch, no diffusers.

The cache comes first and is then not compared with the hub, so that a cached model needs no network and stays the
same; ``revision`` pins another one. ``HF_HOME`` and ``HF_HUB_OFFLINE`` are honoured by huggingface_hub. Only the files
named here are ever fetched: configs, tokenizer and weights, never code.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import expanded

_DIFFUSERS_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_TRANSFORMERS_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

WEIGHTS = {
    "unet": _DIFFUSERS_WEIGHTS,
    "vae": _DIFFUSERS_WEIGHTS,
    "text_encoder": _TRANSFORMERS_WEIGHTS,
    "vision_encoder": _TRANSFORMERS_WEIGHTS,
}
"""The sub-folders with weights, and the names of the weight files in order of preference."""

_CONFIGS = (
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "vision_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/tokenizer_config.json",
    "feature_extractor_clip/preprocessor_config.json",
    "feature_extractor_vae/preprocessor_config.json",
)
_OPTIONAL = ("tokenizer/special_tokens_map.json",)
_TOKENIZERS = (("tokenizer/vocab.json", "tokenizer/merges.txt"), ("tokenizer/tokenizer.json",))
"""The files of a tokenizer; transformers 5 writes one, earlier ones two."""

_VARIANTS = ("fp16", "bf16", "fp32")
"""Names that diffusers puts into those of weight files (``variant="fp16"``), in order of preference."""

PIPELINE, CONTROLNET = "Zero123++ checkpoint", "ControlNet"
"""The two kinds of folder."""

OnDownload = Callable[[str, str | None], None]
"""``on_download(repo_id, licence)``, before the first byte; the licence is that of the model card, if it has one."""


def weight_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The weight file in ``folder`` to load (safetensors before pickles), or its index when it is split; or None.

    Where there is none of the plain names, the one of a variant such as ``model.fp16.safetensors``: of `_VARIANTS` the
    first, or the only one that there is.
    """
    for name in names:
        for candidate in (folder / name, folder / f"{name}.index.json"):
            if candidate.is_file():
                return candidate
    there = variants(os.listdir(folder), names) if folder.is_dir() else {}
    known = [each for each in _VARIANTS if each in there] or (list(there) if len(there) == 1 else [])
    return folder / there[known[0]] if known else None


def variants(files: Iterable[str], names: tuple[str, ...]) -> dict[str, str]:
    """Variant to the file (or index) of it, among the names of the files of a folder; safetensors before pickles."""
    files, found = sorted(files), {}
    for name in names:
        stem, suffix = map(re.escape, name.rsplit(".", 1))
        pattern = re.compile(rf"{stem}\.(\w+)\.{suffix}|{stem}\.{suffix}\.index\.(\w+)\.json")
        for file in files:
            if match := pattern.fullmatch(file):
                found.setdefault(match[1] or match[2], file)
    return found


def variant_of(file: Path, names: tuple[str, ...]) -> str | None:
    """The variant that a result of `weight_file` is of; None for plain names."""
    return next(iter(variants([file.name], names)), None)


def weight_shards(file: Path) -> list[Path]:
    """The files behind a result of `weight_file`: itself, or the parts its index names, all in the same folder."""
    if file.suffix != ".json":
        return [file]
    try:
        names = sorted(set(json.loads(file.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadInput(f"{file} is no index of weight files ({error!r})") from error
    for name in names:
        if not isinstance(name, str) or name in ("", "..") or Path(name).name != name:
            raise BadInput(f"{file} names the weight file {name!r}; expected a plain file name")
    return [file.parent / name for name in names]


def missing_files(folder: Path, kind: str) -> list[str]:
    """What a folder lacks to be loaded as ``kind``, as relative names; empty when it is complete."""
    configs = _CONFIGS if kind == PIPELINE else ("config.json",)
    weights = WEIGHTS if kind == PIPELINE else {"": _DIFFUSERS_WEIGHTS}
    missing = [name for name in configs if not (folder / name).is_file()]
    if kind == PIPELINE:
        ways = [[name for name in way if not (folder / name).is_file()] for way in _TOKENIZERS]
        missing += [] if [] in ways else ways[0]
    for part, names in weights.items():
        file = weight_file(folder / part, names)
        shards = [folder / part / names[0]] if file is None else weight_shards(file)
        missing += [shard.relative_to(folder).as_posix() for shard in shards if not shard.is_file()]
    return missing


def cached_folder(repo_id: str, kind: str, *, revision: str | None = None, cache_dir: str | None = None) -> Path | None:
    """The complete snapshot of ``repo_id`` in the local cache; None when there is none. Needs no network."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    anchor = "model_index.json" if kind == PIPELINE else "config.json"
    try:
        found = try_to_load_from_cache(repo_id, anchor, cache_dir=cache_dir, revision=revision)
    except HFValidationError:
        return None
    if not isinstance(found, str) or missing_files(Path(found).parent, kind):
        return None
    return Path(found).parent


def is_hub_id(source: str) -> bool:
    """Whether ``source`` has the form "owner/name" of a repository on the hub."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", source) is not None


def find_checkpoint(
    source: str | Path,
    kind: str,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    on_download: OnDownload | None = None,
) -> Path:
    """The local folder of a checkpoint, downloaded when it has to be and may be.

    Args:
        source: a folder, or a hub id "owner/name".
        kind: `PIPELINE` or `CONTROLNET`.
        revision: branch, tag or commit on the hub; None for its main branch.
        local_files_only: never touch the network.
        cache_dir: where the hub's files are kept; None for the ordinary cache.
        token: the hub's access token, as huggingface_hub takes it.
        on_download: called before anything is fetched; never when the checkpoint is here already.

    Raises:
        BadInput: no such folder or repository, or it is no ``kind``.
        MissingBackend: the hub has to be asked, but cannot or must not be.
    """
    folder = expanded(source)
    if folder.is_dir():
        lacking = missing_files(folder, kind)
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise BadInput(f"{str(source)!r} is no {kind}: {lacking[0]}{more} is missing in it{_others(folder, kind)}")
        return folder
    if folder.exists():
        raise BadInput(f"{str(source)!r} is a file; expected the folder of a {kind}, or a hub id like 'owner/name'")
    if not is_hub_id(str(source)):
        raise BadInput(f"there is no folder {str(source)!r}, and it is no hub id like 'owner/name'")
    repo_id, cache = str(source), None if cache_dir is None else str(cache_dir)
    cached = cached_folder(repo_id, kind, revision=revision, cache_dir=cache)
    if cached is not None:
        return cached
    if local_files_only:
        raise MissingBackend(_not_here(repo_id, revision, "downloads are not allowed"))
    return _download(repo_id, kind, revision, cache, token, on_download)


def _others(folder: Path, kind: str) -> str:
    """The variants of weights that a folder has, for a message, where none of them is taken by itself."""
    parts = WEIGHTS if kind == PIPELINE else {"": _DIFFUSERS_WEIGHTS}
    found = {each for part, names in parts.items() if (folder / part).is_dir()
             for each in variants(os.listdir(folder / part), names)}  # fmt: skip
    return f"; it has the variants {', '.join(sorted(found))}: rename the files of one" if found else ""


def _not_here(repo_id: str, revision: str | None, why: str) -> str:
    at = f" at revision {revision!r}" if revision else ""
    return (
        f"there is no folder {repo_id!r}, and the model of that name{at} is not in the local Hugging Face cache "
        f"({why}); allow the download, set HF_HOME to a cache that has it, or give its folder"
    )


def _download(
    repo_id: str,
    kind: str,
    revision: str | None,
    cache_dir: str | None,
    token: str | bool | None,
    on_download: OnDownload | None,
) -> Path:
    """Fetch the files of ``kind`` from the hub into the cache."""
    try:
        from huggingface_hub import HfApi, errors, snapshot_download
    except ImportError as error:
        raise MissingBackend(_not_here(repo_id, revision, "huggingface_hub is not installed")) from error
    unusable = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError)
    try:
        # Not `list_repo_files`: that one retries for 23 seconds where there is no network.
        info = HfApi(token=token).model_info(repo_id, revision=revision, timeout=10)
        names = [file.rfilename for file in info.siblings or []]
        if on_download is not None:
            on_download(repo_id, getattr(info.card_data, "license", None))
        wanted = _wanted(names, kind)
        # The commit that was looked at: a branch may move meanwhile.
        at_commit = revision if info.sha is None else info.sha
        folder = snapshot_download(repo_id, revision=at_commit, cache_dir=cache_dir, token=token, allow_patterns=wanted)
        if revision is not None or at_commit != revision:
            _remember(Path(folder), revision or "main")
    except Exception as error:  # transport errors have several unrelated bases, by version of the client
        locked = isinstance(error, errors.GatedRepoError) or _status(error) in (401, 403)
        if not locked and not isinstance(error, unusable):
            raise MissingBackend(_not_here(repo_id, revision, f"and the hub {_trouble(error)}")) from error
        at = f" at revision {revision!r}" if revision else ""
        how = " without a token; accept its terms on its page and set HF_TOKEN" if locked else ""
        what = f"no model {repo_id!r}{at} that may be read{how} ({type(error).__name__})"
        raise BadInput(f"the hub has {what}") from error
    _check_content(Path(folder), wanted, repo_id)
    lacking = missing_files(Path(folder), kind)
    if lacking:
        raise BadInput(f"the hub's model {repo_id!r} is no {kind}: {lacking[0]} is missing in it")
    return Path(folder)


def _remember(folder: Path, revision: str) -> None:
    """Note in the cache which commit a branch or tag was at, as huggingface_hub does when it resolves it itself."""
    from zero123pp.files import make_folder, write_file

    commit, refs = folder.name, folder.parent.parent / "refs"
    if revision != commit:
        make_folder((refs / revision).parent)
        write_file(refs / revision, commit)


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _trouble(error: Exception) -> str:
    """What the hub did, in words."""
    status = _status(error)
    if status == 429:
        return "asks to be asked less often (429): wait some minutes"
    if status is not None and status >= 500:
        return f"is out of order ({status})"
    return f"gave {type(error).__name__}"


def _check_content(folder: Path, names: Iterable[str], repo_id: str) -> None:
    """BadInput when a file is not what its name in the cache, a checksum, says; it is removed, to be fetched again.

    huggingface_hub compares sizes only. Large files are called by their SHA-256, others as git calls a blob.
    """
    for name in names:
        blob = (folder / name).resolve()
        called, size = blob.name, blob.stat().st_size
        if (folder / name).is_symlink() and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", called):
            digest = hashlib.sha256() if len(called) == 64 else hashlib.sha1(b"blob %d\0" % size)
            with open(blob, "rb") as file:
                while part := file.read(2**20):
                    digest.update(part)
            if digest.hexdigest() != called:
                (folder / name).unlink()
                blob.unlink()
                raise BadInput(f"{name} of the hub's model {repo_id!r} arrived damaged and was removed; run it again")


def _wanted(names: list[str], kind: str) -> list[str]:
    """Of a repository's files, those to fetch: safetensors where there are any, otherwise the pickles.

    A variant is fetched only where there are no weights of the plain names.
    """
    have = set(names)
    wanted = ["config.json"]
    if kind == PIPELINE:
        tokenizer = next((way for way in _TOKENIZERS if have.issuperset(way)), _TOKENIZERS[0])
        wanted = [name for name in (*_CONFIGS, *_OPTIONAL, *tokenizer) if name in have]
    for part, files in (WEIGHTS if kind == PIPELINE else {"": _DIFFUSERS_WEIGHTS}).items():
        prefix = f"{part}/" if part else ""
        inside = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        for file in (*files, *_variant_names(inside, files)):
            stem, suffix = file.rsplit(".", 1)
            shards = re.compile(rf"{re.escape(stem)}-\d{{5}}-of-\d{{5}}\.{suffix}")
            index = f"{file}.index.json"
            if stem.count("."):
                plain, variant = stem.rsplit(".", 1)
                index = f"{plain}.{suffix}.index.{variant}.json"
            found = [prefix + name for name in inside if name in (file, index) or shards.fullmatch(name)]
            if found:
                wanted += found
                break
    return wanted


def _variant_names(files: list[str], names: tuple[str, ...]) -> list[str]:
    """Names of whole files of the variants that `weight_file` would take, the preferred ones first."""
    there = variants(files, names)
    known = [each for each in _VARIANTS if each in there] or (list(there) if len(there) == 1 else [])
    parts = [name.rsplit(".", 1) for name in names]
    return [f"{stem}.{variant}.{suffix}" for variant in known for stem, suffix in parts]
