//! From an idea to a brief. One call sizes the idea and either returns the brief or a few questions; the answers make the second
//! call. A person who skips a question gets the default; one who has had enough is asked nothing more.

use crate::existing::Existing;
use atelier_sdk::dialogue::{Answer, Question};
use atelier_sdk::fences::field;
use atelier_sdk::model::{Conversation, Model};
use atelier_sdk::types::{Brief, Failure, Refusal, Requirement, SourceFile};

/// More questions than this drive people away.
const QUESTIONS_MAX: usize = 3;
/// Buttons under a question.
const CHOICES_MAX: usize = 5;
/// A brief is short.
const OUTPUT_TOKENS_MAX: u32 = 3_000;
/// An attachment is an illustration; what is longer is cut.
const ATTACHMENT_CHARS_MAX: usize = 20_000;

/// What the user sent.
pub struct Idea {
    /// The idea.
    pub text: String,
    /// Files sent with it.
    pub attachments: Vec<SourceFile>,
    /// The brief so far, for a change.
    pub previous: Option<Brief>,
    /// What is to be changed.
    pub change: Option<String>,
    /// What the project is already.
    pub existing: Option<Existing>,
}

/// Somebody who answers questions.
pub trait User {
    /// Asks and waits.
    fn ask(&mut self, question: &Question) -> Result<Answer, Refusal>;
}

enum Reply {
    Questions(Vec<Question>),
    Brief(Brief),
}

/// Finds out what is wanted.
pub fn elicit(model: &mut dyn Model, user: &mut dyn User, idea: &Idea) -> Result<Brief, Failure> {
    let mut talk = Conversation::new(model, "planner", OUTPUT_TOKENS_MAX, include_str!("../prompts/elicit.md"));
    let questions = match talk.ask(&opening(idea), read)? {
        Reply::Brief(brief) => return Ok(brief),
        Reply::Questions(questions) => questions,
    };
    let mut answers = String::new();
    for question in &questions {
        let said = match user.ask(question) {
            Ok(Answer::Text(text)) => text,
            Ok(Answer::Skipped) => "(no preference: choose what is sensible)".to_owned(),
            Ok(Answer::Enough) => break,
            // Without a dialogue the defaults have to do.
            Err(Refusal::Denied(_) | Refusal::CallLimit) => break,
            Err(refusal) => return Err(Failure::Refused(refusal)),
        };
        answers.push_str(&format!("{}\n→ {said}\n\n", question.text));
    }
    let text = format!(
        "The client's answers:\n\n{answers}What was not answered is yours to choose sensibly. Ask nothing more: send the brief now, in form 2."
    );
    talk.ask(&text, |reply| match read(reply)? {
        Reply::Brief(brief) => Ok(brief),
        Reply::Questions(_) => Err("no more questions: send the brief".to_owned()),
    })
}

fn opening(idea: &Idea) -> String {
    let mut text = format!("The client's idea:\n\n{}\n", idea.text.trim());
    for file in &idea.attachments {
        let shown: String = file.text.chars().take(ATTACHMENT_CHARS_MAX).collect();
        text.push_str(&format!("\nSent with it, `{}`:\n\n{shown}\n", file.path));
    }
    if let Some(existing) = &idea.existing {
        text.push_str(&format!("\n{}\n{}", existing.told(), include_str!("../prompts/elicit_existing.md")));
    }
    if let Some(previous) = &idea.previous {
        text.push_str(&format!(
            "\nThe brief so far:\n\ntitle: {}\nlanguage: {}\nsummary: {}\n",
            previous.title, previous.language, previous.summary
        ));
        text.extend(previous.requirements.iter().map(|requirement| format!("requirement: {}\n", requirement.text.trim())));
    }
    if let Some(change) = &idea.change {
        text.push_str(&format!(
            "\nWhat the client wants changed in it:\n\n{}\n\n{}",
            change.trim(),
            include_str!("../prompts/elicit_change.md")
        ));
    }
    text
}

