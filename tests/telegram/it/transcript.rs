//! The page of a chat: everything that was said is on it, and none of it is part of the page.

use crate::bot::Bot;
use serde_json::json;
use telegram_double::Person;

#[tokio::test]
async fn nothing_that_was_written_becomes_part_of_the_page() {
    let bot = Bot::new().await;
    let evil = "<script>alert('x')</script>\"&";
    let user = bot.user_like(Person { first_name: evil.to_owned(), ..Person::default() });
    let chat = bot.group(evil, &[user]);
    bot.says(chat, user, evil);
    bot.sends_file(chat, user, "<img src=x>.txt", b"x", evil);
    let asked = bot.chat(chat)[0].message_id;
    let link = "<a href=\"https://a.b/&quot;&gt;&lt;script&gt;\">&lt;script&gt;</a>";
    let keyboard = json!({ "inline_keyboard": [[{ "text": evil, "callback_data": "x" }]] });
    let fields = json!({
        "chat_id": chat, "text": link, "parse_mode": "HTML", "reply_markup": keyboard, "reply_parameters": { "message_id": asked },
    });
    bot.ok("sendMessage", fields).await;
    let page = bot.transcript_html(chat);
    for opening in ["<script", "<img", "<a ", "<a>", "<link", "<iframe", "url(", "@import"] {
        assert!(!page.contains(opening), "{opening}: {page}");
    }
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    assert!(page.contains("&lt;img src=x&gt;.txt"));
}

#[tokio::test]
async fn the_page_shows_what_the_chat_shows() {
    let bot = Bot::new().await;
    let chat = bot.ann();
    bot.says(chat, chat, "/start please");
    let text = "<b>Hello <i>you</i></b>, <code>x &lt; y</code>\n<pre><code class=\"language-rust\">fn main() {}</code></pre>";
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Go", "callback_data": "go" }, { "text": "Read", "url": "https://a.b" }]] });
    let fields = json!({ "chat_id": chat, "text": text, "parse_mode": "HTML", "reply_markup": keyboard });
    bot.ok("sendMessage", fields).await;
    let gone = bot.sends(chat, "taken back").await;
    bot.ok("deleteMessage", json!({ "chat_id": chat, "message_id": gone })).await;
    bot.multipart("sendDocument", &[("chat_id", &chat.to_string())], &[("document", "project.zip", &[7; 2048])]).await;
    let page = bot.transcript_html(chat);
    for part in [
        "<article class=\"right\">",
        "<span class=\"link\">/start</span> please",
        "<article class=\"left\">",
        "<b>Hello <i>you</i></b>, <code>x &lt; y</code>\n<pre>fn main() {}</pre>",
        "<div class=\"row\"><span class=\"button\">Go</span><span class=\"button\">Read ↗</span></div>",
        "<b>project.zip</b><br>2.0 KB",
        "name=\"viewport\"",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("taken back"));
    // For looking at the page while its style is worked on.
    if let Some(path) = std::env::var_os("TELEGRAM_TRANSCRIPT") {
        std::fs::write(path, page).expect("the page can be written");
    }
}
