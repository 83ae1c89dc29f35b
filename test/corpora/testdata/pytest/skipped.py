import pytest


@pytest.mark.skip(reason="no printer")
def test_skipped():
    assert False


@pytest.mark.skipif(True, reason="on this system")
def test_skipped_if():
    assert False


def test_skips_itself():
    pytest.skip("later")


@pytest.mark.xfail(reason="not yet")
def test_expected_to_fail():
    assert False


@pytest.mark.xfail(reason="works already")
def test_passes_although_expected_to_fail():
    pass


@pytest.mark.xfail(strict=True, reason="works already")
def test_passes_although_it_must_fail():
    pass


def test_expects_to_fail_while_it_runs():
    pytest.xfail("not today")


def test_runs():
    pass
