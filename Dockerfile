# The REST server as a container. Not built by the tests of this repository, only linted: see docs/deploy.md.
#
#     docker build -t simonides .
#     docker run -v memory:/data -p 127.0.0.1:7466:7466 simonides

FROM python:3.13-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/simonides
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY src src
# What uv.lock names and nothing else, each file held against its hash.
RUN uv sync --frozen --no-cache --no-default-groups --no-editable \
    --extra server --extra postgres --extra encrypted --extra otel --extra ui

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data simonides \
    && install --directory --owner simonides --group simonides --mode 700 /data
COPY --from=build /opt/simonides /opt/simonides
ENV PATH=/opt/simonides/bin:$PATH HOME=/data PYTHONUNBUFFERED=1 SIMONIDES_PATH=/data/memory.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 7466
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7466/health/live', timeout=4)"]
ENTRYPOINT ["simonides"]
# Inside a container every address is public; TLS is spoken by what stands in front, or with --certfile and --keyfile.
CMD ["serve", "--host", "0.0.0.0", "--insecure"]
