import unittest

from schedule import free_gaps, overlaps


class TestOverlaps(unittest.TestCase):
    def test_shared_time(self):
        for first, second in (
            (("09:00", "10:00"), ("09:30", "10:30")),
            (("09:00", "12:00"), ("10:00", "11:00")),
            (("09:00", "10:00"), ("09:00", "10:00")),
            (("09:00", "10:00"), ("09:59", "23:00")),
        ):
            self.assertIs(overlaps(*first, *second), True, (first, second))
            self.assertIs(overlaps(*second, *first), True, (second, first))

    def test_apart(self):
        self.assertIs(overlaps("09:00", "10:00", "11:00", "12:00"), False)
        self.assertIs(overlaps("11:00", "12:00", "09:00", "10:00"), False)

    def test_touching(self):
        self.assertIs(overlaps("09:00", "10:00", "10:00", "11:00"), False)
        self.assertIs(overlaps("10:00", "11:00", "09:00", "10:00"), False)


class TestFreeGaps(unittest.TestCase):
    def test_gaps_between(self):
        bookings = [("14:00", "15:00"), ("10:00", "11:00")]
        expected = [("09:00", "10:00"), ("11:00", "14:00"), ("15:00", "17:00")]
        self.assertEqual([tuple(gap) for gap in free_gaps(bookings, "09:00", "17:00")], expected)

    def test_bookings_outside(self):
        bookings = [("07:00", "08:00"), ("08:30", "09:30"), ("16:30", "18:00"), ("19:00", "20:00")]
        self.assertEqual([tuple(gap) for gap in free_gaps(bookings, "09:00", "17:00")], [("09:30", "16:30")])
        self.assertEqual([tuple(gap) for gap in free_gaps([("08:00", "18:00")], "09:00", "17:00")], [])

    def test_no_empty_gaps(self):
        bookings = [("09:00", "10:00"), ("10:00", "11:00"), ("12:00", "13:00")]
        self.assertEqual([tuple(gap) for gap in free_gaps(bookings, "09:00", "13:00")], [("11:00", "12:00")])

    def test_no_bookings(self):
        self.assertEqual([tuple(gap) for gap in free_gaps([], "09:00", "17:00")], [("09:00", "17:00")])


if __name__ == "__main__":
    unittest.main()
