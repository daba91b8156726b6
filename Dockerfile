FROM python:3.11-slim

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY warehouse warehouse
COPY ingestion ingestion
COPY api api
COPY dbt_project dbt_project
COPY dbt_project.yml profiles.yml.example ./

# dlt's and dbt's working folders lie in .local; all of it may be lost.
RUN useradd --create-home warehouse \
    && mkdir .local \
    && chown warehouse .local
USER warehouse

ENTRYPOINT ["python", "-m", "warehouse"]
