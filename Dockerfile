# One image for the run, the roles and the API: `docker run … elt`, `roles`, `serve`.
# It works with a read-only root, with /tmp and /app/.local (which may be lost) to write.
FROM python:3.11-slim AS packages

WORKDIR /packages
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
    --require-hashes --requirement requirements.txt


FROM python:3.11-slim

# A number, so that whoever runs it can tell that it is not root.
RUN useradd --system --uid 10001 --user-group --no-create-home \
        --home-dir /nonexistent warehouse \
    && install --directory --owner=warehouse --group=warehouse --mode=0700 /app/.local
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY warehouse warehouse
COPY ingestion ingestion
COPY api api
COPY dbt_project dbt_project
COPY dbt_project.yml profiles.yml.example ./
COPY deploy/docker/healthcheck.py /usr/local/share/healthcheck.py
RUN /opt/venv/bin/python -m compileall -q warehouse ingestion api

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000

# Of the API; a run ends by itself, and its exit status tells.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "/usr/local/share/healthcheck.py"]
ENTRYPOINT ["python", "-m", "warehouse"]
CMD ["serve"]
