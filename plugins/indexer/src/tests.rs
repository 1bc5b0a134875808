//! What each grammar is asked to find.

use crate::read;

fn check(path: &str, text: &str, expected: &[(&str, &str, u32)]) {
    let syntax = read(path, text);
    let found: Vec<_> = syntax.definitions.iter().map(|found| (found.name.as_str(), found.kind, found.line)).collect();
    assert_eq!(found, expected, "{path}");
    assert!(syntax.errors.is_empty(), "{path}: {:?}", syntax.errors);
}

#[test]
fn python() {
    let text = "import os\nLIMIT = 3\na, b = 1, 2\nclass A(B):\n    size: int = 0\n    async def run(self):\n        x = 1\n        def inner(): pass\n";
    let expected = [
        ("LIMIT", "variable", 2),
        ("a", "variable", 3),
        ("b", "variable", 3),
        ("A", "class", 4),
        ("size", "variable", 5),
        ("run", "method", 6),
        ("inner", "function", 8),
    ];
    check("a.py", text, &expected);
    assert_eq!(read("a.py", text).mentions.keys().collect::<Vec<_>>(), ["int", "self"]);
}

#[test]
fn javascript_and_typescript() {
    check(
        "a.js",
        "export default function go() {\n  const x = 1\n}\nexport const PI = 3\nclass B {\n  static y = () => 1;\n  m() {}\n}\nexports.foo = function () {};\nconst f = a => a;\nmodule.exports = { k() {} };\n",
        &[
            ("go", "function", 1),
            ("PI", "variable", 4),
            ("B", "class", 5),
            ("y", "method", 6),
            ("m", "method", 7),
            ("foo", "function", 9),
            ("f", "function", 10),
            ("k", "method", 11),
        ],
    );
    check(
        "a.ts",
        "export interface I { a: number; m(): void }\ntype T = I | null;\nenum E { A }\nabstract class C<T> {\n  abstract q(): void;\n  p = 1;\n}\nnamespace N { export const z = 1; }\n",
        &[
            ("I", "interface", 1),
            ("m", "method", 1),
            ("T", "type", 2),
            ("E", "enum", 3),
            ("C", "class", 4),
            ("q", "method", 5),
            ("p", "property", 6),
            ("N", "module", 8),
            ("z", "variable", 8),
        ],
    );
    check("a.tsx", "const App = () => <div className=\"x\">hi</div>;\n", &[("App", "function", 1)]);
}

#[test]
fn rust_go_and_java() {
    check(
        "a.rs",
        "pub(crate) struct S<T> {\n    field: T,\n}\nimpl<T> S<T> {\n    pub fn f(&self) {}\n}\nenum E { One }\nmod m {\n    const X: u8 = 1;\n    macro_rules! mac { () => {} }\n}\n",
        &[
            ("S", "struct", 1),
            ("field", "field", 2),
            ("f", "method", 5),
            ("E", "enum", 7),
            ("One", "variant", 7),
            ("m", "module", 8),
            ("X", "constant", 9),
            ("mac", "macro", 10),
        ],
    );
    check(
        "a.go",
        "package p\n\nconst A = 1\n\nfunc (s *Server) Run() {\n}\n\ntype Server struct{ Port int }\n\nfunc main() {\n}\n",
        &[("A", "constant", 3), ("Run", "method", 5), ("Server", "type", 8), ("Port", "field", 8), ("main", "function", 10)],
    );
    check(
        "A.java",
        "class A {\n  static final int N = 1;\n  A() {}\n  void go() { int x = 1; }\n  enum E { ONE }\n}\n",
        &[("A", "class", 1), ("N", "field", 2), ("A", "method", 3), ("go", "method", 4), ("E", "enum", 5), ("ONE", "constant", 5)],
    );
}

#[test]
fn c_and_cpp() {
    check(
        "a.c",
        "#define MAX 3\ntypedef struct { int a; } T;\nstatic int x = 1, *y;\nint g(void);\nint *f(int a) { int z; return 0; }\n",
        &[("MAX", "macro", 1), ("T", "type", 2), ("a", "field", 2), ("x", "variable", 3), ("y", "variable", 3), ("f", "function", 5)],
    );
    check(
        "a.cpp",
        "class A : B { public: void m() const { } int z; };\nvoid A::k() {}\nnamespace N { template<class T> T id(T t) { return t; } }\n",
        &[("A", "class", 1), ("m", "method", 1), ("z", "field", 1), ("k", "function", 2), ("N", "module", 3), ("id", "function", 3)],
    );
}

#[test]
fn what_is_not_a_program() {
    check("a.md", "# One\n```\n# no\n```\n## Two\n", &[("One", "section", 1), ("Two", "section", 5)]);
    check("a.html", "<div class=\"x\" id=\"top\">hi</div>\n", &[("top", "element", 1)]);
    check("a.css", "body, .x {\n  color: red;\n}\n", &[("body, .x", "rule", 1)]);
    check("a.toml", "x = 1\n[a.b]\nc = 1\n", &[("x", "key", 1), ("a.b", "section", 2), ("c", "key", 3)]);
    check("a.json", "{\n  \"name\": 1,\n    \"deep\": 2\n}\n", &[("name", "key", 2), ("deep", "key", 3)]);
}

#[test]
fn a_language_without_a_grammar_is_read_by_its_lines() {
    check("a.rb", "class A\n  def run\n  end\nend\n", &[("A", "class", 1), ("run", "function", 2)]);
}

#[test]
fn a_file_that_does_not_parse_keeps_its_definitions_and_says_where() {
    let syntax = read("a.py", "def fine():\n    pass\n\ndef broken(:\n    pass\n\ndef after():\n    pass\n");
    let names: Vec<_> = syntax.definitions.iter().map(|found| found.name.as_str()).collect();
    assert!(names.contains(&"fine") && names.contains(&"after"), "{names:?}");
    assert!(syntax.errors.iter().any(|error| error.line == 4), "{:?}", syntax.errors);
    let syntax = read("a.py", &"((((( {{{{ ]]]] \u{1F600} ;;; \n".repeat(50));
    assert!(!syntax.errors.is_empty() && syntax.errors.len() <= 20);
}

#[test]
fn hostile_files_come_to_an_end() {
    for path in ["a.py", "a.js", "a.rs", "a.cpp", "a.json", "a.md", "a.html", "a.css", "a.toml", "A.java", "a.go"] {
        for unit in ["(", "[", "{", "<a>", "# ", "class A{", "a.", "\"", "/*", "\u{0}", "- "] {
            let text = unit.repeat(20_000 / unit.len());
            read(path, &text);
            read(path, &text.replace(' ', "\n"));
        }
    }
}
