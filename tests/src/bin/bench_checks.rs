//! What a check costs in the sandbox, beside the language's own test command: a project with twenty tests in Python and one in
//! JavaScript, each run in a fresh interpreter. Prints a table and, last, one line of figures; ends with 1 where a target is missed.

use anyhow::{Result, bail};
use atelier_host::checks::Checks;
use atelier_host::plugins::registry::Registry;
use atelier_host::project::{Acceptance, Check, CheckStatus, SourceFile};
use atelier_host::workspace::path::ProjectPath;
use atelier_host::workspace::{File, Files};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::home::Home;

const ROUNDS: usize = 15;
const TESTS: usize = 20;
/// In the sandbox at most this part of the native test command.
const RATIO_MAX: f64 = 0.25;

struct Language {
    name: &'static str,
    runner: &'static str,
    source: (&'static str, String),
    test: (&'static str, String),
    command: Vec<&'static str>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<bool> {
    let home = Home::with_runners();
    let registry = Arc::new(Registry::open(&home.data())?);
    let checks = Checks::new(registry.clone());
    let mut figures = Vec::new();
    let mut good = true;
    println!("{:<12} {:>13} {:>13} {:>7} {:>13} {:>13}", "20 tests", "native", "sandbox", "ratio", "native", "sandbox");
    for language in [python(), javascript()] {
        let (native, sandbox) = pair(&checks, &language).await?;
        let ratio = sandbox.as_secs_f64() / native.as_secs_f64();
        let mark = if ratio <= RATIO_MAX { "" } else { "  TARGET MISSED (0.25)" };
        let memory = (native_memory_mib(&language)?, registry.runner(language.runner)?.memory_peak_bytes() as f64 / 1048576.0);
        println!(
            "{:<12} {:>10.1} ms {:>10.1} ms {ratio:>7.2} {:>9.1} MiB {:>9.1} MiB{mark}",
            language.name,
            ms(native),
            ms(sandbox),
            memory.0,
            memory.1
        );
        figures.push(format!(
            "{}_native_ms={:.1} {}_sandbox_ms={:.1} {}_ratio={ratio:.2}",
            language.name,
            ms(native),
            language.name,
            ms(sandbox),
            language.name
        ));
        good &= ratio <= RATIO_MAX;
    }
    println!("bench-checks {}", figures.join(" "));
    Ok(good)
}

/// In turn, round by round, so that a slow moment of the machine hits both; the medians.
async fn pair(checks: &Checks, language: &Language) -> Result<(Duration, Duration)> {
    let folder = laid_out(language)?;
    let mut files = Files::new();
    for (path, text) in [&language.source, &language.test] {
        files.insert(ProjectPath::parse(path)?, File { bytes: text.clone().into_bytes().into(), executable: false });
    }
    let check = Check::UnitTest(SourceFile { path: language.test.0.to_owned(), text: language.test.1.clone() });
    let acceptance = [Acceptance { id: "C1".to_owned(), requirement: "R1".to_owned(), check }];
    let (mut natives, mut sandboxes) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let started = Instant::now();
        native(folder.path(), &language.command)?;
        let between = Instant::now();
        let result = checks.run(&files, &acceptance).await.remove(0);
        if result.status != CheckStatus::Passed {
            bail!("{}: {}", language.name, result.detail);
        }
        // The first round warms both up.
        if round > 0 {
            natives.push(between - started);
            sandboxes.push(between.elapsed());
        }
    }
    Ok((middle(natives), middle(sandboxes)))
}

/// The project in a folder of its own, for the native command.
fn laid_out(language: &Language) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (path, text) in [&language.source, &language.test] {
        let target = folder.path().join(path);
        std::fs::create_dir_all(target.parent().unwrap_or(folder.path()))?;
        std::fs::write(target, text)?;
    }
    Ok(folder)
}

/// The largest resident size among the processes of the native command, as Python's `resource` tells it.
fn native_memory_mib(language: &Language) -> Result<f64> {
    let folder = laid_out(language)?;
    let program = "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=-3,stderr=-3,check=True)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = Command::new("python3").args(["-c", program]).args(&language.command).current_dir(folder.path()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()? / 1024.0)
}

fn native(folder: &Path, command: &[&str]) -> Result<()> {
    let status = Command::new(command[0]).args(&command[1..]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("`{}` failed", command.join(" "));
    }
    Ok(())
}

fn python() -> Language {
    let source = "def collatz(n):\n    steps = 0\n    while n != 1:\n        n = n // 2 if n % 2 == 0 else 3 * n + 1\n        steps += 1\n    return steps\n";
    let mut test = "import unittest\n\nfrom collatz import collatz\n\n\nclass TestCollatz(unittest.TestCase):\n".to_owned();
    for number in 1..=TESTS {
        test.push_str(&format!("    def test_{number}(self):\n        self.assertEqual(collatz({number}), {})\n\n", collatz(number)));
    }
    Language {
        name: "python",
        runner: "runner-python",
        source: ("collatz.py", source.to_owned()),
        test: ("tests/test_collatz.py", test),
        command: vec!["python3", "-m", "unittest", "tests/test_collatz.py"],
    }
}

fn javascript() -> Language {
    let source = "exports.collatz = (n) => {\n  let steps = 0;\n  while (n !== 1) {\n    n = n % 2 === 0 ? n / 2 : 3 * n + 1;\n    steps += 1;\n  }\n  return steps;\n};\n";
    let mut test =
        "const test = require('node:test');\nconst assert = require('node:assert');\nconst { collatz } = require('../collatz.js');\n\n"
            .to_owned();
    for number in 1..=TESTS {
        test.push_str(&format!("test('collatz {number}', () => assert.strictEqual(collatz({number}), {}));\n", collatz(number)));
    }
    Language {
        name: "javascript",
        runner: "runner-javascript",
        source: ("collatz.js", source.to_owned()),
        test: ("tests/collatz.test.js", test),
        command: vec!["node", "--test", "tests/"],
    }
}

fn collatz(mut number: usize) -> usize {
    let mut steps = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
