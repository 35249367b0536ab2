"""The bytecode of what a run imports."""

from __future__ import annotations

import os
import sys


def keep_bytecode() -> None:
    """This process and its children keep the bytecode of modules, also where PYTHONDONTWRITEBYTECODE is set.

    Images that run a program once set it. A run of the tests imports the same modules in hundreds of processes.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
