"""What all parts of the house share, and the one entry point `python -m warehouse`."""

from pathlib import Path

__version__ = "0.2.0"

_PACKAGE = Path(__file__).resolve().parent
_OF_A_WHEEL = _PACKAGE / "project"

PROJECT_ROOT = _OF_A_WHEEL if _OF_A_WHEEL.is_dir() else _PACKAGE.parent
"""The folder of dbt_project.yml: the checkout, or what a wheel brought of it."""

HOME = Path.cwd() if PROJECT_ROOT == _OF_A_WHEEL else PROJECT_ROOT
"""Where `.env`, `.local` and a profiles.yml of one's own lie: the checkout; where a
wheel is installed, the folder in which the command runs."""

LOCAL_DIR = HOME / ".local"
"""All that the project writes on this machine: the sandbox, dlt's and dbt's folders."""
