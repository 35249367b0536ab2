"""What a process that ignores SIGINT, as under nohup, hands on to those it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

STARTS_A_CHILD = """
import signal, subprocess, sys
from tests.support.signals import let_children_be_interrupted

signal.signal(signal.SIGINT, signal.SIG_IGN)
{call}
signal.raise_signal(signal.SIGINT)
child = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def handed_on(call: str) -> bool:
    """Whether a child can be interrupted, of a process that ignores SIGINT and has run `call`."""
    program = [sys.executable, "-c", STARTS_A_CHILD.format(call=call)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout == "True\n"


def test_children_of_a_run_that_ignores_sigint_can_be_interrupted() -> None:
    assert not handed_on("")
    assert handed_on("let_children_be_interrupted()")


def test_this_run_can_interrupt_its_children() -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
