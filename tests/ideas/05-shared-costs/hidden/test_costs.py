import unittest

from costs import balances, settle


class TestBalances(unittest.TestCase):
    def test_even_split(self):
        self.assertEqual(balances([("Ann", 3000), ("Bob", 750), ("Cid", 0)]), {"Ann": 1750, "Bob": -500, "Cid": -1250})

    def test_payments_of_one_person_are_added(self):
        self.assertEqual(balances([("Ann", 100), ("Bob", 0), ("Ann", 300)]), {"Ann": 200, "Bob": -200})

    def test_nobody(self):
        self.assertEqual(balances([]), {})

    def test_cents_left_over(self):
        self.assertEqual(balances([("Cid", 100), ("Bob", 0), ("Ann", 0)]), {"Ann": -34, "Bob": -33, "Cid": 67})
        self.assertEqual(balances([("Cid", 0), ("Bob", 0), ("Ann", 101)]), {"Ann": 67, "Bob": -34, "Cid": -33})

    def test_sum_is_zero(self):
        for total in range(50):
            result = balances([("d", total), ("a", 0), ("c", 0), ("b", 7), ("e", 0), ("f", 0), ("g", 0)])
            self.assertEqual(sum(result.values()), 0, total)


class TestSettle(unittest.TestCase):
    def test_largest_first(self):
        given = {"Ann": 500, "Bob": -900, "Cid": 700, "Dan": -300}
        self.assertEqual(settle(given), [("Bob", "Cid", 700), ("Dan", "Ann", 300), ("Bob", "Ann", 200)])

    def test_equals_go_by_name(self):
        given = {"Dan": -10, "Cid": -10, "Bob": 10, "Ann": 10}
        self.assertEqual(settle(given), [("Cid", "Ann", 10), ("Dan", "Bob", 10)])

    def test_nothing_to_settle(self):
        self.assertEqual(settle({}), [])
        self.assertEqual(settle({"Ann": 0, "Bob": 0}), [])

    def test_argument_is_left_alone(self):
        given = {"Ann": 5, "Bob": -5}
        settle(given)
        self.assertEqual(given, {"Ann": 5, "Bob": -5})


if __name__ == "__main__":
    unittest.main()
