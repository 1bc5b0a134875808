//! `make judge-python`: an outside judge of the Python runner. Test modules of CPython 3.11's own suite run inside the runner and,
//! from the same files, in a native Python 3.11; the results are compared test by test. What the runner does not pass is told apart
//! by [`Fate`]: the sandbox, a module that can't be loaded twice, probably a change between Python 3.11 and 3.14, or open.
//! `JUDGE_CONTROL` may name a newer native Python: what fails there too is a change of Python, not of the runner.
//! Prints a table, the tests that did not pass and, last, one line of figures; ends with 1 below [`SHARE_MIN`].

use anyhow::{Context, Result};
use atelier_host::plugins::registry::Registry;
use atelier_host::plugins::runner::Runner;
use atelier_host::workspace::path::ProjectPath;
use atelier_host::workspace::{File, Files};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;
use tests::home::Home;

/// The runner must pass at least this part of what native Python passes, over the modules that load.
const SHARE_MIN: f64 = 0.9;
/// Debian's Python and the folder of its suite. A module that the package leaves out is taken from `python3.11` on the path.
const DEBIAN: (&str, &str) = ("/usr/bin/python3.11", "/usr/lib/python3.11/test");
/// A module and what it needs besides itself and `test/support`.
const MODULES: &[(&str, &[&str])] = &[
    ("test_json", &[]),
    ("test_re", &["re_tests.py"]),
    ("test_textwrap", &[]),
    ("test_collections", &[]),
    ("test_itertools", &[]),
    ("datetimetester", &[]),
    ("test_csv", &[]),
    ("test_argparse", &[]),
    ("test_sqlite3", &[]),
    ("test_string", &[]),
    ("test_statistics", &[]),
    ("test_fractions", &[]),
    ("test_decimal", &["decimaltestdata"]),
];
/// A whole module takes longer than a check may: millions of instructions, seconds, MiB. Its parts get the default limits.
const WHOLE_LIMITS: (u64, u64, u64) = (1_000_000, 60, 1_024);
/// Words of a failure that look like a change of Python: a text, a list of names, a function or an error that is gone.
const DRIFT: &[&str] = &[
    "has no attribute",
    "cannot import name",
    "not found in",
    "does not match",
    "Deprecat",
    "unexpected keyword",
    "Error not raised",
    "' != '",
    "\" != \"",
    "' != \"",
    "PatternError: ",
    "Element counts",
    "Lists differ",
    "cannot pickle",
    "multiple subparser",
];
/// Known changes that no word gives away: `\\z` and `\\B` of `re`, `tee` of a `tee`, pickles of iterators, a later fix of `csv.Sniffer`.
const KNOWN: &[&str] = &[
    ".test_other_escapes",
    ".test_string_boundaries",
    ".test_tee",
    ".test_cycle_unpickle_compat",
    ".test_sniff_doublequote_record_separators",
];
const ENDED: &str = "the instance ended: ";
/// A set of tests that brings its instance down is run again in this many parts.
const PARTS: usize = 8;

/// Loads a module, runs the tests that stdin names (`null` for all) and prints one line. The same text runs on both sides.
const DRIVER: &str = r#"
import importlib, io, json, signal, sys, types, unittest
name, wanted, stand_ins, native = sys.argv[1], json.loads(sys.stdin.read()), [], sys.platform != 'wasi'
from test import support
from test.support import import_helper
support.use_resources, support.verbose = [], False
plain = import_helper.import_fresh_module
def fresh(module, *args, blocked=(), **named):
    try:
        found = plain(module, *args, blocked=blocked, **named)
    except ImportError:
        found = None
    if found is None and blocked:
        try:
            return importlib.import_module('_py' + module)
        except ImportError:
            stand_ins.append(module)
    return found or sys.modules[module]
import_helper.import_fresh_module = fresh
if name == 'test_sqlite3' and not native:
    sys.modules['_testcapi'] = types.SimpleNamespace(INT_MAX=2**31 - 1, ULLONG_MAX=2**64 - 1)
