#!/usr/bin/env bash
# Writes run.txt, test.txt and sbom.cdx.json anew from pyproject.toml and constraints.txt; asks the index that pip uses.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install -q uv cyclonedx-bom

compile() { # compile FILE [options]: every package at its constraint, with the hashes of all of its files
    local file=$1
    shift
    "$tools/bin/uv" pip compile -q pyproject.toml -c constraints.txt --generate-hashes --python-version 3.11 \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@" -o "$tools/$file" > /dev/null
    { echo "# By requirements/refresh.sh; see requirements/README.md."; cat "$tools/$file"; } > "requirements/$file"
}

compile run.txt
# torch comes in builds for each kind of machine; those of CUDA want its libraries.
machine=$(grep -oE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==' <(
    "$tools/bin/uv" pip compile -q pyproject.toml -c constraints.txt --extra test --python-version 3.11 --no-header \
        --no-annotate) | tr -d '=')
# shellcheck disable=SC2046
compile test.txt --extra test $(printf -- '--no-emit-package %s ' $machine)

"$tools/bin/cyclonedx-py" requirements --pyproject pyproject.toml --short-PURLs --output-reproducible --of JSON \
    -o "$tools/sbom.json" requirements/run.txt
# Without addresses: where an index lies is not a fact about a package.
python3 - "$tools/sbom.json" requirements/sbom.cdx.json << 'EOF'
import json
import sys


def plain(value):
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key != "externalReferences"}
    return [plain(each) for each in value] if isinstance(value, list) else value


with open(sys.argv[1]) as source, open(sys.argv[2], "w") as target:
    target.write(json.dumps(plain(json.load(source)), indent=2) + "\n")
EOF
