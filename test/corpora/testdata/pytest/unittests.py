import unittest


class Till(unittest.TestCase):
    def test_subtests(self):
        for price in (1, 2, 3):
            with self.subTest(price=price):
                self.assertLess(price, 3)

    @unittest.skip("later")
    def test_skipped(self):
        self.fail()

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.fail()

    @unittest.expectedFailure
    def test_unexpected_success(self):
        pass


class Setup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no database")

    def test_one(self):
        pass

    def test_two(self):
        pass
