# One image for every process; docker-compose.yml and deploy/kubernetes say which one a container is.
FROM python:3.11-slim AS build
COPY requirements-uv.txt requirements.txt /
RUN pip install --no-cache-dir --require-hashes -r /requirements-uv.txt \
    && uv venv /venv && VIRTUAL_ENV=/venv uv pip install --no-cache --compile-bytecode --require-hashes -r /requirements.txt

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home lens && install -d -o 10001 /data /data/metrics
COPY --from=build /venv /venv
COPY . /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LENS_DATA_DIR=/data PROMETHEUS_MULTIPROC_DIR=/data/metrics \
    DJANGO_SETTINGS_MODULE=lens_project.settings.production
RUN env -u PROMETHEUS_MULTIPROC_DIR DATABASE_URL=postgresql://none/none REDIS_URL=redis://none \
    DJANGO_SECRET_KEY=none-that-is-ever-used-only-to-collect-static-files-here \
    LENS_ALLOWED_HOSTS=none python manage.py collectstatic --no-input && python -m compileall -q /app
USER 10001
EXPOSE 8000 8001 9464
STOPSIGNAL SIGTERM
HEALTHCHECK NONE
