"""A real Postgres and a real S3 endpoint on loopback, and sample data."""
