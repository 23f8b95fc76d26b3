# One image for every process; docker-compose.yml says which one a container is.
FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv
COPY requirements.txt /
RUN uv venv /venv && VIRTUAL_ENV=/venv uv pip install --no-cache --require-hashes -r /requirements.txt

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home lens && install -d -o lens /data
COPY --from=build /venv /venv
COPY --chown=root:root . /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LENS_DATA_DIR=/data PROMETHEUS_MULTIPROC_DIR=/data/metrics \
    DJANGO_SETTINGS_MODULE=lens_project.settings.production
RUN DATABASE_URL=postgresql://none REDIS_URL=redis://none DJANGO_SECRET_KEY=none LENS_ALLOWED_HOSTS=none \
    python manage.py collectstatic --no-input
USER lens
EXPOSE 8000 8001
