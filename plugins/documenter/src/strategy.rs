//! From the facts and one or two model calls to four documents.

use crate::facts::{self, Job};
use crate::prose::{self, DESIGN, MANUAL, Prose};
use atelier_sdk::fences::around;
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::template::fill;
use atelier_sdk::types::{Check, Failure, Refusal, SourceFile};
use atelier_sdk::words;
use atelier_sdk::workspace::{Entry, Kind};

/// The longest reply: two documents of some pages.
const OUTPUT_TOKENS_MAX: u32 = 8_000;
/// Files shown, in characters together.
const SOURCES_CHARS_MAX: usize = 80_000;
/// Of one file; of a longer one its beginning says what it is.
const SOURCE_CHARS_MAX: usize = 16_000;

/// The project's files.
pub trait Project {
    /// All of them.
    fn list(&self) -> Result<Vec<Entry>, Refusal>;
    /// One of them.
    fn read(&self, path: &str) -> Result<String, Refusal>;
    /// Writes a document.
    fn write(&mut self, file: &SourceFile) -> Result<(), Refusal>;
    /// Says how far it is.
    fn say(&mut self, text: &str, percent: u8);
}

/// Writes the documents and returns one line on them.
pub fn document(model: &mut dyn Model, project: &mut dyn Project, job: &Job) -> Result<String, Failure> {
    let folder = job.task.files.first().and_then(|pattern| pattern.strip_suffix("/**"));
    let folder = folder.ok_or_else(|| Failure::Impossible("the host named no folder for the documents".to_owned()))?.to_owned();
    project.say("reading the project", 10);
    let entries = project.list().map_err(Failure::Refused)?;
    let paths: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
    let sources = sources(project, job, &entries, &folder).map_err(Failure::Refused)?;
    project.say("writing design and user manual", 30);
    let prose = written(model, job, &sources, &paths)?;
    project.say("writing down what was checked", 90);
    let documents = [
        ("requirements.md", facts::requirements(job)),
        (DESIGN, joined(&prose.design, &facts::tasks(job))),
        ("test_plan.md", facts::test_plan(job)),
        (MANUAL, joined(&prose.manual, &facts::examples(job))),
    ];
    for (name, text) in documents {
        project.write(&SourceFile { path: format!("{folder}/{name}"), text }).map_err(Failure::Refused)?;
    }
    Ok("requirements, design, test plan and user manual".to_owned())
}

/// What the model writes. Told once what a reader would stumble over, it mends it; what it leaves is left out where it can be.
fn written(model: &mut dyn Model, job: &Job, sources: &str, paths: &[String]) -> Result<Prose, Failure> {
    let mut talk = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, include_str!("../prompts/rules.md"));
    let mut prose = talk.ask(&opening(job, sources), prose::read)?;
    let problems = prose::problems(&prose, paths);
    if !problems.is_empty() {
        let again = format!("Readers would stumble over this:\n\n- {}\n\nSend both documents again, mended.", problems.join("\n- "));
        match talk.ask(&again, prose::read) {
            Ok(mended) => prose = mended,
            // What is there can be read; a mend that can't is no reason to have nothing.
            Err(Failure::UnusableReply(_) | Failure::Refused(Refusal::BudgetExceeded(_) | Refusal::ContextTooLong)) => {}
            Err(failure) => return Err(failure),
        }
    }
    let drawn = |text: &str| prose::without_broken_diagrams(text);
    Ok(Prose { design: drawn(&prose.design), manual: drawn(&prose.manual) })
}

fn opening(job: &Job, sources: &str) -> String {
    let (brief, plan) = (&job.brief, &job.plan);
    let requirements: String = brief.requirements.iter().map(|entry| format!("- {}: {}\n", entry.id, entry.text)).collect();
    let commands = plan.tasks.iter().flat_map(|task| &task.acceptance).filter(|entry| matches!(entry.check, Check::Command(_)));
    let commands: String = commands.map(|entry| format!("- {}: {}\n", entry.requirement, words::check(&entry.check))).collect();
    let known = [
        ("title", brief.title.as_str()),
        ("summary", &brief.summary),
        ("requirements", requirements.trim_end()),
        ("design", &plan.design),
        ("run", &plan.run_command),
        ("commands", if commands.is_empty() { "(none)" } else { commands.trim_end() }),
        ("sources", sources),
    ];
    fill(include_str!("../prompts/documents.md"), &known).trim_end().to_owned()
}

