"""The marts over HTTP. Reads only."""
