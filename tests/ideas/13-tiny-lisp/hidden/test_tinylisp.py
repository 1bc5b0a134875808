import unittest

from tinylisp import LispError, parse, run


class TestParse(unittest.TestCase):
    def test_atoms(self):
        self.assertEqual(parse('12 -3 "two words" #t #f name +'), [12, -3, "two words", True, False, "name", "+"])
        self.assertEqual([type(value).__name__ for value in parse('1 "a" a #t')], ["int", "str", "Symbol", "bool"])
        self.assertEqual(parse(" \n "), [])

    def test_lists(self):
        self.assertEqual(parse("(+ 1 (* 2 3)) ()"), [["+", 1, ["*", 2, 3]], []])
        self.assertEqual(parse("(a(b)c)"), [["a", ["b"], "c"]])

    def test_comments(self):
        self.assertEqual(parse('1 ; (not "read\n2 ;; end'), [1, 2])
        self.assertEqual(parse('"a ; b"'), ["a ; b"])

    def test_quote(self):
        self.assertEqual(parse("'x '(1 'y)"), [["quote", "x"], ["quote", [1, ["quote", "y"]]]])


class TestNumbers(unittest.TestCase):
    def test_arithmetic(self):
        for text, value in (
            ("(+)", 0),
            ("(+ 1 2 3)", 6),
            ("(*)", 1),
            ("(* 2 3 4)", 24),
            ("(- 5)", -5),
            ("(- 10 1 2)", 7),
            ("(quotient 17 5)", 3),
            ("(remainder 17 5)", 2),
            ("(+ (* 2 3) (- 4 1))", 9),
            ("(* 99999999999 99999999999)", 9999999999800000000001),
        ):
            self.assertEqual(run(text), value, text)

    def test_comparison(self):
        for text, value in (
            ("(= 2 2)", True),
            ("(= 2 3)", False),
            ("(< 1 2)", True),
            ("(> 1 2)", False),
            ("(<= 2 2)", True),
            ("(>= 1 2)", False),
            ("(not #f)", True),
            ("(not 0)", False),
        ):
            self.assertIs(run(text), value, text)


class TestFunctions(unittest.TestCase):
    def test_define(self):
        self.assertEqual(run("(define x 4) (define y (+ x 1)) (* x y)"), 20)
        self.assertEqual(run("(define (twice f x) (f (f x))) (twice (lambda (n) (* n 3)) 2)"), 18)
        self.assertIsNone(run("(define x 4)"))

    def test_recursion(self):
        self.assertEqual(run("(define (factorial n) (if (= n 0) 1 (* n (factorial (- n 1))))) (factorial 20)"), 2432902008176640000)

    def test_closures(self):
        self.assertEqual(run("(define (adder n) (lambda (x) (+ x n))) (define add5 (adder 5)) (define n 100) (add5 1)"), 6)
        self.assertEqual(run("((lambda (x y) (- x y)) 10 3)"), 7)

    def test_runs_are_independent(self):
        run("(define x 1)")
        with self.assertRaises(LispError):
            run("x")


class TestForms(unittest.TestCase):
    def test_if(self):
        self.assertEqual(run("(if (< 1 2) 10 20)"), 10)
        self.assertEqual(run("(if #f 10 20)"), 20)
        self.assertEqual(run("(if 0 10 20)"), 10)
        self.assertEqual(run("(if '() 10 20)"), 10)
        self.assertIsNone(run("(if #f 10)"))
        self.assertEqual(run("(if #t 1 (quotient 1 0))"), 1)

    def test_let(self):
        self.assertEqual(run("(let ((a 1) (b 2)) (+ a b))"), 3)
        self.assertEqual(run("(define a 5) (let ((a 1) (b a)) (+ a b))"), 6)
        self.assertEqual(run("(define a 5) (let ((a 1)) a) a"), 5)

    def test_begin(self):
        self.assertEqual(run("(begin 1 2 3)"), 3)
        self.assertEqual(run("(begin (define x 4) (+ x 1))"), 5)

    def test_nothing(self):
        self.assertIsNone(run(""))


class TestLists(unittest.TestCase):
    def test_building(self):
        self.assertEqual(run("(list 1 (+ 1 1) \"c\")"), [1, 2, "c"])
        self.assertEqual(run("(cons 1 '(2 3))"), [1, 2, 3])
        self.assertEqual(run("(list)"), [])
        self.assertEqual(run("'(a (b 1))"), ["a", ["b", 1]])

    def test_taking_apart(self):
        self.assertEqual(run("(car '(1 2 3))"), 1)
        self.assertEqual(run("(cdr '(1 2 3))"), [2, 3])
        self.assertEqual(run("(cdr '(1))"), [])
        self.assertEqual(run("(length '(1 2 3))"), 3)
        self.assertIs(run("(null? '())"), True)
        self.assertIs(run("(null? '(1))"), False)

    def test_arguments_are_left_alone(self):
        self.assertEqual(run("(define items '(2 3)) (cons 1 items) (cdr items) items"), [2, 3])


class TestErrors(unittest.TestCase):
    def test_messages(self):
        for text, message in (
            ("(+ 1 nothing)", "unknown name: nothing"),
            ("(frob 1)", "unknown name: frob"),
            ("(1 2)", "not a function"),
            ("(\"text\")", "not a function"),
            ("((lambda (x) x))", "wrong number of arguments"),
            ("(define (f a b) a) (f 1 2 3)", "wrong number of arguments"),
            ("(quotient 5 0)", "division by zero"),
            ("(remainder 5 (- 1 1))", "division by zero"),
        ):
            with self.assertRaises(LispError) as caught:
                run(text)
            self.assertEqual(str(caught.exception), message, text)

    def test_unbalanced(self):
        for text in ("(+ 1 2", ")", "(a))", "(a (b)", '"open', "(car '"):
            for function in (parse, run):
                with self.assertRaises(LispError) as caught:
                    function(text)
                self.assertEqual(str(caught.exception), "unbalanced", text)


class TestTailCalls(unittest.TestCase):
    def test_in_if(self):
        self.assertEqual(run("(define (sum n total) (if (= n 0) total (sum (- n 1) (+ total n)))) (sum 5000 0)"), 12502500)

    def test_in_let_and_begin(self):
        self.assertEqual(run("(define (down n) (begin n (let ((m (- n 1))) (if (> m 0) (down m) 42)))) (down 5000)"), 42)


if __name__ == "__main__":
    unittest.main()
