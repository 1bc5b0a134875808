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
/// The modules, each with what it needs besides itself and `test/support`.
const MODULES: &str = "test_json test_re+re_tests.py test_textwrap test_collections test_itertools datetimetester test_csv test_argparse \
    test_sqlite3 test_string test_statistics test_fractions test_decimal+decimaltestdata";
/// A whole module takes longer than a check may: millions of instructions, seconds, MiB. Its parts get the default limits.
const WHOLE_LIMITS: (u64, u64, u64) = (1_000_000, 60, 1_024);
/// Words, with `|` between them, that look like a change of Python: a new text, list of names or refusal, or something that is gone.
const DRIFT: &str = "AttributeError: module '|'__setstate__'|attribute '__name__'|cannot import name|not found in|does not match|Deprecat\
    |unexpected keyword|Error not raised|' != '|\" != \"|' != \"|PatternError: |Element counts|Lists differ|cannot pickle|subparser\
    |cannot be nested|dest= is|dest supplied|FileType class object|'int' is not callable";
/// Changes that no word gives away: `\z` and `\B` of `re`, `tee` of a `tee`, iterators as pickles, `csv.Sniffer`, intermixed arguments.
const KNOWN: &str = ".test_other_escapes|.test_string_boundaries|.test_tee|.test_cycle_unpickle_compat\
    |.test_sniff_doublequote_record_separators|TestIntermixedArgs.|TestIntermixedMessageContentError.";
/// Names that only the runner gives to things; with one of them in its words a failure is no change of Python.
const OWN: &str = "atelier-|/python/";
/// What is said of a test that brought the whole instance down.
const ENDED: &str = "the instance ended: ";
/// A set of tests that brings its instance down is run again in this many parts.
const PARTS: usize = 8;

/// Loads a module, runs the tests that stdin names (`null` for all) and prints one line. The same text runs on both sides.
const DRIVER: &str = r#"
import importlib, io, json, signal, sys, types, unittest
name, wanted, stand_ins, native = sys.argv[1], json.loads(sys.stdin.read()), [], sys.platform != 'wasi'
from test import support
from test.support import import_helper
support.use_resources, support.verbose, plain = [], False, import_helper.import_fresh_module
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
native and signal.signal(signal.SIGALRM, slow)
def label(test): return getattr(test, 'test_case', test).id().removeprefix('test.').removeprefix(name + '.')
RANK = ['passed', 'skipped', 'failed', 'errored']
class Result(unittest.TestResult):
    seen = {}
    def note(self, test, outcome, words=''):
        if RANK.index(outcome) >= RANK.index(self.seen.get(label(test), RANK)[0]):
            self.seen[label(test)] = (outcome, words[:200])
    def startTest(self, test): native and signal.alarm(20)
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
    suite, module.run_doctest = unittest.TestSuite(), lambda *_, **__: None
    module.run_unittest = lambda *kinds: suite.addTests(map(loader.loadTestsFromTestCase, kinds))
    module.test_main(), module.init(module.C), module.init(module.P)
    return suite
result, out, absent, sys.stdout, sys.stderr = Result(), sys.stdout, None, io.StringIO(), io.StringIO()
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

/// Why a test that passes natively does not pass in the runner: in the control it fails as well; [`KNOWN`] or [`DRIFT`] name it; it asked
/// to be left out or names the sandbox; its instance ended by stack or limits; it is the twin of a test, for a module without its
/// compiled part, of which the runner holds one copy only; or none of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    DriftConfirmed,
    DriftProbable,
    Sandbox,
    Ended,
    StandIn,
    Open,
}

