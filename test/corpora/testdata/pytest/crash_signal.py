import os


def test_before():
    pass


def test_leaves():
    os.kill(os.getpid(), 9)


def test_after():
    pass
