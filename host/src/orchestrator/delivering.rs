//! The last step of a project: everything is checked once more, on the whole.

use super::Orchestrator;
use super::control::DECISIONS_MAX;
use crate::project::{Event, Next, TaskStatus};
use crate::store::StoreError;
use crate::store::projects::Change;
use crate::store::steps::Lease;
use anyhow::Result;

impl Orchestrator {
    /// Runs every check of every accepted task once more: a later task may have broken what an earlier one showed.
    pub(super) async fn deliver(&self, lease: &Lease) -> Result<()> {
        for _ in 0..DECISIONS_MAX {
            let project = self.store.project(&lease.project).await?;
            if project.state.next() != Next::Deliver {
                return Ok(self.store.hand_back(lease, false).await?);
            }
            let files = self.accepted_files(&project).await?;
            let mut results = Vec::new();
            if let Some(plan) = &project.state.plan {
                let before = self.starting_files(&project).await?;
                for (task, progress) in plan.tasks.iter().zip(&project.state.tasks) {
                    if progress.status == TaskStatus::Accepted {
                        results.extend(self.judge(&before, &files, &task.acceptance).await);
                    }
                }
            }
            let ran = results.iter().filter(|result| result.ran.is_some()).count();
            let event = Some(("delivered", format!("{ran} checks were run on the whole")));
            let change = Change { event, lease: Some(lease.clone()), ..Change::default() };
            match self.apply(&project, Event::Delivered(results), change).await {
                // Somebody changed it meanwhile, as by a higher ceiling.
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::Conflict(_))) => {}
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::LeaseLost(_))) => return Ok(()),
                result => return result.map(drop),
            }
        }
        Err(StoreError::Conflict(lease.project.clone()).into())
    }
}
