import unittest

from text_buffer import TextBuffer


class TestChanges(unittest.TestCase):
    def test_insert(self):
        buffer = TextBuffer(["b"])
        buffer.insert(1, "a")
        buffer.insert(3, "d")
        buffer.insert(3, "c")
        self.assertEqual(buffer.lines, ["a", "b", "c", "d"])

    def test_delete(self):
        buffer = TextBuffer(["a", "b", "c", "d"])
        buffer.delete(2, 3)
        self.assertEqual(buffer.lines, ["a", "d"])
        buffer.delete(2, 2)
        self.assertEqual(buffer.lines, ["a"])

    def test_replace(self):
        buffer = TextBuffer(["aba", "b", "", "aa"])
        self.assertEqual(buffer.replace("a", "xy"), 4)
        self.assertEqual(buffer.lines, ["xybxy", "b", "", "xyxy"])
        self.assertEqual(buffer.replace("q", "z"), 0)

    def test_replace_is_not_a_pattern(self):
        buffer = TextBuffer(["a.b*", "axb"])
        self.assertEqual(buffer.replace(".", "\\1"), 1)
        self.assertEqual(buffer.lines, ["a\\1b*", "axb"])


class TestRange(unittest.TestCase):
    def test_out_of_range(self):
        buffer = TextBuffer(["a", "b"])
        for change in (
            lambda: buffer.insert(0, "x"),
            lambda: buffer.insert(4, "x"),
            lambda: buffer.insert(-1, "x"),
            lambda: buffer.delete(0, 1),
            lambda: buffer.delete(1, 3),
            lambda: buffer.delete(2, 1),
        ):
            with self.assertRaises(IndexError):
                change()
            self.assertEqual(buffer.lines, ["a", "b"])

    def test_nothing_to_undo_after_it(self):
        buffer = TextBuffer(["a"])
        buffer.insert(1, "b")
        buffer.undo()
        with self.assertRaises(IndexError):
            buffer.delete(5, 5)
        self.assertIs(buffer.undo(), False)
        self.assertIs(buffer.redo(), True)
        self.assertEqual(buffer.lines, ["b", "a"])


class TestHistory(unittest.TestCase):
    def test_undo_and_redo(self):
        buffer = TextBuffer(["a"])
        buffer.insert(2, "b")
        buffer.replace("a", "c")
        buffer.delete(1, 2)
        states = [["c", "b"], ["a", "b"], ["a"]]
        for state in states:
            self.assertIs(buffer.undo(), True)
            self.assertEqual(buffer.lines, state)
        for state in [["a", "b"], ["c", "b"], []]:
            self.assertIs(buffer.redo(), True)
            self.assertEqual(buffer.lines, state)

    def test_nothing_to_do(self):
        buffer = TextBuffer(["a"])
        self.assertIs(buffer.undo(), False)
        self.assertIs(buffer.redo(), False)
        self.assertEqual(buffer.lines, ["a"])

    def test_nothing_replaced_is_no_step(self):
        buffer = TextBuffer(["a"])
        buffer.insert(2, "b")
        buffer.replace("x", "y")
        self.assertIs(buffer.undo(), True)
        self.assertEqual(buffer.lines, ["a"])
        buffer.replace("x", "y")
        self.assertIs(buffer.redo(), True)
        self.assertEqual(buffer.lines, ["a", "b"])

    def test_new_change_forgets_redo(self):
        buffer = TextBuffer(["a"])
        buffer.insert(2, "b")
        buffer.undo()
        buffer.insert(1, "c")
        self.assertIs(buffer.redo(), False)
        self.assertEqual(buffer.lines, ["c", "a"])
        self.assertIs(buffer.undo(), True)
        self.assertEqual(buffer.lines, ["a"])


class TestIndependence(unittest.TestCase):
    def test_two_empty_buffers(self):
        first, second = TextBuffer(), TextBuffer()
        first.insert(1, "a")
        self.assertEqual(second.lines, [])
        self.assertEqual(TextBuffer().lines, [])
        self.assertIs(second.undo(), False)

    def test_given_list_is_not_changed(self):
        given = ["a", "b"]
        buffer = TextBuffer(given)
        buffer.delete(1, 1)
        buffer.replace("b", "c")
        buffer.undo()
        buffer.insert(1, "d")
        self.assertEqual(given, ["a", "b"])


if __name__ == "__main__":
    unittest.main()