def slow(*_): raise TimeoutError('longer than 20 s')
def label(test): return getattr(test, 'test_case', test).id().removeprefix('test.').removeprefix(name + '.')
RANK = ['passed', 'skipped', 'failed', 'errored']
class Result(unittest.TestResult):
    seen = {}
    def note(self, test, outcome, words=''):
        if RANK.index(outcome) >= RANK.index(self.seen.get(label(test), RANK)[0]):
            self.seen[label(test)] = (outcome, words[:200])
    def startTest(self, test):
        if native:
            signal.signal(signal.SIGALRM, slow)
            signal.alarm(20)
    def stopTest(self, test): native and signal.alarm(0)
    def addSuccess(self, test): self.note(test, 'passed')
    def addExpectedFailure(self, test, err): self.note(test, 'passed')
    def addUnexpectedSuccess(self, test): self.note(test, 'failed', 'unexpected success')
    def addSkip(self, test, reason): self.note(test, 'skipped', str(reason))
    def addFailure(self, test, err): self.note(test, 'failed', f'{err[0].__name__}: {err[1]}')
    def addError(self, test, err): self.note(test, 'errored', f'{err[0].__name__}: {err[1]}')
    def addSubTest(self, test, sub, err):
        if err: (self.addFailure if issubclass(err[0], AssertionError) else self.addError)(test, err)
def flat(suite):
    for test in suite:
        yield from flat(test) if isinstance(test, unittest.TestSuite) else [test]
def load():
    module, loader = importlib.import_module('test.' + name), unittest.TestLoader()
    if name != 'test_decimal':
        return loader.loadTestsFromModule(module)
    suite = unittest.TestSuite()
    module.run_unittest = lambda *kinds: suite.addTests(map(loader.loadTestsFromTestCase, kinds))
    module.run_doctest = lambda *a, **k: None
    module.test_main()
    module.init(module.C), module.init(module.P)
    return suite
result, out, absent = Result(), sys.stdout, None
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
try:
    tests = list(flat(load()))
except BaseException as error:
    absent = f'{type(error).__name__}: {error}'
else:
    unittest.TestSuite([test for test in tests if wanted is None or label(test) in wanted]).run(result)
sys.stdout = out
print('\n@' + json.dumps(dict(absent=absent, tests=result.seen, stand_ins=stand_ins)), flush=True)
"#;

/// What the driver prints: outcome and words of each test.
#[derive(Default, Deserialize)]
struct Report {
    absent: Option<String>,
    tests: BTreeMap<String, (String, String)>,
    stand_ins: Vec<String>,
}

/// Why a test that passes natively does not pass in the runner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    /// It fails in the control as well.
    DriftConfirmed,
    /// Listed in [`KNOWN`], or the words look like a changed text or a removed function.
    DriftProbable,
    /// It asked to be left out, or its words name something that the sandbox does not have.
    Sandbox,
    /// The whole instance ended: by its stack or its limits.
    Ended,
    /// The twin of a test, for a module without its compiled part; the runner holds one copy of a module only.
    StandIn,
    /// None of these.
    Open,
}

const DRIFTS: [Fate; 2] = [Fate::DriftConfirmed, Fate::DriftProbable];

