//! Every conversation in `tests/conversations/` is played against the production application, with the shipped plugins in the
//! real sandbox and the model's words served over HTTP.

use atelier_host::app::App;
use atelier_host::delivery::Delivery;
use atelier_host::project::{Answer as UserAnswer, Next};
use atelier_host::store::projects::Project;
use tests::conversation::{Conversation, Section};
use tests::home::{Home, assert_agrees, assert_sound};
use tests::model_server::{Answer, ModelServer};
use tests::root;

/// What the user says.
const SPOKEN: &[&str] = &["question", "answer", "approve", "change", "retry", "rollback", "resume", "document", "cancel"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_conversation_comes_out_as_written() {
    let all = Conversation::all(&root().join("tests/conversations"));
    assert!(all.len() >= 6, "conversations are missing");
    for (name, conversation) in all {
        play(&name, &conversation).await;
    }
}

async fn play(name: &str, conversation: &Conversation) {
    let answers: Vec<Answer> = conversation.texts("model").into_iter().map(Answer::Text).collect();
    let expected_calls = answers.len();
    let server = ModelServer::answering(answers).await;
    let home = if conversation.texts("runners").is_empty() { Home::shipped() } else { Home::with_runners() };
    let app = home.app(&server.url).await;
    let orchestrator = &app.orchestrator;
    let mut project = app.control.create("local", &conversation.texts("idea")[0], None).await.expect("a project");
    let mut spoken = conversation.sections.iter().filter(|section| SPOKEN.contains(&section.name.as_str())).peekable();
    loop {
        project = orchestrator.advance(project).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        match project.state.next() {
            Next::Ask(question) => {
                let (wanted, answer) = (spoken.next().expect("a question"), spoken.next().expect("an answer"));
                assert_eq!((wanted.name.as_str(), answer.name.as_str()), ("question", "answer"), "{name}");
                assert!(question.text.contains(&wanted.text), "{name}: asked `{}`", question.text);
                let answer = match answer.text.as_str() {
                    "-" => UserAnswer::Skipped,
                    "enough" => UserAnswer::Enough,
                    text => UserAnswer::Text(text.to_owned()),
                };
                project = app.control.answer(&project, answer).await.expect("answered");
            }
            Next::Approve if spoken.peek().is_none_or(|section| section.name == "approve") => {
                let approve = spoken.next().expect("an approval");
                assert_eq!(approve.name, "approve", "{name}");
                let quote = orchestrator.quote(&project).await.expect("a quote");
                let ceiling = match approve.text.as_str() {
                    "" => quote.ceiling,
                    amount => amount.parse().expect("an amount"),
                };
                project = app.control.approve(&project, ceiling).await.expect("approved");
            }
            _ => match spoken.next() {
                Some(section) => project = said(&app, &project, section).await,
                None => break,
            },
        }
    }
    assert_eq!(spoken.next(), None, "{name}: the user was not asked everything");
    let asked = server.asked();
    assert_eq!(asked.len(), expected_calls, "{name}: {:?}", project.state.phase);
    told(name, conversation, &asked);
    outcome(name, conversation, &Delivery::of(&app.reader.store, &project).await.expect("a delivery"));
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &server.log()).await;
}

/// Second thoughts of the user.
async fn said(app: &App, project: &Project, section: &Section) -> Project {
    let (control, text) = (&app.control, section.text.as_str());
    let done = match section.name.as_str() {
        "change" => match text.split_once(": ").filter(|(id, _)| id.starts_with('R')) {
            Some((requirement, words)) => control.change(project, words, Some(requirement)).await,
            None => control.change(project, text, None).await,
        },
        "retry" => control.retry(project, Some(text).filter(|class| !class.is_empty())).await,
        "rollback" => control.roll_back(project, text).await,
        "resume" => control.resume(project.clone(), None).await,
        "document" => {
            let quote = app.orchestrator.quote_documents(project).await.expect("a quote").expect("there is a documenter");
            let ceiling = if text.is_empty() { quote.ceiling } else { text.parse().expect("an amount") };
            control.document(project, ceiling).await
        }
        "cancel" => control.cancel(project).await,
        other => panic!("`{other}` is said where nobody listens; the project is {}", project.state.phase.word()),
    };
    done.unwrap_or_else(|error| panic!("{}: {error:#}", section.name))
}

/// A `told` section holds for the request that the model section before it answered.
fn told(name: &str, conversation: &Conversation, asked: &[tests::model_server::Asked]) {
    let mut calls = 0;
    for section in &conversation.sections {
        match section.name.as_str() {
            "model" => calls += 1,
            "told" => {
                let text = asked[calls - 1].text();
                assert!(text.contains(&section.text), "{name}: call {calls} was not told `{}`:\n{text}", section.text);
            }
            _ => {}
        }
    }
}

fn outcome(name: &str, conversation: &Conversation, delivery: &Delivery) {
    let report = &delivery.report;
    for line in conversation.texts("outcome").iter().flat_map(|text| text.lines()) {
        let (what, expected) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line}` is not `name: value`"));
        let found = match what.split_once(' ').unwrap_or((what, "")) {
            ("phase", _) => report.phase.clone(),
            ("calls", _) => report.receipt.calls.to_string(),
            ("commits", _) => delivery.commits.len().to_string(),
            ("refunded", _) => report.receipt.refunded.0.to_string(),
            ("requirement", id) => {
                let found = report.requirements.iter().find(|requirement| requirement.id == id);
                found.map_or("missing", |requirement| requirement.claim.as_str()).to_owned()
            }
            ("file", path) => {
                let file = delivery.files.iter().find(|(known, _)| known.as_ref() == path);
                let text = file.map(|(_, file)| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
                assert!(text.contains(expected), "{name}: {path} does not hold `{expected}`:\n{text}");
                continue;
            }
            (other, _) => panic!("{name}: `{other}` is no outcome"),
        };
        assert_eq!(found, expected, "{name}: {what}");
    }
}
