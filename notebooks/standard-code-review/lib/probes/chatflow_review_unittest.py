"""Run unittest discovery, or the named tests, with one JSON line a test; see `chatflow_review_probe`."""

from __future__ import annotations

import sys
import time
import unittest

from chatflow_review_probe import switch_context, write


class Recorder(unittest.TestResult):
    """Writes a line when a test ends."""

    def startTest(self, test):  # noqa: N802  # unittest names it
        """Note the time and tell coverage whose lines come next."""
        super().startTest(test)
        self._record = {"test": test.id(), "outcome": "passed", "sec": 0.0}
        self._begun = time.monotonic()
        switch_context(test.id())

    def stopTest(self, test):  # noqa: N802  # unittest names it
        """Write what became of the test."""
        super().stopTest(test)
        switch_context("")
        self._record["sec"] = time.monotonic() - self._begun
        write(self._record)
        self._record = None

    def addFailure(self, test, err):  # noqa: N802  # unittest names it
        """Note a failed assertion."""
        super().addFailure(test, err)
        self._note("failed", test, self.failures[-1][1])

    def addError(self, test, err):  # noqa: N802  # unittest names it
        """Note an exception; one outside a test (a class's set-up) is a line of its own."""
        super().addError(test, err)
        self._note("error", test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):  # noqa: N802  # unittest names it
        """Let a failing part fail its test."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note("failed", test, self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):  # noqa: N802  # unittest names it
        """Note a test that was passed over."""
        super().addSkip(test, reason)
        self._note("skipped", test, reason)

    def addUnexpectedSuccess(self, test):  # noqa: N802  # unittest names it
        """Note a test that should have failed and did not."""
        super().addUnexpectedSuccess(test)
        self._note("failed", test, "unexpected success")

    _record = None
    _begun = 0.0

    def _note(self, outcome, test, message):
        found = {"outcome": outcome, "message": str(message)[-3000:]}
        if self._record is None:
            write({"test": test.id(), "sec": 0.0, **found})
        else:
            self._record.update(found)


def run(names, failfast=False):
    """Run the named tests, or all that discovery finds; return whether everything passed and how many ran."""
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(".")
    result = Recorder()
    result.failfast = failfast
    suite.run(result)
    return result.wasSuccessful(), result.testsRun


if __name__ == "__main__":
    sys.path.insert(0, "")
    passed, count = run(sys.argv[1:])
    sys.exit(0 if passed and count else 5 if not count else 1)
