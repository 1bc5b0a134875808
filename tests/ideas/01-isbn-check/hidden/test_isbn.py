import unittest

from isbn import is_valid


class TestIsbn13(unittest.TestCase):
    def test_right_numbers(self):
        for text in ("978-3-16-148410-0", "9780306406157", "978 0 306 40615 7", "-978-0306406157 "):
            self.assertIs(is_valid(text), True, text)

    def test_wrong_check_digit(self):
        for digit in "12345689":
            self.assertIs(is_valid("978030640615" + digit), False, digit)


class TestIsbn10(unittest.TestCase):
    def test_right_numbers(self):
        for text in ("0-306-40615-2", "0306406152", "080442957X", "0-8044-2957-x"):
            self.assertIs(is_valid(text), True, text)

    def test_wrong_check_digit(self):
        for text in ("0306406153", "0804429570", "030640615X", "3006406152"):
            self.assertIs(is_valid(text), False, text)

    def test_x_only_at_the_end(self):
        # Its sum would be right if an X in the first place counted as ten.
        self.assertIs(is_valid("X000000050"), False)


class TestOtherText(unittest.TestCase):
    def test_wrong_length_and_letters(self):
        for text in ("", "-", "   ", "978", "97803064061570", "978030640615X", "abcdefghij", "isbn", "12345678901234567890"):
            self.assertIs(is_valid(text), False, text)

    def test_digits_of_other_scripts(self):
        self.assertIs(is_valid("\u0660" * 13), False)
        self.assertIs(is_valid("\u00b2" * 10), False)


if __name__ == "__main__":
    unittest.main()