/// One module, judged: the columns of the table, what passed on both sides, and what did not pass in the runner only.
#[derive(Default)]
struct Row {
    counts: [usize; 8],
    both: usize,
    fates: Vec<(Fate, String, String)>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    Ok(if judge().await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn judge() -> Result<bool> {
    let runner = |whole: bool| -> Result<_> {
        let home = Home::with(&["runner-python"]);
        home.grant(|manifest| {
            let limits = manifest.plugins.iter_mut().filter(|entry| whole && entry.name == "runner-python").map(|entry| &mut entry.limits);
            limits.for_each(|limits| (limits.fuel_millions, limits.guest_seconds, limits.memory_mib) = WHOLE_LIMITS);
        });
        Ok(Registry::open(&home.data())?.runner("runner-python")?)
    };
    let runners = [runner(true)?, runner(false)?];
    let control = std::env::var("JUDGE_CONTROL").ok();
    let only: Vec<String> = std::env::args().skip(1).collect();
    let (mut rows, mut absent) = (Vec::new(), 0);
    let head = ["passed", "failed", "skipped", "passed", "failed", "errored", "skipped", "drift", "native", "runner"];
    println!("{:<16}{:>24}{:>32}{:>8}{:>16}", "", "native", "runner", "", "seconds");
    println!("{:<16}{}", "module", head.map(|cell| format!("{cell:>8}")).concat());
    let modules = MODULES.split(' ').map(|entry| entry.split_once('+').unwrap_or((entry, "support")));
    for (name, need) in modules.filter(|(name, _)| only.is_empty() || only.iter().any(|wanted| wanted == name)) {
        let folder = tempfile::tempdir()?;
        let (mut native, mut inside, mut seconds) = (Report::default(), Report::default(), [0.0; 2]);
        native.absent = Some("no suite here has it".to_owned());
        if let Some((python, suite)) = suite_with(name) {
            let files = gather(&suite, name, need, folder.path()).with_context(|| name.to_owned())?;
            let started = Instant::now();
            native = natively(&python, folder.path(), name).with_context(|| format!("{name} with {python}"))?;
            let between = Instant::now();
            inside = in_runner(&runners, &files, name, &native).await?;
            seconds = [(between - started).as_secs_f64(), between.elapsed().as_secs_f64()];
        }
        if let Some(why) = inside.absent.as_ref().or(native.absent.as_ref()) {
            println!("{name:<16}  absent: {why}");
            absent += 1;
            continue;
        }
        let newer = control.as_ref().map(|control| natively(control, folder.path(), name)).transpose()?.unwrap_or_default();
        let row = compare(&native, &inside, &newer);
        let cells = row.counts.map(|cell| format!("{cell:>8}")).concat();
        println!("{name:<16}{cells}{:>8.1}{:>8.1}", seconds[0], seconds[1]);
        rows.push((name, row));
    }
    for (name, row) in &rows {
        for (fate, id, words) in &row.fates {
            println!("{fate:?} {name} {id}: {}", words.lines().next().unwrap_or_default());
        }
    }
    let sum = |column: usize| rows.iter().map(|(_, row)| row.counts[column]).sum::<usize>();
    let fates = |fate: Fate| rows.iter().flat_map(|(_, row)| &row.fates).filter(|(known, ..)| *known == fate).count();
    let reasons = [Fate::DriftConfirmed, Fate::DriftProbable, Fate::Sandbox, Fate::Ended, Fate::StandIn, Fate::Open];
    let both: usize = rows.iter().map(|(_, row)| row.both).sum();
    println!("passed_on_both={both} {}", reasons.map(|fate| format!("{fate:?}={}", fates(fate))).join(" "));
    let (native, runner, failed, drift) = (sum(0), sum(3), sum(4) + sum(5), sum(7));
    let head = format!("judge-python modules={} runner_passed={runner} runner_failed={failed}", rows.len());
    println!("{head} native_passed={native} drift={drift} absent={absent}");
    Ok(native > 0 && both as f64 >= SHARE_MIN * native as f64)
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
fn gather(suite: &Path, name: &str, need: &str, folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let own = if suite.join(name).is_dir() { name.to_owned() } else { format!("{name}.py") };
    let mut waiting: Vec<PathBuf> = ["__init__.py", "support", &own, need].iter().map(|path| suite.join(path)).collect();
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

/// Counts the tests that native Python knows; doctests of the library itself differ in name and number between versions.
fn compare(native: &Report, inside: &Report, newer: &Report) -> Row {
    let mut row = Row::default();
    let missing = ("errored".to_owned(), "it was not run: its class or file did not load".to_owned());
    for (id, (expected, _)) in &native.tests {
        let seen = inside.tests.get(id).unwrap_or(&missing);
        let (outcome, words) = seen;
        let place = |outcome: &str| ["passed", "failed", "errored", "skipped"].iter().position(|known| *known == outcome).unwrap_or(2);
        row.counts[[0, 1, 1, 2][place(expected)]] += 1;
        row.counts[3 + place(outcome)] += 1;
        match (expected.as_str(), outcome.as_str()) {
            ("passed", "passed") => row.both += 1,
            ("passed", _) => row.fates.push((fate(id, seen, inside, newer), id.clone(), words.clone())),
            _ => {}
        }
    }
    row.counts[7] = row.fates.iter().filter(|(fate, ..)| *fate <= Fate::DriftProbable).count();
    row.fates.sort();
    row
}

fn fate(id: &str, (outcome, words): &(String, String), inside: &Report, newer: &Report) -> Fate {
    let has = |list: &str| list.split('|').any(|word| words.contains(word));
    let fails = |(outcome, _): &(String, String)| outcome == "failed" || outcome == "errored";
    let twin = id.split('.').any(|part| ["Py", "TestPy", "test_py"].iter().any(|start| part.starts_with(start)));
    match () {
        () if outcome == "skipped" || has("sandbox") => Fate::Sandbox,
        () if newer.tests.get(id).is_some_and(fails) => Fate::DriftConfirmed,
        () if has(ENDED) => Fate::Ended,
        () if twin && !inside.stand_ins.is_empty() => Fate::StandIn,
        () if !has(OWN) && (has(DRIFT) || KNOWN.split('|').any(|known| id.contains(known))) => Fate::DriftProbable,
        () => Fate::Open,
    }
}