/// The files as the model sees them: programs first, since they are what is explained; tests and documents are left out.
fn sources(project: &dyn Project, job: &Job, entries: &[Entry], folder: &str) -> Result<String, Refusal> {
    let tests = job.plan.tasks.iter().flat_map(|task| &task.acceptance).filter_map(|entry| match &entry.check {
        Check::UnitTest(file) => Some(file.path.as_str()),
        _ => None,
    });
    let tests: Vec<&str> = tests.collect();
    let is_shown = |entry: &&Entry| {
        entry.kind == Kind::Text && !tests.contains(&entry.path.as_str()) && !entry.path.starts_with(&format!("{folder}/"))
    };
    let (mut out, mut left) = (String::new(), SOURCES_CHARS_MAX);
    for entry in entries.iter().filter(is_shown) {
        let text = project.read(&entry.path)?;
        let shown: String = text.chars().take(SOURCE_CHARS_MAX.min(left)).collect();
        left -= shown.chars().count();
        let cut = if shown.len() < text.len() { "\n(and more)" } else { "" };
        let fence = around(&shown);
        out.push_str(&format!("{}\n{fence}\n{}{cut}\n{fence}\n\n", entry.path, shown.trim_end_matches('\n')));
        if left == 0 {
            break;
        }
    }
    Ok(out.trim_end().to_owned())
}

