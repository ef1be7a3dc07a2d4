# SPDX-License-Identifier: Apache-2.0
"""Waits for the outcome of a reload."""
from signal import SIGHUP, SIGTERM

from .wait import wait_until


def reloads(daemon, result):
    return daemon.metrics().sum("sluiced_reloads_total", result=result)


def wait_for_reload(daemon, result, count):
    """The old worker counts the reload shortly before the supervisor completes
    it and accepts the next.  So wait until the supervisor has logged it.
    Before that, the old worker may leave instead of answering."""
    def what():
        return f"reload {count} to be {result}:\n{daemon.log()[-2000:]}"
    wait_until(lambda: daemon.log().count(f"reload={result}") >= count, what)
    wait_until(lambda: reloads(daemon, result) == count, what)


def ask_to_reload(daemon, method="POST"):
    """Ask for a reload over HTTP, and return the answer."""
    return daemon.get("/api/v2/reload", method)


def reload_over_http(daemon, method="POST"):
    """Ask for a reload over HTTP until it is not too soon after the last one.
    Returns the answer."""
    def answer():
        answer = ask_to_reload(daemon, method)
        if answer.status != 429:
            return answer
        assert int(answer.headers["Retry-After"]) >= 1
        return None
    return wait_until(answer, "a reload over HTTP to be accepted")


def reload_until(daemon, times, words):
    """Reload until the words were logged so many times.  On a slow machine, the
    next worker may need longer than Reload_Timeout to load."""
    def count(*texts):
        log = daemon.log()
        return sum(log.count(text) for text in texts)
    while count(words) < times:
        before = count("reload=failed", "reload=done")
        daemon.signal(SIGHUP)
        wait_until(lambda: count("reload=failed", "reload=done") > before,
                   "the outcome of a reload")


def begin_to_stop(daemon):
    """Send SIGTERM, and wait until the supervisor has told the old worker.  It
    logs the signal before that, and refuses a reload only after that."""
    daemon.signal(SIGTERM)
    wait_until(lambda: "action=stopping" in daemon.log(), "the signal")
    daemon.signal(SIGHUP)
    wait_until(lambda: 'reload=refused err="sluiced is stopping"'
               in daemon.log(), "the supervisor to refuse a reload")
