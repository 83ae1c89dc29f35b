def test_the_till_opens():
    pass


def test_the_sum_is_right():
    assert {"euros": 1} == {"euros": 2}, "two\nlines ]]> &amp; <b>"


def test_raises():
    raise RuntimeError("\x1b[31mred\x1b[0m \x00 \ud800")
