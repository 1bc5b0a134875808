//! What may be claimed of the result. A claim is only as strong as the weakest check behind it, and what nothing was run on
//! is unverified, whatever the agents think of it.

use super::nouns::{Check, CheckResult, CheckStatus, Ran};
use super::state::State;
use super::tasks::TaskStatus;
use serde::{Deserialize, Serialize};

/// What is known of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// At least one executed check, and all passed.
    Verified,
    /// Only static checks passed, or only some could be run.
    Partly,
    /// A check failed, or the task that should meet it did.
    Failed,
    /// Nothing was run on it.
    Unverified,
}

impl Claim {
    /// As written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Claim::Verified => "verified",
            Claim::Partly => "partly",
            Claim::Failed => "failed",
            Claim::Unverified => "unverified",
        }
    }
}

/// A check with what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckEvidence {
    /// The check's id.
    pub id: String,
    /// What it does, one line.
    pub check: String,
    /// How it ended.
    pub status: CheckStatus,
    /// Why, or what it printed.
    pub detail: String,
    /// By what it was found out, if anything was run.
    pub ran: Option<Ran>,
}

/// A requirement with everything known about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementEvidence {
    /// The requirement's id.
    pub id: String,
    /// The requirement.
    pub text: String,
    /// What may be claimed.
    pub claim: Claim,
    /// What it rests on.
    pub checks: Vec<CheckEvidence>,
}

/// The evidence for every requirement of the brief, in its order.
pub fn evidence(state: &State) -> Vec<RequirementEvidence> {
    let (Some(brief), Some(plan)) = (&state.brief, &state.plan) else { return Vec::new() };
    let results: Vec<&CheckResult> = state.tasks.iter().flat_map(|task| &task.results).collect();
    brief
        .requirements
        .iter()
        .map(|requirement| {
            let mut lost = false;
            let mut checks = Vec::new();
            for (task, progress) in plan.tasks.iter().zip(&state.tasks) {
                for acceptance in task.acceptance.iter().filter(|entry| entry.requirement == requirement.id) {
                    lost |= matches!(progress.status, TaskStatus::Failed(_) | TaskStatus::Skipped);
                    let result = results.iter().find(|result| result.check == acceptance.id);
                    checks.push((
                        &acceptance.check,
                        CheckEvidence {
                            id: acceptance.id.clone(),
                            check: acceptance.check.describe(),
                            status: result.map_or(CheckStatus::NotRun, |result| result.status),
                            detail: result.map_or_else(|| "it was never reached".to_owned(), |result| result.detail.clone()),
                            ran: result.and_then(|result| result.ran.clone()),
                        },
                    ));
                }
            }
            let claim = if lost { Claim::Failed } else { claim(checks.iter().map(|(check, seen)| (*check, seen.status))) };
            RequirementEvidence {
                id: requirement.id.clone(),
                text: requirement.text.clone(),
                claim,
                checks: checks.into_iter().map(|(_, seen)| seen).collect(),
            }
        })
        .collect()
}

/// What these checks together allow to be said.
pub fn claim<'a>(checks: impl Iterator<Item = (&'a Check, CheckStatus)>) -> Claim {
    let (mut executed, mut fixed, mut not_run) = (0, 0, 0);
    for (check, status) in checks {
        match (status, check) {
            (CheckStatus::Failed, _) => return Claim::Failed,
            (CheckStatus::NotRun, _) => not_run += 1,
            (CheckStatus::Passed, Check::UnitTest(_) | Check::Command(_)) => executed += 1,
            (CheckStatus::Passed, _) => fixed += 1,
        }
    }
    match (executed, fixed, not_run) {
        (0, 0, _) => Claim::Unverified,
        (1.., _, 0) => Claim::Verified,
        _ => Claim::Partly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CheckStatus::{Failed, NotRun, Passed};

    #[test]
    fn a_claim_is_never_stronger_than_its_checks() {
        let executed = Check::Command(vec![]);
        let fixed = Check::FilePresent("a".into());
        let cases = [
            (vec![], Claim::Unverified),
            (vec![(&executed, NotRun)], Claim::Unverified),
            (vec![(&fixed, Passed)], Claim::Partly),
            (vec![(&executed, Passed)], Claim::Verified),
            (vec![(&executed, Passed), (&fixed, Passed)], Claim::Verified),
            (vec![(&executed, Passed), (&executed, NotRun)], Claim::Partly),
            (vec![(&executed, Passed), (&fixed, Failed)], Claim::Failed),
        ];
        for (checks, expected) in cases {
            assert_eq!(claim(checks.iter().copied()), expected, "{checks:?}");
        }
    }
}
