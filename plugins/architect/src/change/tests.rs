//! Stories of a change: a project of three tasks, of which the first is done, is to print in blue, count, and log no more.

use super::*;
use crate::plan::make_plan;
use atelier_sdk::model::Scripted;
use atelier_sdk::types::{Acceptance, Failure, SourceFile};

fn brief(requirements: &[(&str, &str)]) -> Brief {
    let requirement = |(id, text): &(&str, &str)| Requirement { id: (*id).into(), text: (*text).into(), prerequisites: vec![] };
    Brief {
        title: "T".into(),
        summary: "S".into(),
        language: "python".into(),
        requirements: requirements.iter().map(requirement).collect(),
    }
}

fn wanted() -> Brief {
    brief(&[("R1", "adds "), ("R2", "prints in blue"), ("R4", "counts")])
}

fn unit_test(path: &str) -> Check {
    Check::UnitTest(SourceFile { path: path.into(), text: format!("text of {path}\n") })
}

fn change() -> Change {
    let task = |id: &str, needs: &[&str], checks: Vec<(&str, &str, Check)>| Task {
        id: id.into(),
        title: format!("Title of {id}"),
        description: "Build\nit.".into(),
        depends_on: needs.iter().map(|need| (*need).into()).collect(),
        files: vec!["a.py".into(), "lib/**".into()],
        acceptance: checks
            .into_iter()
            .map(|(id, requirement, check)| Acceptance { id: id.into(), requirement: requirement.into(), check })
            .collect(),
    };
    let tasks = vec![
        task("T1", &[], vec![("C1", "R1", unit_test("tests/test_a.py")), ("C2", "R3", unit_test("tests/test_a.py"))]),
        task("T2", &["T1"], vec![("C3", "R2", unit_test("tests/test_b.py")), ("C9", "R2", Check::Judgement("taste".into()))]),
        task("T3", &["T1", "T2"], vec![("C4", "R3", unit_test("tests/test_log.py"))]),
    ];
    Change {
        request: "In blue, and count.".into(),
        previous_brief: brief(&[("R1", "adds"), ("R2", "prints"), ("R3", "logs")]),
        plan: Plan { tasks, run_command: "python3 a.py".into(), design: "One file.".into() },
        accepted: vec![AcceptedTask { id: "T1".into(), title: "Title of T1".into(), summary: "it adds".into() }],
    }
}

const GOOD: &str =
    "design: d\nrun: r\ntask: Count in blue\nneeds: 2\nfiles: c.py\ndo: it\ncheck: R2 judgement taste\ncheck: R4 file-present c.py";

