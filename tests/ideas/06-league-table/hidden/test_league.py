import unittest

from league import table


def names(lines):
    return [row[0] for row in table(lines)]


class TestCounting(unittest.TestCase):
    def test_win_and_loss(self):
        self.assertEqual(table(["Lions 3 - 1 Tigers"]), [("Lions", 1, 3, 2, 3), ("Tigers", 1, 0, -2, 1)])
        self.assertEqual(table(["Lions 0 - 1 Tigers"]), [("Tigers", 1, 3, 1, 1), ("Lions", 1, 0, -1, 0)])

    def test_draw(self):
        self.assertEqual(table(["Lions 2 - 2 Tigers"]), [("Lions", 1, 1, 0, 2), ("Tigers", 1, 1, 0, 2)])

    def test_several_matches(self):
        lines = ["A 1 - 0 B", "B 4 - 4 C", "C 2 - 3 A"]
        self.assertEqual(table(lines), [("A", 2, 6, 2, 4), ("C", 2, 1, -1, 6), ("B", 2, 1, -1, 4)])

    def test_no_results(self):
        self.assertEqual(table([]), [])


class TestReading(unittest.TestCase):
    def test_names_of_several_words(self):
        self.assertEqual(names(["Red Lions 1 - 0 FC Blue Tigers"]), ["Red Lions", "FC Blue Tigers"])

    def test_many_goals(self):
        self.assertEqual(table(["A 10 - 12 B"]), [("B", 1, 3, 2, 12), ("A", 1, 0, -2, 10)])

    def test_blank_lines(self):
        self.assertEqual(names(["", "A 1 - 0 B", "  "]), ["A", "B"])

    def test_other_lines_are_refused(self):
        for line in ("A beat B", "A 1 - B", "A 1 - 2", "1 - 2", "A one - two B"):
            with self.assertRaises(ValueError, msg=line):
                table(["A 1 - 0 B", line])


class TestOrder(unittest.TestCase):
    def test_points_come_first(self):
        self.assertEqual(names(["A 9 - 0 B", "C 1 - 0 D", "C 1 - 0 D"])[:2], ["C", "A"])

    def test_difference_before_goals(self):
        # Both won once; A by more, B with more goals.
        self.assertEqual(names(["B 5 - 4 C", "A 3 - 0 D"])[:2], ["A", "B"])

    def test_goals_before_name(self):
        self.assertEqual(names(["A 1 - 0 C", "B 3 - 2 D"]), ["B", "A", "D", "C"])

    def test_name_comes_last(self):
        self.assertEqual(names(["B 1 - 1 A", "D 1 - 1 C"]), ["A", "B", "C", "D"])


if __name__ == "__main__":
    unittest.main()
