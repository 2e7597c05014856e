"""What all system tests share: the build that they test, and a time limit.

    COPAL_BIN=.../build/out/bin python3 -m pytest tests/system

COPAL_BIN is the bin folder of a build; `make check-system` sets it.
"""
import os
import signal

import pytest

# A sanitized build on a busy machine; and in the long run a worker that was
# killed often is started again 10 s later.
TEST_SECONDS_MAX = 180 + 20 * int(os.environ.get("COPAL_KILL_ROUNDS", 0))


def pytest_configure(config):
    if not os.path.isdir(os.environ.get("COPAL_BIN", "")):
        raise pytest.UsageError("COPAL_BIN must be the bin folder of a build")


def pytest_sessionfinish(session, exitstatus):
    """A run in which nothing ran is no success."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def time_limit():
    """A test that hangs fails instead, and its fixtures clean up."""
    def expired(signum, frame):
        raise TimeoutError(f"test took longer than {TEST_SECONDS_MAX} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_SECONDS_MAX)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
