# syntax=docker/dockerfile:1
# One image for web, workers, scheduler, migrations and the sandbox; docker-compose.yml says which command each runs.

FROM python:3.13-slim-bookworm AS build
WORKDIR /app
# what is installed changes seldom and makes a layer of its own
COPY requirements.lock requirements-uv.lock requirements-node.lock package.json package-lock.json .npmrc ./
COPY scrm/up/install.py scrm/up/install.py
RUN python -I scrm/up/install.py && rm -rf .venv/node node_modules
COPY . .
RUN .venv/bin/python manage.py messages --compile && .venv/bin/python -m compileall -q -j 0 -x '/\.venv/' .

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="scrm" org.opencontainers.image.description="Multi-tenant SCRM on WeCom"
RUN groupadd --gid 10001 scrm && useradd --uid 10001 --gid scrm --home-dir /data --no-create-home --shell /usr/sbin/nologin scrm \
    && install -d -o scrm -g scrm -m 0750 /data
WORKDIR /app
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SCRM_DATA=/data
USER scrm
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "16", \
     "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "20s", "scrm.wsgi:application"]
