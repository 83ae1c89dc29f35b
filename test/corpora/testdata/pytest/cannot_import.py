import nowhere


def test_one():
    pass
