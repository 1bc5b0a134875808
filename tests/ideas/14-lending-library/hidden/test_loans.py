import unittest

from loans import due_date, fine_cents


class TestDueDate(unittest.TestCase):
    def test_within_a_month(self):
        self.assertEqual(due_date("2026-03-01"), "2026-03-15")

    def test_over_the_end_of_months_and_years(self):
        self.assertEqual(due_date("2026-04-20"), "2026-05-04")
        self.assertEqual(due_date("2025-12-25"), "2026-01-08")

    def test_leap_years(self):
        self.assertEqual(due_date("2028-02-20"), "2028-03-05")
        self.assertEqual(due_date("2026-02-20"), "2026-03-06")

    def test_bad_dates(self):
        for text in ("", "today", "2026-02-29", "2026-13-01", "2026-00-10"):
            with self.assertRaises(ValueError, msg=text):
                due_date(text)


class TestFine(unittest.TestCase):
    def test_in_time(self):
        self.assertEqual(fine_cents("2026-03-15", "2026-03-15"), 0)
        self.assertEqual(fine_cents("2026-03-15", "2026-02-01"), 0)

    def test_late(self):
        self.assertEqual(fine_cents("2026-03-15", "2026-03-16"), 20)
        self.assertEqual(fine_cents("2026-02-27", "2026-03-02"), 60)
        self.assertEqual(fine_cents("2025-12-31", "2026-12-31"), 7300)


if __name__ == "__main__":
    unittest.main()
