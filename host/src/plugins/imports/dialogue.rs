//! `dialogue`: questions to the user. A question ends the run and frees its memory; the answer, whenever it comes, is put into
//! the journal and the run is replayed to this point.

use super::{Context, diverged};
use crate::plugins::api::v0_1_0::{dialogue, types};
use crate::plugins::manifest::Grant;
use crate::plugins::run::Ending;
use crate::project::{Answer, Question, Refusal};
use wasmtime::Result;

/// A question that a person reads on a phone.
const QUESTION_CHARS_MAX: usize = 1_000;
/// Buttons that fit a screen.
const CHOICES_MAX: usize = 8;

impl dialogue::Host for Context {
    async fn ask(&mut self, question: dialogue::Question) -> Result<std::result::Result<dialogue::Answer, types::Refusal>> {
        let question = Question::from(question);
        let call = self.open("dialogue.ask", &question)?;
        if let Some(answer) = self.journal.recorded::<std::result::Result<Answer, Refusal>>(&call).map_err(diverged)? {
            self.questions_left = self.questions_left.saturating_sub(1);
            return Ok(answer.map(Into::into).map_err(Into::into));
        }
        let refusal = match self.allow(&call, Grant::Dialogue) {
            Err(refusal) => Some(refusal),
            Ok(()) if !self.may_ask => Some(Refusal::Invalid("questions are asked while eliciting and planning".to_owned())),
            Ok(()) if self.questions_left == 0 => Some(Refusal::CallLimit),
            Ok(()) if question.text.trim().is_empty() => Some(Refusal::Invalid("the question has no text".to_owned())),
            Ok(()) if question.text.chars().count() > QUESTION_CHARS_MAX => {
                Some(Refusal::Invalid(format!("a question has at most {QUESTION_CHARS_MAX} characters")))
            }
            Ok(()) if question.choices.len() > CHOICES_MAX => {
                Some(Refusal::Invalid(format!("a question has at most {CHOICES_MAX} choices")))
            }
            Ok(()) => None,
        };
        match refusal {
            Some(refusal) => {
                self.journal.keep(&call, &Err::<Answer, _>(refusal.clone()));
                Ok(Err(refusal.into()))
            }
            None => Err(Ending::Asked { seq: call.seq, fingerprint: call.fingerprint, question }.into()),
        }
    }
}
