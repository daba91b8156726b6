"""The API's endpoints, a file for each of the things that are asked about."""