/// One module, judged.
#[derive(Default)]
struct Row {
    native: BTreeMap<String, usize>,
    runner: BTreeMap<String, usize>,
    /// Passed on both sides.
    both: usize,
    fates: Vec<(Fate, String, String)>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match judge().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn judge() -> Result<bool> {
    let runner = |limits: Option<(u64, u64, u64)>| -> Result<_> {
        let home = Home::with(&["runner-python"]);
        home.grant(|manifest| {
            let mut entries = manifest.plugins.iter_mut().filter(|entry| entry.name == "runner-python");
            if let (Some(entry), Some(limits)) = (entries.next(), limits) {
                (entry.limits.fuel_millions, entry.limits.guest_seconds, entry.limits.memory_mib) = limits;
            }
        });
        Ok(Registry::open(&home.data())?.runner("runner-python")?)
    };
    let runners = [runner(Some(WHOLE_LIMITS))?, runner(None)?];
    let control = std::env::var("JUDGE_CONTROL").ok();
    let only: Vec<String> = std::env::args().skip(1).collect();
    let (mut rows, mut absent) = (Vec::new(), 0);
    let head = ["passed", "failed", "skipped", "passed", "failed", "errored", "skipped", "drift", "native", "runner"];
    println!("{:<16}{:>24}{:>32}{:>8}{:>16}", "", "native", "runner", "", "seconds");
    println!("{:<16}{}", "module", head.map(|cell| format!("{cell:>8}")).concat());
    for (name, needs) in MODULES.iter().filter(|(name, _)| only.is_empty() || only.iter().any(|wanted| wanted == name)) {
        let Some((python, suite)) = suite_with(name) else {
            println!("{name:<16}  absent: no suite here has it");
            absent += 1;
            continue;
        };
        let folder = tempfile::tempdir()?;
        let files = gather(&suite, name, needs, folder.path()).with_context(|| (*name).to_owned())?;
        let started = Instant::now();
        let native = natively(&python, folder.path(), name).with_context(|| format!("{name} with {python}"))?;
        let between = Instant::now();
        let inside = in_runner(&runners, &files, name, &native).await?;
        let (native_seconds, seconds) = ((between - started).as_secs_f64(), between.elapsed().as_secs_f64());
        if let Some(why) = inside.absent.as_ref().or(native.absent.as_ref()) {
            println!("{name:<16}  absent: {why}");
            absent += 1;
            continue;
        }
        let newer = control.as_ref().map(|control| natively(control, folder.path(), name)).transpose()?.unwrap_or_default();
        let row = compare(&native, &inside, &newer);
        let mut counts = ["passed", "failed", "skipped"].map(|key| count(&row.native, key)).to_vec();
        counts[1] += count(&row.native, "errored");
        counts.extend(["passed", "failed", "errored", "skipped"].map(|key| count(&row.runner, key)));
        counts.push(row.of(&DRIFTS));
        let cells: String = counts.iter().map(|cell| format!("{cell:>8}")).collect();
        println!("{name:<16}{cells}{native_seconds:>8.1}{seconds:>8.1}");
        rows.push((*name, row));
    }
    for (name, row) in &rows {
        for (fate, id, words) in &row.fates {
            println!("{fate:?} {name} {id}: {}", words.lines().next().unwrap_or_default());
        }
    }
    let sum = |value: &dyn Fn(&Row) -> usize| rows.iter().map(|(_, row)| value(row)).sum::<usize>();
    let (native_passed, both) = (sum(&|row| count(&row.native, "passed")), sum(&|row| row.both));
    let reasons = [Fate::DriftConfirmed, Fate::DriftProbable, Fate::Sandbox, Fate::Ended, Fate::StandIn, Fate::Open];
    println!("{}", reasons.map(|fate| format!("{fate:?}={}", sum(&|row| row.of(&[fate])))).join(" "));
    println!(
        "judge-python modules={} runner_passed={} runner_failed={} native_passed={native_passed} drift={} absent={absent}",
        rows.len(),
        sum(&|row| count(&row.runner, "passed")),
        sum(&|row| count(&row.runner, "failed") + count(&row.runner, "errored")),
        sum(&|row| row.of(&DRIFTS)),
    );
    Ok(native_passed > 0 && both as f64 >= SHARE_MIN * native_passed as f64)
}

fn count(counts: &BTreeMap<String, usize>, key: &str) -> usize {
    counts.get(key).copied().unwrap_or_default()
}

/// The Python and the folder of a suite that has this module.
fn suite_with(name: &str) -> Option<(String, PathBuf)> {
    let question = ["-c", "import sysconfig; print(sysconfig.get_path('stdlib'), end='/test')"];
    let other = Command::new("python3.11").args(question).output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let known = [(DEBIAN.0, DEBIAN.1.to_owned()), ("python3.11", other.unwrap_or_default())];
    let has = |folder: &Path| folder.join(name).is_dir() || folder.join(format!("{name}.py")).is_file();
    known.into_iter().map(|(python, folder)| (python.to_owned(), PathBuf::from(folder))).find(|(_, folder)| has(folder))
}

/// Copies what a module needs to a folder and to memory, both below `test/`. Files that no project may hold are left out.
fn gather(suite: &Path, name: &str, needs: &[&str], folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let own = if suite.join(name).is_dir() { name.to_owned() } else { format!("{name}.py") };
    let mut waiting: Vec<PathBuf> = ["__init__.py", "support", &own].iter().chain(needs).map(|path| suite.join(path)).collect();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path)?.collect::<Result<Vec<_>, _>>()?.iter().map(std::fs::DirEntry::path));
        } else if path.extension().is_none_or(|ending| ending != "pyc") {
            let inner = Path::new("test").join(path.strip_prefix(suite)?);
            let Ok(project_path) = ProjectPath::parse(&inner.to_string_lossy()) else { continue };
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let target = folder.join(inner);
            std::fs::create_dir_all(target.parent().unwrap_or(folder))?;
            std::fs::write(target, &bytes)?;
            files.insert(project_path, File { bytes: bytes.into(), executable: false });
        }
    }
    Ok(files)
}

