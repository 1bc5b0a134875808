//! What a person hears because a project moved: a question, a plan with its price, an end, a stop that needs them; and the status, which is
//! one message that changes.

use super::respond::{phase, tasks_done};
use super::texts::{Texts, escape, prose};
use super::{Action, Button, Document, Message, Project};
use crate::project::{Next, Pause, Phase, TaskStatus};

/// Choices of a question that become buttons; the others can be typed.
const CHOICES_MAX: usize = 8;
/// A button's words.
const LABEL_CHARS_MAX: usize = 60;
/// Requirements and tasks of one message; the rest is in the plan's own file.
const LINES_MAX: usize = 20;
/// What an agent says is shown as a line.
const LINE_CHARS_MAX: usize = 300;

/// What is to be said of a project as it is now, if it needs or concerns a person: the same for the same state.
pub fn tell(texts: Texts, project: &Project) -> Vec<Message> {
    let title = project.title();
    match project.state.next() {
        Next::Ask(question) => {
            let text = texts.compose("question", &[("text", &prose(&line(&question.text)))]);
            let id = question.id.clone();
            let choices = question.choices.iter().take(CHOICES_MAX).map(|choice| Button {
                label: choice.chars().take(LABEL_CHARS_MAX).collect(),
                action: Action::Choose { question: id.clone(), answer: choice.clone() },
            });
            let more = [("skip", Action::Skip(id.clone())), ("enough", Action::Enough(id.clone()))];
            let more = more.map(|(name, action)| Button { label: texts.plain(name), action });
            let mut message = Message::text(text).with(choices);
            message.buttons.push(more.into());
            vec![message]
        }
        Next::Approve => plan(texts, project, true).into_iter().collect(),
        Next::Run(_) | Next::Deliver => Vec::new(),
        Next::Stop => match &project.state.phase {
            Phase::Paused(pause, _) => paused(texts, project, &title, pause),
            Phase::Cancelled => vec![Message::text(texts.say("cancelled", &[("title", &title)]))],
            Phase::Delivered if project.state.documents.failed.is_some() => {
                let text = texts.compose("documents-failed", &[("title", &escape(&title)), ("bill", &bill(texts, project))]);
                vec![Message::text(text)]
            }
            Phase::Delivered => vec![ended(texts, project, "delivered")],
            // Why is in the report, in the words of whoever failed; here it is said what became of it.
            Phase::Failed(_) if project.state.plan.is_none() => vec![ended(texts, project, "failed")],
            Phase::Failed(_) if tasks_done(project).0 == 0 => vec![ended(texts, project, "built-nothing")],
            Phase::Failed(_) => vec![ended(texts, project, "delivered-partly")],
            _ => Vec::new(),
        },
    }
}

/// The plan, with its price; and with the decision while it waits for one, for whoever decides.
pub fn plan(texts: Texts, project: &Project, decides: bool) -> Option<Message> {
    let (brief, plan) = (project.state.brief.as_ref()?, project.state.plan.as_ref()?);
    let list = |lines: &mut dyn Iterator<Item = String>| lines.take(LINES_MAX).collect::<Vec<_>>().join("\n");
    let requirements = list(&mut brief.requirements.iter().map(|entry| format!("• {}", prose(&line(&entry.text)))));
    let tasks = list(&mut plan.tasks.iter().enumerate().map(|(at, task)| format!("{}. {}", at + 1, prose(&line(&task.title)))));
    let mut html = texts.compose("plan-head", &[("title", &escape(&brief.title)), ("summary", &prose(&line(&brief.summary)))]);
    html.push_str(&texts.compose("plan-requirements", &[("requirements", &requirements)]));
    html.push_str(&texts.compose("plan-tasks", &[("tasks", &tasks)]));
    if project.unchecked > 0 {
        let (count, all) = (project.unchecked.to_string(), brief.requirements.len().to_string());
        html.push_str(&texts.say("plan-unchecked", &[("count", &count), ("all", &all)]));
    }
    let mut message = Message { documents: vec![Document::Plan], ..Message::text(html) };
    if let (Next::Approve, Some(quote)) = (project.state.next(), &project.quote) {
        let [expected, low, high] = [quote.expected, quote.low, quote.high].map(|amount| texts.estimate(amount));
        let [spent, ceiling] = [quote.spent, quote.ceiling].map(|amount| texts.cost(amount));
        let amounts = [("expected", &expected), ("low", &low), ("high", &high), ("spent", &spent), ("ceiling", &ceiling)];
        message.html.push_str(&texts.say("plan-price", &amounts.map(|(name, amount)| (name, amount.as_str()))));
        if quote.measured_tasks == 0 {
            message.html.push_str(&texts.say("plan-guess", &[]));
        }
        if decides {
            message = message.with([
                Button { label: texts.say("approve", &[("ceiling", &ceiling)]), action: Action::Approve(quote.ceiling) },
                Button { label: texts.plain("change"), action: Action::Change },
                Button { label: texts.plain("cancel"), action: Action::Cancel },
            ]);
        }
    }
    Some(message)
}