fn joined(prose: &str, facts: &str) -> String {
    format!("{}\n\n{}", prose.trim_end(), facts).trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::job::AcceptedTask;
    use atelier_sdk::model::Scripted;
    use atelier_sdk::types::{Acceptance, Brief, CheckResult, CommandStep, Matching, Plan, Requirement, Status, Task};
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Desk(BTreeMap<String, String>);

    impl Project for Desk {
        fn list(&self) -> Result<Vec<Entry>, Refusal> {
            let entry = |(path, text): (&String, &String)| Entry {
                path: path.clone(),
                bytes: text.len() as u64,
                kind: Kind::Text,
                executable: false,
            };
            Ok(self.0.iter().map(entry).collect())
        }

        fn read(&self, path: &str) -> Result<String, Refusal> {
            self.0.get(path).cloned().ok_or_else(|| Refusal::NotFound(path.to_owned()))
        }

        fn write(&mut self, file: &SourceFile) -> Result<(), Refusal> {
            self.0.insert(file.path.clone(), file.text.clone());
            Ok(())
        }

        fn say(&mut self, _: &str, _: u8) {}
    }

    fn job() -> Job {
        let step = CommandStep {
            arguments: vec!["python3".into(), "greet.py".into(), "Ada Lovelace".into()],
            stdin: String::new(),
            stdout: Matching::Exact("Hello, Ada Lovelace\n".into()),
            exit_code: 0,
        };
        let check = |id: &str, requirement: &str, check| Acceptance { id: id.into(), requirement: requirement.into(), check };
        let test = SourceFile { path: "tests/test_greet.py".into(), text: "secret of the test".into() };
        let acceptance = vec![
            check("C1", "R1", Check::Command(vec![step])),
            check("C2", "R1", Check::UnitTest(test)),
            check("C3", "R2", Check::Judgement("taste | style".into())),
        ];
        let task = |id: &str, needs: Vec<String>, acceptance| Task {
            id: id.into(),
            title: format!("Build {id}"),
            description: "d".into(),
            depends_on: needs,
            files: vec!["greet.py".into()],
            acceptance,
        };
        let requirement = |id: &str, text: &str| Requirement { id: id.into(), text: text.into(), prerequisites: vec![] };
        let result = |check: &str, requirement: &str, status| CheckResult {
            check: check.into(),
            requirement: requirement.into(),
            status,
            detail: "\nbecause".into(),
        };
        Job {
            brief: Brief {
                title: "Greeter".into(),
                summary: "It greets.".into(),
                language: "python".into(),
                requirements: vec![requirement("R1", "It greets a \"name\""), requirement("R2", "It is friendly")],
            },
            plan: Plan {
                tasks: vec![task("T1", vec![], acceptance), task("T2", vec!["T1".into()], vec![])],
                run_command: "python3 greet.py NAME".into(),
                design: "One file.".into(),
            },
            task: Task { files: vec!["docs/**".into()], ..task("documents", vec![], vec![]) },
            results: vec![result("C1", "R1", Status::Passed), result("C2", "R1", Status::Failed), result("C3", "R2", Status::NotRun)],
            accepted: vec![AcceptedTask { id: "T1".into(), title: "Build T1".into(), summary: "greet | say hello".into() }],
        }
    }

    fn desk() -> Desk {
        let files = [("greet.py", "print('Hello')"), ("tests/test_greet.py", "secret of the test"), ("docs/design.md", "an old one")];
        Desk(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn reply(diagram: &str) -> String {
        let pad = "word ".repeat(50);
        format!(
            "design.md\n````markdown\n# Design: Greeter\n{pad}\n```mermaid\n{diagram}\n```\n````\n\nuser_manual.md\n````markdown\n# User manual: Greeter\n{pad}\n````\n"
        )
    }

    const GOOD: &str = "flowchart LR\n  A[\"greet.py\"] --> B[\"words (out)\"]";
    const BROKEN: &str = "flowchart LR\n  A[words (out)] --> B";

    #[test]
    fn facts_are_written_down_and_prose_is_asked_for_once() {
        let (mut model, mut desk, job) = (Scripted::new(&[&reply(GOOD)]), desk(), job());
        document(&mut model, &mut desk, &job).expect("documents");
        assert_eq!(model.requests.len(), 1);
        let asked = &model.requests[0].messages[1].text;
        assert!(asked.contains("print('Hello')") && asked.contains("Ada Lovelace") && !asked.contains("{{"));
        assert!(!asked.contains("secret of the test") && !asked.contains("an old one"), "neither tests nor documents are explained");
        let requirements = &desk.0["docs/requirements.md"];
        assert!(requirements.contains("| R1 | It greets a \"name\" |  | T1 | 1 passed, 1 failed |"), "{requirements}");
        assert!(requirements.contains("R1[\"R1: It greets a #quot;name#quot;\"]") && requirements.contains("R1 --> T1"));
        let plan = &desk.0["docs/test_plan.md"];
        assert!(plan.contains("| C2 | R1 | unit tests in tests/test_greet.py | **failed**: because |"), "{plan}");
        assert!(plan.contains("python3 -m unittest tests/test_greet.py") && plan.contains("- R2: taste | style"));
        let manual = &desk.0["docs/user_manual.md"];
        assert!(manual.contains("python3 greet.py 'Ada Lovelace'") && manual.contains("Hello, Ada Lovelace"), "{manual}");
        let design = &desk.0["docs/design.md"];
        assert!(
            design.contains("words (out)") && design.contains("| T2 | Build T2 | greet.py | not done |") && design.contains("T1 --> T2")
        );
    }

    #[test]
    fn an_example_that_failed_is_no_example() {
        let mut job = job();
        job.results[0].status = Status::Failed;
        assert_eq!(facts::examples(&job), "");
    }

    #[test]
    fn what_readers_would_stumble_over_is_sent_back_once_and_then_left_out() {
        let (mut model, mut desk) = (Scripted::new(&[&reply(BROKEN), &reply(GOOD)]), desk());
        document(&mut model, &mut desk, &job()).expect("documents");
        assert!(model.requests[1].messages[3].text.contains("into quotes") && desk.0["docs/design.md"].contains("words (out)"));
        let (mut model, mut desk) = (Scripted::new(&[&reply(BROKEN), &reply(BROKEN)]), super::tests::desk());
        document(&mut model, &mut desk, &job()).expect("documents");
        assert!(!desk.0["docs/design.md"].contains("words (out)") && desk.0["docs/design.md"].contains("# Design: Greeter"));
        let (mut model, mut desk) = (Scripted::new(&[&reply(BROKEN), "no", "no"]), super::tests::desk());
        document(&mut model, &mut desk, &job()).expect("what is there can be read");
    }

    #[test]
    fn who_has_no_folder_or_no_model_gives_up() {
        let mut nowhere = job();
        nowhere.task.files.clear();
        assert!(matches!(document(&mut Scripted::default(), &mut desk(), &nowhere), Err(Failure::Impossible(_))));
        assert!(matches!(document(&mut Scripted::default(), &mut desk(), &job()), Err(Failure::Refused(_))));
    }
}
