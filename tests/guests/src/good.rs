//! A guest that does its work without a model, so that a test can reach the export it is about.

use atelier_sdk::implementer::Work;
use atelier_sdk::types::{Acceptance, Brief, Check, Failure, Finding, Plan, Requirement, SourceFile, Task, Verdict};
use atelier_sdk::{job, workspace};

/// One requirement.
pub fn brief() -> Brief {
    Brief {
        title: "Greeter".to_owned(),
        summary: "Greets.".to_owned(),
        language: "python".to_owned(),
        requirements: vec![Requirement { id: "R1".to_owned(), text: "It greets.".to_owned(), prerequisites: vec![] }],
    }
}

/// One task with a check of each kind that matters here.
pub fn plan() -> Plan {
    let test = SourceFile { path: "tests/test_greet.py".to_owned(), text: "def test():\n    assert True\n".to_owned() };
    let check = |id: &str, check| Acceptance { id: id.to_owned(), requirement: "R1".to_owned(), check };
    Plan {
        tasks: vec![Task {
            id: "T1".to_owned(),
            title: "Greet".to_owned(),
            description: "Write greet.py.".to_owned(),
            depends_on: vec![],
            files: vec!["greet.py".to_owned(), "lib/**".to_owned()],
            acceptance: vec![check("C1", Check::UnitTest(test)), check("C2", Check::FilePresent("greet.py".to_owned()))],
        }],
        run_command: "python3 greet.py".to_owned(),
        design: "One file.".to_owned(),
    }
}

/// Writes the one file, another one in each try, unless the idea wants a task that fails.
pub fn implement() -> Result<Work, Failure> {
    if job::idea() != "implement nothing" {
        let file = SourceFile { path: "greet.py".to_owned(), text: format!("print('hello') # try {}\n", job::attempt()) };
        workspace::write(&file).map_err(Failure::Refused)?;
    }
    Ok(Work { summary: "greets".to_owned(), assumptions: Vec::new() })
}

/// Accepts, or rejects as often as it is told to.
pub fn verdict() -> Verdict {
    match job::idea().as_str() {
        "verify reject" => {
            let message = "it could be better".to_owned();
            Verdict::Rejected(vec![Finding { path: "greet.py".to_owned(), line: 1, message, requirement: None }])
        }
        _ => Verdict::Accepted("it greets".to_owned()),
    }
}