/// What becomes of a reply; the same one comes again if it is sent back.
fn planned(reply: &str) -> Result<Plan, String> {
    make_plan(&mut Scripted::new(&[reply, reply]), &wanted(), "idea", &[], Some(&change()), None).map_err(|failure| match failure {
        Failure::UnusableReply(problems) => problems,
        other => panic!("{other:?}"),
    })
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

#[test]
fn a_change_plans_only_what_is_new() {
    let plan = planned(GOOD).expect("a plan");
    assert_eq!((ids(&plan), plan.tasks[0].title.as_str()), (vec!["T4"], "Count in blue"));
}

#[test]
fn ids_of_checks_go_on() {
    let plan = planned(GOOD).expect("a plan");
    assert_eq!(plan.tasks[0].acceptance.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["C10", "C11"]);
}

#[test]
fn needs_may_name_old_tasks_and_earlier_new_ones() {
    let two = format!("{GOOD}\ntask: More\nneeds: T4, 3\nfiles: d.py\ndo: it");
    let plan = planned(&two).expect("a plan");
    assert_eq!((&plan.tasks[0].depends_on, &plan.tasks[1].depends_on), (&vec!["T2".into()], &vec!["T4".into(), "T3".into()]));
    for needs in ["needs: 4", "needs: 5"] {
        let problem = planned(&GOOD.replace("needs: 2", needs)).expect_err("itself, or a later one");
        assert!(problem.contains("no earlier task"), "{problem}");
    }
}

#[test]
fn a_rewritten_task_keeps_its_id() {
    for line in ["task: T2 Blue", "task: T2: Blue"] {
        let reply = format!(
            "{}\ntask: More\nneeds: 2\nfiles: d.py\ndo: it",
            GOOD.replace("task: Count in blue\nneeds: 2", &format!("{line}\nneeds: 1"))
        );
        let plan = planned(&reply).expect("a plan");
        assert_eq!((ids(&plan), plan.tasks[0].title.as_str()), (vec!["T2", "T4"], "Blue"));
    }
}

#[test]
fn a_new_task_may_be_called_by_the_id_that_it_gets() {
    let plan = planned(&GOOD.replace("task: Count", "task: T4 Count")).expect("a plan");
    assert_eq!((ids(&plan), plan.tasks[0].title.as_str()), (vec!["T4"], "Count in blue"));
}

#[test]
fn what_is_wrong_with_the_id_of_a_task_is_said_in_words() {
    let cases = [
        (GOOD.replace("task: Count", "task: T9 Count"), "no task T9 to rewrite"),
        (GOOD.replace("task: Count in blue", "task: T2"), "T2 has no title"),
        (format!("{GOOD}\ntask: T3 a\nfiles: a\ndo: a\ntask: T3 b"), "T3 is written twice"),
    ];
    for (reply, expected) in cases {
        let problem = planned(&reply).expect_err(expected);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn a_changed_requirement_without_a_check_is_sent_back_by_name() {
    let mut model = Scripted::new(&[&GOOD.replace("check: R2 judgement taste\n", ""), GOOD]);
    make_plan(&mut model, &wanted(), "idea", &[], Some(&change()), None).expect("a plan");
    let told = &model.requests[1].messages.last().expect("a message").text;
    assert!(told.contains("R2 has no check") && !told.contains("R1") && !told.contains("R4"), "{told}");
}

#[test]
fn a_new_requirement_without_a_check_is_sent_back_by_name() {
    let problem = planned(&GOOD.replace("check: R4 file-present c.py", "")).expect_err("a problem");
    assert!(problem.starts_with("R4 has no check"), "{problem}");
}

#[test]
fn a_kept_requirement_needs_a_check_only_if_a_rewritten_task_had_its_only_one() {
    assert!(planned(GOOD).is_ok());
    let rewritten = GOOD.replace("task: Count in blue\nneeds: 2", "task: T1 Count in blue\nneeds: -");
    assert!(planned(&rewritten).expect_err("a problem").starts_with("R1 has no check"));
    assert!(planned(&format!("{rewritten}\ncheck: R1 unit-test tests/test_a.py")).is_ok());
}

#[test]
fn what_is_no_longer_wanted_is_not_checked() {
    let problem = planned(&format!("{GOOD}\ncheck: R3 judgement taste")).expect_err("a problem");
    assert!(problem.contains("`R3`, which is no requirement"), "{problem}");
}

#[test]
fn an_old_test_file_is_named_again_without_its_text_or_replaced_by_a_block() {
    let named = format!("{GOOD}\ncheck: R1 unit-test tests/test_a.py");
    let plan = planned(&named).expect("a plan");
    assert_eq!(plan.tasks[0].acceptance[2].check, unit_test("tests/test_a.py"));
    let plan = planned(&format!("{named}\ncheck: R4 unit-test tests/test_a.py\n````\nnew\n````")).expect("a plan");
    let new = Check::UnitTest(SourceFile { path: "tests/test_a.py".into(), text: "new\n".into() });
    assert!(plan.tasks[0].acceptance[2..].iter().all(|entry| entry.check == new), "a file has one text");
}

#[test]
fn a_task_may_not_write_the_test_file_of_an_old_check() {
    let problem = planned(&GOOD.replace("files: c.py", "files: c.py, tests/test_log.py")).expect_err("a problem");
    assert_eq!(problem, "task 4 may not write `tests/test_log.py`: it belongs to a check");
}

#[test]
fn needs_that_go_in_a_circle_are_sent_back() {
    let problem = planned(&format!("{GOOD}\ntask: T2 Blue\nneeds: 4\nfiles: d.py\ndo: it")).expect_err("a problem");
    assert!(problem.starts_with("T2, T3, T4 can't begin"), "{problem}");
}

#[test]
fn the_planner_is_told_what_there_is_and_what_becomes_of_it() {
    let told = change().told(&wanted());
    let expected = [
        "\n\nIn blue, and count.\n\n",
        "R1: kept\nR2: changed; it was: prints\nR4: new\nR3: no longer wanted; it was: logs\n",
        "design: One file.\nrun: python3 a.py\n",
        "T1 Title of T1 (done: it adds)\nneeds: -\nfiles: a.py, lib/**\ndo: Build it.\ncheck: R1 unit-test tests/test_a.py\n",
        "T3 Title of T3 (not done yet)\nneeds: 1, 2\n",
        "check: R2 judgement taste\n",
        "tests/test_a.py (R1, R3)\n````\ntext of tests/test_a.py\n````\n",
        "numbered on from 4 ",
    ];
    for part in expected {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    assert!(!told.contains("text of tests/test_log.py"), "it tests what is no longer wanted");
    assert!(!told.contains("{{"), "{told}");
}

#[test]
fn long_test_files_are_cut() {
    let mut change = change();
    let text = "long\n".repeat(TESTS_CHARS_MAX);
    change.plan.tasks[1].acceptance[0].check = Check::UnitTest(SourceFile { path: "tests/test_b.py".into(), text });
    let told = change.told(&wanted());
    assert!(told.contains("characters left out") && told.chars().count() < TESTS_CHARS_MAX + 5_000);
}
