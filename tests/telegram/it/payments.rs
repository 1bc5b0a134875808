//! Stars: invoiced, asked for, paid, told twice, given back.

use crate::bot::{Bot, ids};
use serde_json::{Value, json};
use std::time::Duration;
use telegram_double::{Options, Paid};

fn invoice(chat: i64) -> Value {
    json!({
        "chat_id": chat, "title": "A project", "description": "Built once", "payload": "order-7", "provider_token": "", "currency": "XTR",
        "prices": [{ "label": "A project", "amount": 50 }],
    })
}

async fn invoiced(bot: &Bot, chat: i64) -> i64 {
    bot.ok("sendInvoice", invoice(chat)).await["message_id"].as_i64().expect("a message id")
}

#[tokio::test]
async fn an_invoice_is_in_stars_and_has_one_price() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    for (field, value, words) in [
        ("currency", json!("EUR"), "CURRENCY_INVALID"),
        ("provider_token", json!("1:TEST:2"), "PAYMENT_PROVIDER_INVALID"),
        ("prices", json!([]), "STARS_INVOICE_INVALID"),
        ("prices", json!([{ "label": "a", "amount": 1 }, { "label": "b", "amount": 1 }]), "STARS_INVOICE_INVALID"),
        ("prices", json!([{ "label": "a", "amount": 0 }]), "STARS_INVOICE_INVALID"),
        ("prices", json!([{ "label": "a", "amount": "x" }]), "field \"prices.amount\" must be of type Number"),
        ("title", Value::Null, "parameter \"title\" is required"),
        ("payload", json!("x".repeat(129)), "INVOICE_PAYLOAD_INVALID"),
    ] {
        let mut fields = invoice(chat);
        fields[field] = value;
        assert_eq!(bot.refused("sendInvoice", fields).await, format!("Bad Request: {words}"), "{field}");
    }
    let mut fields = invoice(chat);
    fields["reply_markup"] = json!({ "inline_keyboard": [[{ "text": "x", "callback_data": "x" }]] });
    assert_eq!(bot.refused("sendInvoice", fields).await, "Bad Request: REPLY_MARKUP_BUY_EMPTY");
    let message = bot.ok("sendInvoice", invoice(chat)).await;
    assert_eq!((message["invoice"]["total_amount"].as_i64(), &message["invoice"]["currency"]), (Some(50), &json!("XTR")));
    assert_eq!(bot.chat(chat)[0].button_texts(), ["Pay ⭐50"]);
}

#[tokio::test]
async fn a_payment_goes_through_when_the_bot_agrees() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let message = invoiced(&bot, chat).await;
    let asked = bot.pays(chat, chat, message);
    let query = bot.updates(asked).await[0]["pre_checkout_query"].clone();
    assert_eq!((query["invoice_payload"].as_str(), query["total_amount"].as_i64()), (Some("order-7"), Some(50)));
    assert_eq!(bot.payments()[0].state, Paid::Waiting);
    bot.ok("answerPreCheckoutQuery", json!({ "pre_checkout_query_id": query["id"], "ok": true })).await;
    let Paid::Done { charge_id, update_id, .. } = bot.payments()[0].state.clone() else { panic!("it went through") };
    let update = bot.updates(asked + 1).await[0].clone();
    assert_eq!(update["update_id"], update_id);
    let paid = &update["message"]["successful_payment"];
    assert_eq!((paid["telegram_payment_charge_id"].as_str(), paid["currency"].as_str()), (Some(charge_id.as_str()), Some("XTR")));
    assert_eq!(paid["invoice_payload"], "order-7");
    let again = json!({ "pre_checkout_query_id": query["id"], "ok": true });
    let words = bot.refused("answerPreCheckoutQuery", again).await;
    assert_eq!(words, "Bad Request: query is too old and response timeout expired or query ID is invalid");
}

