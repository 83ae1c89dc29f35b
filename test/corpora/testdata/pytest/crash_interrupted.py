
def test_before():
    pass


def test_leaves():
    raise KeyboardInterrupt


def test_after():
    pass
