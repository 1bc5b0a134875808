//! Projects, their questions and their events. [`Store::commit`] is the one place where a project changes: the new state, the
//! end of the run that caused it, its files and its money commit together or not at all.

use super::chats::{self, ChatEffect};
use super::runs::{JournalRow, RunEnd, flush};
use super::steps::{self, Lease};
use super::{Policy, Result, Store, StoreError, Tx, files, from_json, ledger, now_ms, query, to_json, transaction};
use crate::ledger::NanoUsd;
use crate::project::{Action, Answer, Question, State};
use crate::workspace::Files;

/// A stored project.
#[derive(Clone, Debug)]
pub struct Project {
    /// Short and unique.
    pub id: String,
    /// Who pays.
    pub wallet: String,
    /// Where it stands.
    pub state: State,
    /// Counts the changes; a change names the version it was made from.
    pub version: i64,
    /// Somebody wants it to stop.
    pub cancel_requested: bool,
    /// Somebody wants it to wait.
    pub pause_requested: bool,
    /// When it began.
    pub created_ms: i64,
    /// When it changed last.
    pub updated_ms: i64,
}

/// What somebody wants of a project at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing special.
    GoOn,
    /// No model call begins any more; those under way end.
    Pause,
    /// It ends.
    Cancel,
}

/// A line of `atelier history`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    /// The project's id.
    pub id: String,
    /// Its title, or the beginning of the idea.
    pub title: String,
    /// Where it stands, one word.
    pub phase: String,
    /// What it was charged, less refunds, in nano-USD.
    pub spent: NanoUsd,
    /// When it changed last.
    pub updated_ms: i64,
}

/// Something that happened, for people who watch.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StoredEvent {
    /// Its number within the project.
    pub seq: i64,
    /// Such as `progress`, `accepted`, `paused`.
    pub kind: String,
    /// What to show.
    pub text: String,
    /// What the project had cost by then, refunds not taken off.
    pub spent: NanoUsd,
    /// When.
    pub at_ms: i64,
}

/// A question that suspends a run.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The run that asks.
    pub run: String,
    /// The number of the host call that the answer completes.
    pub seq: u32,
    /// Of the call.
    pub fingerprint: String,
    /// What is asked.
    pub question: Question,
}

/// One change of a project, with all that belongs to it.
#[derive(Default)]
pub struct Change {
    /// The end of the run that caused it.
    pub run_end: Option<RunEnd>,
    /// Host calls of that run that were not stored yet.
    pub journal: Vec<JournalRow>,
    /// What must happen to files and money.
    pub actions: Vec<Action>,
    /// A tree that the new state names.
    pub files: Option<Files>,
    /// A question that suspends the run.
    pub asked: Option<Asked>,
    /// The answer to the open question, whose host call is the last row of `journal`.
    pub answered: Option<Answer>,
    /// For people who watch: kind and text.
    pub event: Option<(&'static str, String)>,
    /// What it does to chats.
    pub chat: Option<ChatEffect>,
    /// It is what somebody wished with a cancel, so that is no wish any more.
    pub cancels: bool,
    /// The step that came to its end with it. If somebody else has that by now, nothing of this happens.
    pub lease: Option<Lease>,
}

impl Store {
    /// Makes a project with its budget. The wallet must exist.
    pub async fn create_project(&self, id: &str, wallet: &str, state: &State, limit: NanoUsd) -> Result<()> {
        self.create_project_for(None, id, wallet, state, limit).await
    }

    /// The same, with what it does to chats.
    pub async fn create_project_for(&self, chat: Option<&ChatEffect>, id: &str, wallet: &str, state: &State, limit: NanoUsd) -> Result<()> {
        transaction!(self, |tx| async {
            query(
                "insert into project (id, wallet, idea, title, phase, state, version, has_steps, created_ms, updated_ms)
                 values ($1, $2, $3, $4, $5, $6, 1, 1, $7, $7)",
            )
            .bind(id)
            .bind(wallet)
            .bind(&state.idea)
            .bind(title(state))
            .bind(state.phase.word())
            .bind(to_json(state))
            .bind(now_ms())
            .execute(&mut tx)
            .await?;
            let budget = ledger::project_budget(id);
            ledger::open_budget(&mut tx, &budget, "project", None, limit).await?;
            ledger::limit_calls(&mut tx, &budget, self.policy.calls_per_project).await?;
            if let Some(effect) = chat {
                chats::have(&mut tx, effect).await?;
            }
            if let Some(handed) = &state.handed_over {
                append_event(&mut tx, id, "handed over", &handed.to_string()).await?;
            }
            steps::write(&mut tx, self.policy.parallel_tasks, id, wallet, state).await
        })?;
        self.wake();
        Ok(())
    }

    /// Refuses a new project while more steps wait than the operator wants.
    pub async fn admit(&self) -> Result<()> {
        let (queue, max) = (self.queue().await?, self.policy.queue_max);
        match queue.waiting {
            waiting if waiting >= max => Err(StoreError::Crowded { waiting, seconds: queue.oldest_ms / 1_000, max }),
            _ => Ok(()),
        }
    }

