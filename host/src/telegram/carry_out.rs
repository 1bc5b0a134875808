//! Does what is ordered and says what is said, in one transaction wherever the order is one change of a project.

use super::Bot;
use super::desk::{Visit, settled};
use super::letters::{Address, letters};
use crate::chat::{Message, Order, Outcome};
use crate::store::StoreError;
use crate::store::chats::{ChatEffect, Dialog, Invitation, Invoice, Kind, Letter, Trade, Used};
use crate::store::now_ms;
use crate::store::projects::Project;
use anyhow::Result;

/// What is said seldom is said once in so long.
const SELDOM_MS: i64 = 60_000;

impl Bot {
    /// Has the effect, with what is ordered.
    pub(super) async fn carry_out(&self, visit: Visit, outcome: Outcome) -> Result<()> {
        let Outcome { say, used, order, expecting, is_seldom, .. } = outcome;
        let kind = if order.is_some() { Kind::Acknowledgement } else { Kind::Answer };
        // Somebody who only looks at another's project does not make it an own one.
        let dialog = Dialog { project: visit.dialog.project.clone(), expecting };
        let effect = ChatEffect {
            update: Some(visit.update),
            dialog: Some((visit.chat, visit.person.id, dialog)),
            used: visit.message.filter(|_| used).map(|message| Used::Message(visit.chat, message)),
            letters: said(&visit, kind, is_seldom, say),
            ..ChatEffect::default()
        };
        let Some(order) = order else { return Ok(settled(self.store.have(&effect).await)?) };
        let done = match (order, &visit.current) {
            (Order::Begin(idea, handed_over), _) => {
                let follow = Some((String::new(), visit.chat, visit.person.id));
                let control = self.orchestrator.control.with(ChatEffect { follow, ..effect.clone() });
                control.create_from(&visit.person.wallet, &idea, None, handed_over).await.map(drop)
            }
            (Order::Redeem(code), _) => {
                let invitation = Some(Invitation { person: visit.person.id, code });
                settled(self.store.have(&ChatEffect { invitation, ..effect.clone() }).await).map_err(Into::into)
            }
            (Order::Sell(offer), _) => {
                let invoice = Invoice::new(visit.person.id, &offer);
                let mut selling = effect.clone();
                for bill in selling.letters.iter_mut().filter_map(|letter| letter.message.invoice.as_mut()) {
                    bill.name.clone_from(&invoice.name);
                }
                self.trade(Trade::Offer(invoice), selling).await
            }
            (Order::Return(reference), _) => {
                let is_operator = self.orchestrator.settings.telegram.is_operator(visit.person.id);
                let person = (!is_operator).then_some(visit.person.id);
                self.trade(Trade::Return(reference, person), effect.clone()).await
            }
            (Order::Operate(operation), _) => self.operate(&visit, operation, effect.clone()).await,
            (order, Some(id)) => {
                let mine = ChatEffect {
                    dialog: effect
                        .dialog
                        .clone()
                        .map(|(chat, person, dialog)| (chat, person, Dialog { project: Some(id.clone()), ..dialog })),
                    used: Some(Used::Project(id.clone())),
                    ..effect.clone()
                };
                self.order(&self.store.project(id).await?, order, mine).await
            }
            (_, None) => Ok(settled(self.store.have(&effect).await)?),
        };
        let Err(error) = done else { return Ok(()) };
        let word = match error.downcast_ref::<StoreError>() {
            Some(StoreError::Done(_)) => return Ok(()),
            // It is tried again, in its order.
            Some(StoreError::Away(_) | StoreError::Full | StoreError::Undone(_)) => return Err(error),
            Some(StoreError::Crowded { .. }) => "crowded",
            Some(StoreError::NoInvite) => "invite-invalid",
            Some(StoreError::CeilingBelowSpent { .. }) => "ceiling-low",
            Some(StoreError::CreditsSpent { .. }) => "return-spent",
            _ => "stale",
        };
        tracing::info!("update {} was refused: {error:#}", visit.update);
        let instead = ChatEffect {
            letters: said(&visit, Kind::Answer, false, vec![Message::text(visit.texts.say(word, &[]))]),
            used: None,
            follow: None,
            ..effect
        };
        Ok(settled(self.store.have(&instead).await)?)
    }

    pub(super) async fn trade(&self, trade: Trade, effect: ChatEffect) -> Result<()> {
        Ok(settled(self.store.have(&ChatEffect { trade: Some(trade), ..effect }).await)?)
    }

    async fn order(&self, project: &Project, order: Order, effect: ChatEffect) -> Result<()> {
        let control = &self.orchestrator.control;
        let with = control.with(effect.clone());
        match order {
            Order::Answer(answer) => return with.answer(project, answer).await.map(drop),
            Order::Approve(ceiling) => return with.approve(project, ceiling).await.map(drop),
            Order::Change(request) => return with.change(project, &request, None).await.map(drop),
            Order::Document(ceiling) => return with.document(project, ceiling).await.map(drop),
            Order::Retry => return with.retry(project, None).await.map(drop),
            Order::GiveUp => return with.give_up(project).await.map(drop),
            // Done twice these are done once, so the word about it may come after, where it is not done at once.
            Order::Pause => drop(with.pause(project).await?),
            Order::Cancel => drop(with.cancel(project).await?),
            Order::Resume => drop(with.resume(project.clone(), None).await?),
            Order::Budget(ceiling) => drop(control.resume(project.clone(), Some(ceiling)).await?),
            Order::Begin(..) | Order::Redeem(_) | Order::Operate(_) | Order::Sell(_) | Order::Return(_) => {}
        }
        Ok(settled(self.store.have(&effect).await)?)
    }
}

/// What is said in answer.
pub(super) fn said(visit: &Visit, kind: Kind, is_seldom: bool, messages: Vec<Message>) -> Vec<Letter> {
    let name = match is_seldom {
        true => format!("seldom.{}.{}", visit.chat, now_ms() / SELDOM_MS),
        false => format!("u{}", visit.update),
    };
    let address = Address { chat: visit.chat, person: visit.person.id, project: visit.current.as_deref() };
    letters(&name, &address, kind, messages)
}
