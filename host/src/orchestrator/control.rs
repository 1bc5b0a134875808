//! What people do with a project: begin it, answer, approve, stop it, change their minds. Needs no agent and no model, only the
//! store, so every front end can do it while others work: a change that meets another one is decided again on what is there then.

use crate::ledger::NanoUsd;
use crate::project::documents::DOCUMENTS;
use crate::project::{Answer, Event, HandedOver, Pause, Phase, Requirement, State, decide};
use crate::settings::BudgetAmounts;
use crate::store::chats::ChatEffect;
use crate::store::projects::{Change, Project, Wish};
use crate::store::{Store, StoreError};
use crate::workspace::import::Imported;
use anyhow::{Result, bail};

/// An idea longer than this is a specification; it should be a file beside the project.
pub const IDEA_BYTES_MAX: usize = 50_000;
/// A change in more words is another project.
pub const REQUEST_BYTES_MAX: usize = 10_000;
/// How often a change is decided again because the project had changed meanwhile. Each time another one came through.
pub(super) const DECISIONS_MAX: u32 = 20;

/// People's hand on the projects of a store.
#[derive(Clone)]
pub struct Control {
    store: Store,
    budget: BudgetAmounts,
    /// What the next commit does to chats.
    chat: Option<ChatEffect>,
}

impl Control {
    /// Over this store, with what a new user gets and a new project may spend.
    pub fn new(store: Store, budget: BudgetAmounts) -> Control {
        Control { store, budget, chat: None }
    }

    /// The same, whose commit does this to chats as well. It is for one deed.
    pub fn with(&self, effect: ChatEffect) -> Control {
        Control { chat: Some(effect), ..self.clone() }
    }

    /// Begins a project. A ceiling that is known already binds from the first call on.
    pub async fn create(&self, wallet: &str, idea: &str, ceiling: Option<NanoUsd>) -> Result<Project> {
        self.create_from(wallet, idea, ceiling, None).await
    }

    /// Stores a project that exists already, for one that is to begin from it.
    pub async fn take_over(&self, imported: &Imported) -> Result<HandedOver> {
        let tree = self.store.save_files(&imported.files).await?;
        Ok(HandedOver { tree, files: imported.files.len(), left_out: imported.left_out_counts() })
    }

    /// As [`Control::create`]; the idea is what is to be different in what was handed over.
    pub async fn create_from(
        &self,
        wallet: &str,
        idea: &str,
        ceiling: Option<NanoUsd>,
        handed_over: Option<HandedOver>,
    ) -> Result<Project> {
        let idea = idea.trim();
        if idea.is_empty() {
            bail!("the idea is empty; write one sentence on what you want, such as: atelier run \"a tool that renames photos by date\"");
        }
        if idea.len() > IDEA_BYTES_MAX {
            bail!(
                "the idea has {} bytes, at most {IDEA_BYTES_MAX} are read; describe the core of it and add the rest when asked",
                idea.len()
            );
        }
        self.store.admit().await?;
        self.store.open_wallet(wallet, self.budget.default_grant).await?;
        let id = new_id();
        let chat = self.chat.clone().map(|effect| about(effect, &id));
        let limit = ceiling.unwrap_or(self.budget.pre_approval_limit).min(self.budget.pre_approval_limit);
        let state = State { limit: ceiling, handed_over, ..State::new(idea) };
        self.store.create_project_for(chat.as_ref(), &id, wallet, &state, limit).await?;
        Ok(self.store.project(&id).await?)
    }

    /// The user's answer to the open question.
    pub async fn answer(&self, project: &Project, answer: Answer) -> Result<Project> {
        let (state, _) = decide(&project.state, Event::Answered(answer.clone()))?;
        Ok(self.store.answer(project, &state, &answer, self.chat.clone()).await?)
    }

    /// The user accepts the plan under this ceiling, or raises the ceiling of a project that waits.
    pub async fn approve(&self, project: &Project, ceiling: NanoUsd) -> Result<Project> {
        // What is approved is the plan that was shown.
        let seen = |before: &State, now: &State| before.plan == now.plan && before.revision == now.revision;
        self.apply(project, Event::Approved(ceiling), "approved", &format!("ceiling {ceiling}"), seen).await
    }

    /// Goes on with a project that waits, with a new ceiling if one is given.
    pub async fn resume(&self, project: Project, ceiling: Option<NanoUsd>) -> Result<Project> {
        self.store.wish(&project.id, Wish::GoOn).await?;
        let project = match (ceiling, &project.state.phase) {
            // A plan that waits is approved where it is shown.
            (Some(ceiling), Phase::Eliciting | Phase::Planning | Phase::Building | Phase::Documenting | Phase::Paused(..)) => {
                self.approve(&project, ceiling).await?
            }
            _ => project,
        };
        if matches!(project.state.phase, Phase::Paused(Pause::Ceiling, _)) && ceiling.is_none() {
            self.store.spend_to_the_ceiling(&project.id).await?;
        }
        match project.state.phase {
            Phase::Paused(..) => self.apply(&project, Event::Resumed, "resumed", "it goes on", same_phase).await,
            _ => Ok(project),
        }
    }