fn read(stdout: &str) -> Option<Report> {
    stdout.lines().rev().find_map(|line| serde_json::from_str(line.strip_prefix('@')?).ok())
}

fn natively(python: &str, folder: &Path, name: &str) -> Result<Report> {
    let mut command = Command::new(python);
    command.args(["-B", "-c", DRIVER, name]).current_dir(folder).env_remove("PYTHONPATH");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    child.stdin.take().context("its stdin")?.write_all(b"null")?;
    read(&String::from_utf8_lossy(&child.wait_with_output()?.stdout)).context("it did not report")
}

/// Runs everything in one instance; where that is brought down, the tests in parts, until those that do it stand alone.
async fn in_runner(runners: &[Arc<Runner>; 2], files: &Files, name: &str, native: &Report) -> Result<Report> {
    let arguments = ["python3", "-c", DRIVER, name].map(str::to_owned);
    let mut all = Report::default();
    let mut waiting: Vec<Option<Vec<String>>> = vec![None];
    while let Some(ids) = waiting.pop() {
        let outcome = runners[usize::from(ids.is_some())].run_command(&mut files.clone(), &arguments, &serde_json::to_string(&ids)?).await;
        let why = match outcome {
            Ok(outcome) => match read(&outcome.stdout) {
                Some(report) => {
                    all.absent = all.absent.or(report.absent);
                    all.stand_ins = report.stand_ins;
                    all.tests.extend(report.tests);
                    continue;
                }
                None => format!("exit {}: {}", outcome.exit_code, outcome.stderr.lines().last().unwrap_or_default()),
            },
            Err(contained) => contained.to_string(),
        };
        let ids = ids.unwrap_or_else(|| native.tests.keys().cloned().collect());
        match ids.as_slice() {
            [] => all.absent = Some(why),
            [id] => drop(all.tests.insert(id.clone(), ("errored".to_owned(), format!("{ENDED}{why}")))),
            several => waiting.extend(several.chunks(several.len().div_ceil(PARTS)).map(|part| Some(part.to_vec()))),
        }
    }
    Ok(all)
}

impl Row {
    fn of(&self, fates: &[Fate]) -> usize {
        self.fates.iter().filter(|(fate, ..)| fates.contains(fate)).count()
    }
}

/// Counts the tests that native Python knows; doctests of the library itself differ in name and number between versions.
fn compare(native: &Report, inside: &Report, newer: &Report) -> Row {
    let mut row = Row::default();
    let missing = ("errored".to_owned(), "it was not run: its class or file did not load".to_owned());
    for (id, (expected, _)) in &native.tests {
        let seen = inside.tests.get(id).unwrap_or(&missing);
        let (outcome, words) = seen;
        *row.native.entry(expected.clone()).or_default() += 1;
        *row.runner.entry(outcome.clone()).or_default() += 1;
        match (expected.as_str(), outcome.as_str()) {
            ("passed", "passed") => row.both += 1,
            ("passed", _) => row.fates.push((fate(id, seen, inside, newer), id.clone(), words.clone())),
            _ => {}
        }
    }
    row.fates.sort();
    row
}

fn fate(id: &str, (outcome, words): &(String, String), inside: &Report, newer: &Report) -> Fate {
    let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let fails = |(outcome, _): &(String, String)| outcome == "failed" || outcome == "errored";
    let twin = id.split('.').any(|part| ["Py", "TestPy", "test_py"].iter().any(|start| part.starts_with(start)));
    match () {
        () if outcome == "skipped" || has(&["sandbox"]) => Fate::Sandbox,
        () if newer.tests.get(id).is_some_and(fails) => Fate::DriftConfirmed,
        () if has(&[ENDED]) => Fate::Ended,
        () if twin && !inside.stand_ins.is_empty() => Fate::StandIn,
        () if has(DRIFT) || KNOWN.iter().any(|known| id.ends_with(known)) => Fate::DriftProbable,
        () => Fate::Open,
    }
}
