import pytest

ODD = ["ends in {", "answers in 5ms", "grüßt Zoë ✓ 日本語", "a # b", "back\\slash", "# SKIP", '<a href="x">&amp;</a>', "two\nlines", "\x1b[31mred", "\x00", "]]>", "a" * 600, ""]


@pytest.mark.parametrize("name", ODD)
def test_name(name):
    pass


@pytest.mark.parametrize("name", ODD)
def test_name_fails(name):
    assert name == "something else"


@pytest.mark.parametrize("price", [1, 2, 3], ids=["same", "same", "same"])
def test_same_name(price):
    assert price < 3
