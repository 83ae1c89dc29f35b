class TestTill:
    def test_opens(self):
        pass


class TestDrawer:
    def test_opens(self):
        assert False


def test_opens():
    pass
