"""Programs of the system that some tests run; `.ci/run` installs them."""

import os
import shutil

import pytest


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test for want of one of the programs; in CI, let it fail instead."""
    missing = [each for each in programs if shutil.which(each) is None]
    return pytest.mark.skipif(
        bool(missing) and "CI" not in os.environ,
        reason=f"{', '.join(missing)} is missing; .ci/run installs it",
    )
