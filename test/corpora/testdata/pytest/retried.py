import pathlib

import pytest


def test_passes_on_its_second_try():
    tries = pathlib.Path("tries")
    if not tries.exists():
        tries.touch()
        pytest.fail("the first try")
