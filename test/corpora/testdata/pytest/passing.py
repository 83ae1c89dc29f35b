def test_the_till_opens():
    pass


class TestTill:
    def test_adds_up(self):
        assert 1 + 1 == 2