#[tokio::test]
async fn a_payment_that_is_told_again_has_the_same_charge_and_another_update() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let message = invoiced(&bot, chat).await;
    bot.pays(chat, chat, message);
    let query = bot.updates(0).await[0]["pre_checkout_query"]["id"].clone();
    bot.ok("answerPreCheckoutQuery", json!({ "pre_checkout_query_id": query, "ok": true })).await;
    let Paid::Done { charge_id, update_id, .. } = bot.payments()[0].state.clone() else { panic!("it went through") };
    let again = bot.repeat_payment(&charge_id);
    let updates = bot.updates(update_id).await;
    assert_eq!(ids(&updates), [update_id, again]);
    let charges: Vec<&Value> =
        updates.iter().map(|update| &update["message"]["successful_payment"]["telegram_payment_charge_id"]).collect();
    assert_eq!(charges, [&json!(charge_id), &json!(charge_id)]);
    assert_eq!(bot.payments().len(), 1, "nothing was paid twice");
}

#[tokio::test]
async fn a_bot_that_declines_says_why_and_nothing_is_paid() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let message = invoiced(&bot, chat).await;
    let asked = bot.pays(chat, chat, message);
    let query = bot.updates(0).await[0]["pre_checkout_query"]["id"].clone();
    let silent = bot.refused("answerPreCheckoutQuery", json!({ "pre_checkout_query_id": query, "ok": false })).await;
    assert_eq!(silent, "Bad Request: parameter \"error_message\" is required");
    let fields = json!({ "pre_checkout_query_id": query, "ok": false, "error_message": "Sold out" });
    bot.ok("answerPreCheckoutQuery", fields).await;
    assert_eq!(bot.payments()[0].state, Paid::Declined("Sold out".to_owned()));
    assert_eq!(bot.updates(asked + 1).await.len(), 0);
}

#[tokio::test]
async fn a_bot_that_is_late_is_refused_and_nothing_is_paid() {
    let timeout = Duration::from_millis(60);
    let bot = Bot::with(Options { pre_checkout_timeout: timeout, flood: None, ..Options::default() }).await;
    let chat = bot.ann();
    let message = invoiced(&bot, chat).await;
    bot.pays(chat, chat, message);
    let query = bot.updates(0).await[0]["pre_checkout_query"]["id"].clone();
    tokio::time::sleep(timeout * 2).await;
    let words = bot.refused("answerPreCheckoutQuery", json!({ "pre_checkout_query_id": query, "ok": true })).await;
    assert_eq!(words, "Bad Request: query is too old and response timeout expired or query ID is invalid");
    assert_eq!(bot.payments()[0].state, Paid::Expired);
    assert_eq!(Options::default().pre_checkout_timeout, Duration::from_secs(10));
}

#[tokio::test]
async fn stars_go_back_once() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    let message = invoiced(&bot, chat).await;
    bot.pays(chat, chat, message);
    let query = bot.updates(0).await[0]["pre_checkout_query"]["id"].clone();
    bot.ok("answerPreCheckoutQuery", json!({ "pre_checkout_query_id": query, "ok": true })).await;
    let Paid::Done { charge_id, update_id, .. } = bot.payments()[0].state.clone() else { panic!("it went through") };
    let refund = |user: i64, charge: &str| json!({ "user_id": user, "telegram_payment_charge_id": charge });
    assert_eq!(bot.refused("refundStarPayment", refund(chat, "stx1")).await, "Bad Request: CHARGE_NOT_FOUND");
    assert_eq!(bot.refused("refundStarPayment", refund(1, &charge_id)).await, "Bad Request: CHARGE_NOT_FOUND");
    bot.ok("refundStarPayment", refund(chat, &charge_id)).await;
    assert_eq!(bot.refused("refundStarPayment", refund(chat, &charge_id)).await, "Bad Request: CHARGE_ALREADY_REFUNDED");
    assert_eq!((bot.refunds().len(), bot.refunds()[0].total_amount), (1, 50));
    let told = bot.updates(update_id + 1).await;
    assert_eq!(told[0]["message"]["refunded_payment"]["telegram_payment_charge_id"], json!(charge_id));
}
