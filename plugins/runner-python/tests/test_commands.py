"""Command lines: arguments, streams, exit codes, files, the clock, and what is refused."""

from case import RunnerCase


class Commands(RunnerCase):
    def test_script_with_arguments_and_input(self) -> None:
        done = self.command(["python3", "main.py", "a", "b"], {"main.py": "import sys\nprint(sys.argv, input(), sys.stdin.read())\n"
                            "if __name__ == '__main__': sys.exit(3)\n"}, "one\ntwo")
        self.assertEqual((done["exit_code"], done["stdout"]), (3, "['main.py', 'a', 'b'] one two\n"))

    def test_exit_codes(self) -> None:
        for source, code in (("import sys; sys.exit()", 0), ("raise SystemExit('words')", 1), ("1/0", 1), ("import os; os._exit(7)", 7),
                             ("import sys; sys.exit(-1)", 255), ("raise KeyboardInterrupt", 130), ("x =", 1)):
            done = self.command(["python3", "-c", source])
            self.assertEqual(done["exit_code"], code, done)
        done = self.command(["python3", "-c", "1/0"])
        self.assertTrue(done["stderr"].startswith("Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>"))
        self.assertTrue(done["stderr"].endswith("ZeroDivisionError: division by zero\n"))

    def test_modules(self) -> None:
        files = {"pkg/__init__.py": "", "pkg/__main__.py": "import sys\nfrom . import x\nprint(x.V, sys.argv[1:], __name__)\n",
                 "pkg/x.py": "V = 1\n", "test_a.py": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.fail()\n"}
        self.assertEqual(self.command(["python", "-m", "pkg", "q"], files)["stdout"], "1 ['q'] __main__\n")
        done = self.command(["python3", "-m", "unittest", "test_a"], files)
        self.assertEqual(done["exit_code"], 1)
        self.assertIn("FAILED (failures=1)", done["stderr"])
        self.assertEqual(self.command(["python3", "-m", "unittest"], files)["exit_code"], 1)
        self.assertNotEqual(self.command(["python3", "-m", "nothing"], files)["exit_code"], 0)
        self.assertEqual(self.command(["python3", "-m", "json.tool"], files, "[1]")["stdout"], "[\n    1\n]\n")
        self.assertEqual(self.command(["bash", "-c", "ls"])["exit_code"], 2)
        self.assertEqual(self.command(["python3", "gone.py"])["exit_code"], 2)

    def test_files_written_and_removed(self) -> None:
        done = self.command(["python3", "main.py"], {"a.txt": "1", "b.txt": "2", "same.txt": "s", "main.py": """
import os, pathlib, shutil, csv, json
os.remove('a.txt'); pathlib.Path('b.txt').write_bytes(b'\\xff')
pathlib.Path('d/e').mkdir(parents=True); json.dump({}, open('d/e/x.json', 'w'))
shutil.copy('b.txt', 'd/c.bin'); open('same.txt', 'w').write('s')
with open('t.csv', 'w', newline='') as f: csv.writer(f).writerow([1, 2])
open('/tmp/elsewhere', 'w').write('x')
"""})
        self.assertEqual(done["stderr"], "")
        self.assertEqual(done["removed"], ["a.txt"])
        self.assertEqual(done["written"], {"b.txt": b"\xff", "d/c.bin": b"\xff", "d/e/x.json": b"{}", "t.csv": b"1,2\r\n"})

    def test_the_library_over_the_tree(self) -> None:
        said = self.code("""
import os, glob, tempfile, shutil, pathlib, sqlite3, logging, zipfile, gzip, configparser, io, shelve, fileinput
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d); (p / 'x' / 'y').mkdir(parents=True); (p / 'x' / 'y' / 'a.txt').write_text('hi\\nyou', encoding='utf-8')
    assert [q.name for q in p.rglob('*.txt')] == ['a.txt'] and glob.glob(d + '/**/*.txt', recursive=True)
    shutil.copytree(p / 'x', p / 'z'); shutil.move(p / 'z', p / 'w'); shutil.rmtree(p / 'x')
    assert sorted(os.listdir(d)) == ['w'] and [len(f) for _, _, f in os.walk(d)] == [0, 0, 1]
    with zipfile.ZipFile(p / 'a.zip', 'w') as z: z.write(p / 'w/y/a.txt', 'a.txt')
    assert zipfile.ZipFile(p / 'a.zip').read('a.txt') == b'hi\\nyou'
    with gzip.open(p / 'g.gz', 'wt') as g: g.write('zz')
    assert gzip.open(p / 'g.gz', 'rt').read() == 'zz'
    with open(p / 'f', 'w+') as f: f.write('abc'); f.seek(1); assert f.read() == 'bc' and f.tell() == 3
    with open(p / 'f', 'ab') as f: f.write(b'd')
    assert (p / 'f').stat().st_size == 4 and os.path.getsize(p / 'f') == 4
    os.symlink(p / 'f', p / 'l'); assert (p / 'l').read_text() == 'abcd' and (p / 'l').is_symlink()
    os.replace(p / 'f', p / 'g'); assert not (p / 'f').exists() and (p / 'g').exists()
    with tempfile.NamedTemporaryFile('w', delete=False) as t: t.write('q')
    assert open(t.name).read() == 'q'; os.unlink(t.name)
    with shelve.open(str(p / 's')) as s: s['a'] = [1]
    with shelve.open(str(p / 's')) as s: assert s['a'] == [1]
assert not os.path.exists(d)
c = sqlite3.connect(':memory:'); c.execute('create table t (a)'); c.execute('insert into t values (1)')
assert c.execute('select * from t').fetchall() == [(1,)]
assert os.getcwd() == '/project' and pathlib.Path.cwd() == pathlib.Path(__file__).parent
for bad in ('open', 'mkdir'):
    try: open('/x', 'w') if bad == 'open' else os.mkdir('/etc')
    except PermissionError: pass
    else: raise SystemExit('no')
print('fine')
""")
        self.assertEqual(said, "fine\n")

    def test_database_file(self) -> None:
        files = {"a.py": "import sqlite3\nwith sqlite3.connect('d.db') as c:\n    c.execute('create table t (a)')\n"
                         "    c.execute('insert into t values (7)')\nc.close()\n"
                         "d = sqlite3.connect('d.db')\nprint(d.execute('select a from t').fetchall())\n"}
        done = self.command(["python3", "a.py"], files)
        self.assertEqual((done["stdout"], done["stderr"]), ("[(7,)]\n", ""))
        again = self.command(["python3", "b.py"], {"d.db": done["written"]["d.db"], "b.py":
                             "import sqlite3, os\nprint(sqlite3.connect('d.db').execute('select a from t').fetchall())\n"})
        self.assertEqual((again["stdout"], again["stderr"]), ("[(7,)]\n", ""))

    def test_clock_and_chance_are_fixed(self) -> None:
        source = ("import time, datetime, random, uuid, os, secrets, zoneinfo\nt = time.time(); time.sleep(3600)\n"
                  "print(time.time() - t > 3599, datetime.datetime.now(), datetime.date.today(), datetime.datetime.now(datetime.timezone.utc).year,\n"
                  "      time.strftime('%Y'), random.random(), uuid.uuid4(), os.urandom(4), secrets.token_hex(4), random.Random().random())\n")
        first, second = self.code(source), self.code(source)
        self.assertEqual(first, second)
        self.assertTrue(first.startswith("True 2026-01-01 01:00:00"), first)

    def test_refusals_are_clear(self) -> None:
        said = self.code("""
import socket, subprocess, threading, os, urllib.request, concurrent.futures, multiprocessing
def url(): urllib.request.urlopen('http://example.invalid/')
def pool():
    with concurrent.futures.ThreadPoolExecutor() as p: p.submit(print).result()
for f in (lambda: socket.socket(), lambda: socket.create_connection(('x', 1)), lambda: subprocess.run(['ls']),
          lambda: threading.Thread(target=print).start(), lambda: os.system('ls'), os.fork, url, pool):
    try: f()
    except (OSError, RuntimeError) as e: print('not available in the sandbox' in str(e))
for path in ('/etc/passwd', '../../etc/passwd', '../x/../../etc/hosts', '/proc/self/environ'):
    try: open(path)
    except (FileNotFoundError, PermissionError): print(True)
print(os.listdir('/'), os.path.exists('/usr/bin'), dict(os.environ).get('PATH'))
""")
        self.assertEqual(said.count("True"), 12, said)
        self.assertNotIn("etc", said)

    def test_writing_is_bounded(self) -> None:
        said = self.code("""
import errno
f = open('big', 'wb')
try:
    for _ in range(64): f.write(bytes(1 << 20)); f.flush()
except OSError as e: print(e.errno == errno.ENOSPC)
try: open('other', 'wb').truncate(1 << 40)
except OSError as e: print(e.errno == errno.ENOSPC)
import os; os._exit(0)
""")
        self.assertEqual(said.split(), ["True", "True"])