    /// The project with this id.
    pub async fn project(&self, id: &str) -> Result<Project> {
        let row = query("select * from project where id = $1")
            .bind(id)
            .optional(&mut self.read().await?)
            .await?
            .ok_or_else(|| StoreError::UnknownProject(id.chars().take(40).collect()))?;
        Ok(Project {
            id: row.get("id"),
            wallet: row.get("wallet"),
            state: from_json("project", &row.get::<String>("state"))?,
            version: row.get("version"),
            cancel_requested: row.get("cancel_requested"),
            pause_requested: row.get("pause_requested"),
            created_ms: row.get("created_ms"),
            updated_ms: row.get("updated_ms"),
        })
    }

    /// All projects, the last changed first.
    pub async fn history(&self, limit: u32) -> Result<Vec<Listed>> {
        self.listed(None, limit).await
    }

    /// The projects of one wallet, the last changed first.
    pub async fn history_of(&self, wallet: &str, limit: u32) -> Result<Vec<Listed>> {
        self.listed(Some(wallet), limit).await
    }

    /// How many projects of a wallet are not over.
    pub async fn projects_under_way(&self, wallet: &str) -> Result<usize> {
        let count: i64 = query("select count(*) from project where wallet = $1 and phase not in ('delivered', 'failed', 'cancelled')")
            .bind(wallet)
            .scalar(&mut self.read().await?)
            .await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    async fn listed(&self, wallet: Option<&str>, limit: u32) -> Result<Vec<Listed>> {
        let rows = query(
            "select id, title, phase, updated_ms,
                    cast((select coalesce(sum(charged), 0) from hold where hold.project = project.id)
                  - (select coalesce(sum(amount), 0) from entry join run on run.id = entry.ref
                     where entry.kind = 'refund' and run.project = project.id) as bigint) as spent
             from project where $1 is null or wallet = $1 order by updated_ms desc limit $2",
        )
        .bind(wallet)
        .bind(limit)
        .all(&mut self.read().await?)
        .await?;
        Ok(rows
            .iter()
            .map(|row| Listed {
                id: row.get("id"),
                title: row.get("title"),
                phase: row.get("phase"),
                spent: row.get("spent"),
                updated_ms: row.get("updated_ms"),
            })
            .collect())
    }

    /// The projects that are in this phase, the oldest first.
    pub async fn in_phase(&self, phase: &str, limit: u32) -> Result<Vec<String>> {
        query("select id from project where phase = $1 order by created_ms, id limit $2")
            .bind(phase)
            .bind(limit)
            .scalars(&mut self.read().await?)
            .await
    }

    /// Makes one change. Fails with [`StoreError::Conflict`] if the project is no longer as it was read.
    pub async fn commit(&self, project: &Project, state: &State, change: Change) -> Result<Project> {
        if transaction!(self, |tx| commit(&mut tx, self.policy, project, state, &change))? {
            self.wake();
        }
        Ok(Project { state: state.clone(), version: project.version + 1, ..project.clone() })
    }

    /// Stores the answer as the result of the host call that asked, together with the state that no longer waits for it.
    pub async fn answer(&self, project: &Project, state: &State, answer: &Answer, chat: Option<ChatEffect>) -> Result<Project> {
        let row = query("select * from question where project = $1 and answer is null order by asked_ms desc, seq desc limit 1")
            .bind(&project.id)
            .optional(&mut self.read().await?)
            .await?;
        let mut change = Change { chat, ..Change::default() };
        if let Some(row) = row {
            let response: std::result::Result<Answer, crate::project::Refusal> = Ok(answer.clone());
            change.journal.push(JournalRow::kept(
                row.get("run"),
                row.get("seq"),
                "dialogue.ask",
                row.get("fingerprint"),
                to_json(&response),
            ));
            change.answered = Some(answer.clone());
        }
        self.commit(project, state, change).await
    }

    /// Notes what somebody wants of the project; the worker that has it reads this.
    pub async fn wish(&self, id: &str, wish: Wish) -> Result<()> {
        let statement = match wish {
            Wish::GoOn => "update project set cancel_requested = 0, pause_requested = 0 where id = $1",
            Wish::Pause => "update project set pause_requested = 1 where id = $1",
            Wish::Cancel => "update project set cancel_requested = 1 where id = $1",
        };
        let changed = transaction!(self, |tx| query(statement).bind(id).execute(&mut tx))?;
        match changed {
            0 => Err(StoreError::UnknownProject(id.chars().take(40).collect())),
            _ => Ok(()),
        }
    }

    /// What somebody wants of the project.
    pub async fn wished(&self, id: &str) -> Result<Wish> {
        let row =
            query("select cancel_requested, pause_requested from project where id = $1").bind(id).one(&mut self.read().await?).await?;
        Ok(match (row.get("cancel_requested"), row.get("pause_requested")) {
            (true, _) => Wish::Cancel,
            (_, true) => Wish::Pause,
            _ => Wish::GoOn,
        })
    }

    /// Adds a line for people who watch.
    pub async fn note(&self, project: &str, kind: &str, text: &str) -> Result<()> {
        transaction!(self, |tx| append_event(&mut tx, project, kind, text))
    }

    /// What happened to a project, oldest first.
    pub async fn events(&self, project: &str, after: i64) -> Result<Vec<StoredEvent>> {
        let rows = query("select seq, kind, text, spent, at_ms from event where project = $1 and seq > $2 order by seq")
            .bind(project)
            .bind(after)
            .all(&mut self.read().await?)
            .await?;
        Ok(rows
            .iter()
            .map(|row| StoredEvent {
                seq: row.get("seq"),
                kind: row.get("kind"),
                text: row.get("text"),
                spent: row.get("spent"),
                at_ms: row.get("at_ms"),
            })
            .collect())
    }
}

/// Whether there is something new to do.
async fn commit(tx: &mut Tx, policy: Policy, project: &Project, state: &State, change: &Change) -> Result<bool> {
    let changed = query(
        "update project set state = $1, phase = $2, title = $3, version = version + 1, has_steps = 1, updated_ms = $4,
                cancel_requested = case when $7 = 1 then 0 else cancel_requested end
         where id = $5 and version = $6",
    )
    .bind(to_json(state))
    .bind(state.phase.word())
    .bind(title(state))
    .bind(now_ms())
    .bind(&project.id)
    .bind(project.version)
    .bind(i64::from(change.cancels))
    .execute(tx)
    .await?;
    if changed != 1 {
        return Err(StoreError::Conflict(project.id.clone()));
    }
    if let Some(lease) = &change.lease {
        steps::finish(tx, lease).await?;
    }
    let is_new = steps::write(tx, policy.parallel_tasks, &project.id, &project.wallet, state).await?;
    flush(tx, &change.journal);
    if let Some(files) = &change.files {
        files::save(tx, files).await?;
    }
    if let Some(asked) = &change.asked {
        save_question(tx, &project.id, asked).await?;
    }
    if let (Some(answer), Some(call)) = (&change.answered, change.journal.last()) {
        query("update question set answer = $1 where run = $2 and seq = $3")
            .bind(to_json(answer))
            .bind(&call.run)
            .bind(call.seq)
            .execute(tx)
            .await?;
    }
    if let Some(end) = &change.run_end {
        super::runs::end(tx, policy.refund_limit, end).await?;
    }
    for action in &change.actions {
        act(tx, policy, project, action).await?;
    }
    if let Some((kind, text)) = &change.event {
        append_event(tx, &project.id, kind, text).await?;
    }
    if let Some(effect) = &change.chat {
        chats::have(tx, effect).await?;
    }
    Ok(is_new)
}

async fn act(tx: &mut Tx, policy: Policy, project: &Project, action: &Action) -> Result<()> {
    match action {
        Action::SetCeiling(ceiling) => ledger::set_ceiling(tx, policy, &project.id, *ceiling).await,
        Action::Accept { task, title, summary, tree } => files::snapshot(tx, &project.id, task, title, summary, tree).await,
        Action::Refund { key } => ledger::refund_task(tx, policy.refund_limit, &project.id, key).await,
        Action::EndRuns { steps } => {
            super::runs::end_steps(tx, &project.id, steps);
            Ok(())
        }
        Action::RollBack { task } => files::forget_after(tx, &project.id, task).await,
    }
}

async fn save_question(tx: &mut Tx, project: &str, asked: &Asked) -> Result<()> {
    query(
        "insert into question (project, run, seq, fingerprint, question, asked_ms) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(project)
    .bind(&asked.run)
    .bind(asked.seq)
    .bind(&asked.fingerprint)
    .bind(to_json(&asked.question))
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(())
}

/// Appends a line. In PostgreSQL the project's row is locked first, so that two lines never get the same number.
pub(super) async fn append_event(tx: &mut Tx, project: &str, kind: &str, text: &str) -> Result<()> {
    if tx.is_shared() {
        query("select id from project where id = $1 for no key update").bind(project).later(tx);
    }
    query(
        "insert into event (project, seq, kind, text, at_ms, spent)
         values ($1, (select coalesce(max(seq), 0) + 1 from event where project = $1), $2, $3, $4,
                 coalesce((select spent from budget where id = $5), 0))",
    )
    .bind(project)
    .bind(kind)
    .bind(text)
    .bind(now_ms())
    .bind(ledger::project_budget(project))
    .execute(tx)
    .await?;
    Ok(())
}

/// A name for listings before there is a brief.
fn title(state: &State) -> String {
    match &state.brief {
        Some(brief) => brief.title.clone(),
        None => state.idea.lines().next().unwrap_or_default().chars().take(60).collect(),
    }
}
