def test_opens():
    pass


def test_is_not_c():
    assert 'c' != 'c'