    /// Lets a project wait until somebody resumes it. Where a worker has it, the calls under way come to their end first.
    pub async fn pause(&self, project: &Project) -> Result<Project> {
        self.store.wish(&project.id, Wish::Pause).await?;
        self.store.recover_dead(None).await?;
        self.fulfil(&project.id).await
    }

    /// Ends a project. Where a worker has it, the calls under way are stopped and settled first.
    pub async fn cancel(&self, project: &Project) -> Result<Project> {
        self.store.wish(&project.id, Wish::Cancel).await?;
        self.store.recover_dead(None).await?;
        self.fulfil(&project.id).await
    }

    /// Gives a task up that makes no progress. What works is delivered in the end.
    pub async fn give_up(&self, project: &Project) -> Result<Project> {
        let Phase::Paused(Pause::Stuck { task, .. }, _) = &project.state.phase else {
            bail!("no task of project {} is stuck; `atelier status {}` shows how it stands", project.id, project.id);
        };
        self.apply(project, Event::GivenUp, "given up", &format!("task {task} is given up by the user"), same_phase).await
    }

    /// Tries again what could not be done, with models of this class where one is named.
    pub async fn retry(&self, project: &Project, class: Option<&str>) -> Result<Project> {
        if !matches!(project.state.phase, Phase::Failed(_) | Phase::Paused(Pause::Stuck { .. }, _)) {
            bail!("nothing of project {} has failed; `atelier status {}` shows how it stands", project.id, project.id);
        }
        self.store.wish(&project.id, Wish::GoOn).await?;
        let by = class.map(|class| format!(" by models of class `{class}`")).unwrap_or_default();
        let text = format!("what could not be done is tried again{by}");
        self.apply(project, Event::Retried(class.map(str::to_owned)), "retried", &text, same_phase).await
    }

    /// Asks for something else than before: of the whole, or in place of one requirement. A new plan and its price come next.
    pub async fn change(&self, project: &Project, request: &str, requirement: Option<&str>) -> Result<Project> {
        let (request, id) = (request.trim(), &project.id);
        if request.is_empty() || request.len() > REQUEST_BYTES_MAX {
            bail!("say in 1 to {REQUEST_BYTES_MAX} bytes what is to be different");
        }
        if let Some(requirement) = requirement {
            let known: &[Requirement] = project.state.brief.as_ref().map_or(&[], |brief| &brief.requirements);
            if !known.iter().any(|entry| entry.id == requirement) {
                let ids: Vec<_> = known.iter().map(|entry| entry.id.as_str()).collect();
                bail!("project {id} has no requirement `{requirement}`; it has {}", ids.join(", "));
            }
        }
        if project.state.revision.is_some() && project.state.phase != Phase::Quoted {
            bail!("a change of project {id} is being planned; wait for its price, or withdraw it: atelier cancel {id}");
        }
        if matches!(project.state.phase, Phase::Eliciting | Phase::Planning | Phase::Cancelled) || project.state.plan.is_none() {
            bail!(
                "project {id} is {} and has no plan that could be changed; `atelier status {id}` shows how it stands",
                project.state.phase.word()
            );
        }
        let event = Event::ChangeAsked { request: request.to_owned(), requirement: requirement.map(str::to_owned) };
        decide(&project.state, event.clone())?;
        self.store.wish(id, Wish::GoOn).await?;
        let text = requirement.map_or_else(|| request.to_owned(), |requirement| format!("{requirement}: {request}"));
        self.apply(project, event, "change", &text, |before, now| before.brief == now.brief).await
    }

    /// Has the documents of a delivered project written, under this ceiling on all that is spent on it.
    pub async fn document(&self, project: &Project, ceiling: NanoUsd) -> Result<Project> {
        let id = &project.id;
        if project.state.phase != Phase::Delivered {
            bail!("documents are written of what was delivered; project {id} is {}", project.state.phase.word());
        }
        self.store.wish(id, Wish::GoOn).await?;
        let text = format!("documents are wanted, ceiling {ceiling}");
        let seen = |before: &State, now: &State| before.phase == now.phase && before.plan == now.plan;
        self.apply(project, Event::DocumentsAsked(ceiling), "approved", &text, seen).await
    }

