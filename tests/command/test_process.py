"""What a host asks of its process: as many open files as it may have, and to say so where they are few."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import logging, resource
from heliograph.process import allow_many_files
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 900))
allow_many_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_host_raises_its_own_limit_of_open_files_and_says_when_that_is_low() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "(900, 900)\n"
    assert "900 open files" in done.stderr and "LimitNOFILE=65536" in done.stderr
