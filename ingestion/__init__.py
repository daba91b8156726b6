"""S3 objects to the staging schema. Interprets nothing."""