/// The status: what is done, what is being done, what it cost.
pub fn status(texts: Texts, project: &Project) -> String {
    let (done, all) = tasks_done(project);
    let (title, phase, spent) = (project.title(), phase(texts, project), texts.cost(project.charged));
    let (done, all) = (done.to_string(), all.to_string());
    let head = [("title", title.as_str()), ("phase", &phase), ("done", &done), ("all", &all), ("spent", &spent)];
    let mut text = texts.say(if project.state.plan.is_some() { "status-line" } else { "status-early" }, &head);
    let tasks = project.state.plan.iter().flat_map(|plan| &plan.tasks).zip(&project.state.tasks);
    let now = project.state.counting_steps();
    for (task, progress) in tasks.take(LINES_MAX) {
        let is_now = now.iter().any(|step| step.contains(&format!(" {} ", task.id)));
        let name = match &progress.status {
            TaskStatus::Accepted => "status-task-done",
            TaskStatus::Failed(_) | TaskStatus::Skipped => "status-task-failed",
            TaskStatus::Waiting | TaskStatus::Written if is_now => "status-task-now",
            TaskStatus::Waiting | TaskStatus::Written => "status-task-later",
        };
        text.push('\n');
        text.push_str(&texts.compose(name, &[("title", &prose(&line(&task.title)))]));
    }
    text
}

fn paused(texts: Texts, project: &Project, title: &str, pause: &Pause) -> Vec<Message> {
    let ceiling = project.state.ceiling.map(|ceiling| texts.cost(ceiling)).unwrap_or_default();
    let plainly = |name: &str| vec![Message::text(texts.say(name, &[("title", title), ("ceiling", &ceiling)]))];
    match pause {
        Pause::User => plainly("paused"),
        Pause::Credits => plainly("waits-credits"),
        Pause::Ceiling => plainly("waits-ceiling"),
        // What a provider or the host said is for the operator's log.
        Pause::Provider(_) => plainly("waits-provider"),
        Pause::Operator(_) => plainly("waits-operator"),
        Pause::Stuck { task, why } => {
            let name = project.state.plan.as_ref().and_then(|plan| plan.task(task)).map_or(task.clone(), |task| task.title.clone());
            let text =
                texts.compose("waits-stuck", &[("title", &escape(title)), ("task", &prose(&line(&name))), ("why", &prose(&line(why)))]);
            let button = |name: &str, action| Button { label: texts.plain(name), action };
            vec![Message::text(text).with([button("try-again", Action::Retry), button("give-up", Action::GiveUp)])]
        }
    }
}

fn ended(texts: Texts, project: &Project, name: &str) -> Message {
    let claims = project.claims.iter().take(LINES_MAX);
    let claims: Vec<String> =
        claims.map(|(claim, text)| texts.compose(&format!("claim-{claim}"), &[("text", &prose(&line(text)))])).collect();
    let (done, all) = tasks_done(project);
    let html = texts.compose(
        name,
        &[
            ("title", &escape(&project.title())),
            ("done", &done.to_string()),
            ("all", &all.to_string()),
            ("requirements", &claims.join("\n")),
            ("bill", &bill(texts, project)),
        ],
    );
    let documents = match name {
        "failed" => Vec::new(),
        "built-nothing" => vec![Document::Report],
        _ => vec![Document::Report, Document::Zip],
    };
    let retry = Button { label: texts.plain("try-again"), action: Action::Retry };
    let mut message = Message { documents, ..Message::text(html) };
    match project.state.documents.paths.first().and_then(|path| path.rsplit_once('/')) {
        _ if name != "delivered" => message.with([retry]),
        Some((folder, _)) => {
            message.html.push_str(&texts.say("delivered-documents", &[("folder", folder)]));
            message
        }
        None if project.quote.is_some() => message.with([Button { label: texts.plain("documents"), action: Action::Documents }]),
        None => message,
    }
}

/// What it cost, and what of that was given back.
pub(super) fn bill(texts: Texts, project: &Project) -> String {
    let name = if project.refunded > crate::ledger::NanoUsd::ZERO { "bill-back" } else { "bill" };
    texts.say(name, &[("charged", &texts.cost(project.charged)), ("refunded", &texts.funds(project.refunded))])
}

/// One line of what an agent or a model said.
fn line(text: &str) -> String {
    crate::plugins::api::words::line(text, LINE_CHARS_MAX)
}
