"""What all parts of the house share, and the one entry point `python -m warehouse`."""

from pathlib import Path

__version__ = "0.2.0"

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the folder of dbt_project.yml, the Makefile and `.local`."""

LOCAL_DIR = PROJECT_ROOT / ".local"
"""All that the project writes on this machine: the sandbox, dlt's and dbt's folders."""