/// Reads either form.
fn read(reply: &str) -> Result<Reply, String> {
    let (mut questions, mut requirements): (Vec<Question>, Vec<Requirement>) = (Vec::new(), Vec::new());
    let (mut title, mut language, mut summary) = (String::new(), String::new(), String::new());
    let mut in_summary = false;
    for line in reply.lines().filter(|line| !line.trim_start().starts_with("```")) {
        if let Some(text) = field(line, "question") {
            let id = format!("q{}", questions.len() + 1);
            questions.push(Question { id, text: text.to_owned(), choices: Vec::new() });
            in_summary = false;
        } else if let Some(text) = field(line, "requirement") {
            let id = format!("R{}", requirements.len() + 1);
            requirements.push(Requirement { id, text: text.to_owned(), prerequisites: Vec::new() });
            in_summary = false;
        } else if let Some(text) = field(line, "title") {
            title = text.to_owned();
        } else if let Some(text) = field(line, "language") {
            language = text.to_lowercase();
        } else if let Some(text) = field(line, "summary") {
            summary = text.to_owned();
            in_summary = true;
        } else if let (Some(choice), Some(question)) = (line.trim().strip_prefix("- "), questions.last_mut()) {
            if question.choices.len() < CHOICES_MAX {
                question.choices.push(choice.trim().to_owned());
            }
        } else if in_summary && !line.trim().is_empty() && field(line, "size").is_none() {
            summary = format!("{summary} {}", line.trim());
        }
    }
    if !requirements.is_empty() {
        for (name, value) in [("title", &title), ("language", &language), ("summary", &summary)] {
            if value.is_empty() {
                return Err(format!("the brief has no `{name}:` line"));
            }
        }
        let title = title.chars().take(100).collect();
        return Ok(Reply::Brief(Brief { title, summary, language, requirements }));
    }
    if questions.is_empty() {
        return Err("there is neither a `question:` nor a `requirement:` line".to_owned());
    }
    questions.truncate(QUESTIONS_MAX);
    Ok(Reply::Questions(questions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use atelier_sdk::model::Scripted;

    const BRIEF: &str =
        "size: S\ntitle: **Thing**\nlanguage: Python\nsummary: It does\nmore.\nrequirement: A gives B.\nrequirement: C: gives D.";
    const QUESTIONS: &str = "size: S\nquestion: Which?\n- this\n- that\nquestion: How?\nquestion: When?\nquestion: Too many?";

    struct Person(Vec<Answer>, Vec<String>);

    impl User for Person {
        fn ask(&mut self, question: &Question) -> Result<Answer, Refusal> {
            self.1.push(question.text.clone());
            Ok(self.0.remove(0))
        }
    }

    fn idea() -> Idea {
        Idea { text: "an idea".into(), attachments: vec![], previous: None, change: None, existing: None }
    }

    #[test]
    fn a_clear_idea_is_asked_nothing() {
        let mut person = Person(vec![], vec![]);
        let brief = elicit(&mut Scripted::new(&[BRIEF]), &mut person, &idea()).expect("a brief");
        assert_eq!((brief.title.as_str(), brief.language.as_str(), brief.summary.as_str()), ("Thing", "python", "It does more."));
        assert_eq!(
            brief.requirements.iter().map(|entry| (entry.id.as_str(), entry.text.as_str())).collect::<Vec<_>>(),
            [("R1", "A gives B."), ("R2", "C: gives D.")]
        );
        assert!(person.1.is_empty());
    }

    #[test]
    fn at_most_three_questions_are_asked_and_the_answers_reach_the_model() {
        let mut model = Scripted::new(&[QUESTIONS, BRIEF]);
        let mut person = Person(vec![Answer::Text("this".into()), Answer::Skipped, Answer::Text("now".into())], vec![]);
        elicit(&mut model, &mut person, &idea()).expect("a brief");
        assert_eq!(person.1, ["Which?", "How?", "When?"]);
        let told = &model.requests[1].messages.last().expect("a message").text;
        assert!(told.contains("→ this") && told.contains("no preference") && told.contains("→ now"));
    }

    #[test]
    fn enough_means_enough() {
        let mut person = Person(vec![Answer::Enough], vec![]);
        elicit(&mut Scripted::new(&[QUESTIONS, BRIEF]), &mut person, &idea()).expect("a brief");
        assert_eq!(person.1.len(), 1);
    }

    #[test]
    fn a_change_shows_the_brief_in_the_form_in_which_it_is_to_come_back() {
        let previous = match read(BRIEF) {
            Ok(Reply::Brief(brief)) => brief,
            _ => panic!("a brief"),
        };
        let idea = Idea { previous: Some(previous), change: Some("B in blue".into()), ..idea() };
        let text = opening(&idea);
        assert!(
            text.contains("title: Thing\nlanguage: python\nsummary: It does more.\nrequirement: A gives B.\nrequirement: C: gives D.\n")
        );
        assert!(text.contains("B in blue") && text.contains("word for word"));
    }

    #[test]
    fn without_a_change_an_idea_is_shown_as_it_always_was() {
        let attachments = vec![SourceFile { path: "a.txt".into(), text: "some text".into() }];
        let expected = "The client's idea:\n\nan idea\n\nSent with it, `a.txt`:\n\nsome text\n";
        assert_eq!(opening(&Idea { attachments, ..idea() }), expected);
    }

    #[test]
    fn a_project_that_exists_is_shown_with_what_its_brief_is_about() {
        let existing = Existing::of(["src/a.py".to_owned()], None);
        let text = opening(&Idea { existing, ..idea() });
        assert!(text.contains("handed over its 1 files:\n\nsrc/a.py\n") && text.contains("what is to be different"), "{text}");
    }

    #[test]
    fn questions_after_the_questions_are_an_unusable_reply() {
        let mut person = Person(vec![Answer::Enough], vec![]);
        let result = elicit(&mut Scripted::new(&[QUESTIONS, QUESTIONS, QUESTIONS]), &mut person, &idea());
        assert!(matches!(result, Err(Failure::UnusableReply(_))));
    }
}
