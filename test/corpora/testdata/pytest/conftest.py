"""Writes passed/failing/skipped to the file that $TRUTH names: each test counts once, as the worst of its phases."""
import os

RANK = {"passed": 0, "skipped": 1, "failed": 2}
worst = {}


def note(nodeid, outcome):
    if RANK.get(outcome, -1) >= RANK.get(worst.get(nodeid), -1):
        worst[nodeid] = outcome


def pytest_runtest_logreport(report):
    if report.outcome in RANK and (report.when == "call" or report.outcome != "passed"):
        note(report.nodeid, report.outcome)
    elif report.outcome == "rerun":
        worst.pop(report.nodeid, None)


def pytest_collectreport(report):
    if report.outcome != "passed":
        note(report.nodeid, report.outcome)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    counted = list(worst.values())
    with open(os.environ["TRUTH"], "w") as file:
        file.write("/".join(str(counted.count(outcome)) for outcome in ("passed", "failed", "skipped")))
