//! Plans that no project can be built from.

use crate::good;
use atelier_sdk::types::{Acceptance, Check, Plan, SourceFile};

/// A sound plan with one fault of this kind.
pub fn bad_plan(kind: &str) -> Plan {
    let mut plan = good::plan();
    let task = &mut plan.tasks[0];
    match kind {
        "empty" => plan.tasks.clear(),
        "cycle" => task.depends_on = vec!["T1".to_owned()],
        "unknown-task" => task.depends_on = vec!["T9".to_owned()],
        "uncovered" => task.acceptance.clear(),
        "outside" => task.files = vec!["../../etc/**".to_owned()],
        "git" => task.files = vec![".git/**".to_owned()],
        "check-outside" => {
            let file = SourceFile { path: "/etc/cron.d/x".to_owned(), text: String::new() };
            task.acceptance.push(Acceptance { id: "C9".to_owned(), requirement: "R1".to_owned(), check: Check::UnitTest(file) });
        }
        "twice" => plan.tasks = vec![task.clone(), task.clone()],
        _ => {}
    }
    plan
}
