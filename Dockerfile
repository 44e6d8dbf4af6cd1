# The page and the HTTP API of `zero123pp serve`, for a processor (--target cpu, the default) or a CUDA card (--target cuda).
#   docker build -t zero123pp .
#   docker run --rm -p 127.0.0.1:8000:8000 -v zero123pp:/var/cache/zero123pp zero123pp serve --host 0.0.0.0 --token CHOOSE-ONE
# compose.yaml does the same with a read-only root and limits.

FROM python:3.11-slim-bookworm AS source
WORKDIR /src
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY zero123pp zero123pp
COPY recon recon
COPY pipelines pipelines
COPY configs configs
RUN python -m venv /opt/zero123pp

FROM source AS packages-cpu
RUN /opt/zero123pp/bin/pip install --no-cache-dir -c constraints.txt ".[serve]"

# torch from PyPI brings CUDA with it; the card's driver comes from the host.
FROM source AS packages-cuda
RUN /opt/zero123pp/bin/pip install --no-cache-dir -c constraints.txt ".[serve,diffusion]"

FROM python:3.11-slim-bookworm AS runtime
RUN useradd --uid 10001 --create-home zero123pp \
    && install -d -o 10001 /var/cache/zero123pp
# Compiled kernels and downloaded weights: a volume here keeps them from one container to the next.
ENV PATH=/opt/zero123pp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/var/cache/zero123pp/kernels \
    HF_HOME=/var/cache/zero123pp/huggingface
VOLUME /var/cache/zero123pp
USER 10001
WORKDIR /home/zero123pp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=4)"]
ENTRYPOINT ["zero123pp"]
CMD ["serve", "--help"]

FROM runtime AS cuda
COPY --from=packages-cuda /opt/zero123pp /opt/zero123pp

FROM runtime AS cpu
COPY --from=packages-cpu /opt/zero123pp /opt/zero123pp
