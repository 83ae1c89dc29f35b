import pytest


@pytest.fixture
def no_database():
    raise RuntimeError("no database")


@pytest.fixture
def stuck():
    yield
    raise RuntimeError("database stuck")


def test_setup_fails(no_database):
    pass


def test_teardown_fails(stuck):
    pass


def test_fails_and_teardown_too(stuck):
    assert False, "the test itself"


def test_skipped_and_teardown_fails(stuck):
    pytest.skip("later")


def test_runs():
    pass