    /// Goes back to the project as it was when this task was accepted. It waits then; what came after is done again when it goes on.
    pub async fn roll_back(&self, project: &Project, task: &str) -> Result<Project> {
        let id = &project.id;
        for _ in 0..DECISIONS_MAX {
            // In this order: what is accepted between the two makes the commit fail, and all of it is looked at again.
            let project = self.store.project(id).await?;
            let snapshots = self.store.snapshots(id).await?;
            let Some(last) = snapshots.iter().rposition(|snapshot| snapshot.task == task) else {
                let mut accepted: Vec<_> = snapshots.iter().map(|snapshot| snapshot.task.as_str()).collect();
                accepted.dedup();
                bail!("no task `{task}` of project {id} was accepted; accepted are, in this order: {}", accepted.join(", "));
            };
            let undone: Vec<String> = snapshots[last + 1..].iter().map(|snapshot| snapshot.task.clone()).collect();
            if undone.is_empty() && project.state.is_over() {
                bail!("nothing came after task {task} of project {id}, so there is nothing to go back from");
            }
            let again: Vec<_> = undone.iter().map(String::as_str).filter(|task| *task != DOCUMENTS).collect();
            let text = match again.as_slice() {
                [] => format!("back to the files of task {task}, without the documents"),
                again => format!("back to the files of task {task}; what came after is done again: {}", again.join(", ")),
            };
            let (state, actions) = decide(&project.state, Event::RolledBack { task: task.to_owned(), undone })?;
            let change = Change { actions, event: Some(("rolled back", text)), ..Change::default() };
            match self.store.commit(&project, &state, change).await {
                Err(StoreError::Conflict(_)) => {}
                result => return Ok(result?),
            }
        }
        Err(StoreError::Conflict(id.clone()).into())
    }

    /// Does what is wished of a project that no worker has; one that has it does so itself.
    pub async fn fulfil(&self, project: &str) -> Result<Project> {
        for _ in 0..DECISIONS_MAX {
            // The wish is looked at each time: whoever was first may have seen to it.
            let project = self.store.project(project).await?;
            if project.state.is_over() || self.store.is_under_way(&project.id).await? {
                return Ok(project);
            }
            let (event, kind, text) = match project.state.phase {
                _ if project.cancel_requested => (Event::Cancelled, "cancelled", cancelled(&project.state)),
                Phase::Paused(..) => return Ok(project),
                _ if project.pause_requested => (Event::Paused(Pause::User), "paused", Pause::User.to_string()),
                _ => return Ok(project),
            };
            let cancels = event == Event::Cancelled;
            let (state, actions) = decide(&project.state, event)?;
            let change = Change { actions, event: Some((kind, text)), cancels, chat: self.chat.clone(), ..Change::default() };
            match self.store.commit(&project, &state, change).await {
                Err(StoreError::Conflict(_)) => {}
                result => return Ok(Project { cancel_requested: project.cancel_requested && !cancels, ..result? }),
            }
        }
        Err(StoreError::Conflict(project.to_owned()).into())
    }

    /// Decides and commits; decides again where somebody else was first and what the decision rests on is still the same.
    async fn apply(
        &self,
        project: &Project,
        event: Event,
        kind: &'static str,
        text: &str,
        is_same: impl Fn(&State, &State) -> bool,
    ) -> Result<Project> {
        let mut now = project.clone();
        for _ in 0..DECISIONS_MAX {
            let (state, actions) = decide(&now.state, event.clone())?;
            let change = Change { actions, event: Some((kind, text.to_owned())), chat: self.chat.clone(), ..Change::default() };
            match self.store.commit(&now, &state, change).await {
                Err(StoreError::Conflict(_)) => now = self.store.project(&project.id).await?,
                result => return Ok(result?),
            }
            if !is_same(&project.state, &now.state) {
                break;
            }
        }
        Err(StoreError::Conflict(now.id).into())
    }
}

/// What a cancel does, in words.
pub(super) fn cancelled(state: &State) -> String {
    let what = match state.revision.is_some() {
        true => "the change is withdrawn",
        false if state.is_documenting() => "the documents are given up",
        false => "cancelled",
    };
    format!("{what} by the user")
}

fn same_phase(before: &State, now: &State) -> bool {
    before.phase == now.phase
}

/// What is said of a project that has its id only now.
fn about(mut effect: ChatEffect, id: &str) -> ChatEffect {
    if let Some((.., dialog)) = &mut effect.dialog {
        dialog.project = Some(id.to_owned());
    }
    if let Some((project, ..)) = &mut effect.follow {
        id.clone_into(project);
    }
    for letter in &mut effect.letters {
        letter.project = Some(id.to_owned());
    }
    effect
}

/// Short enough to type, random enough not to be guessed.
fn new_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("p{}", &random[..10])
}
