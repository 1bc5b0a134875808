//! Conversations with the bot, as scripts that anybody can read (`tests/conversations/bot`), played by the real program against the strict
//! double of Telegram's server. What the people of a script see is compared to the letter.
//!
//! [`script`] is the file, [`deed`] what its people do, [`model`] who answers the bot; `stage` is where it is played and `seen` what came
//! of it.

pub mod deed;
pub mod model;
pub mod script;
mod seen;
mod stage;

pub use deed::Deed;
pub use script::{Entry, Script, written};

use seen::Seen;
use stage::Stage;

/// Where the scripts are, below the checkout.
pub const FOLDER: &str = "tests/conversations/bot";

/// Plays a script: all that was done and seen. What went wrong comes with what was seen up to then.
pub async fn play(script: &Script) -> Result<Vec<Entry>, String> {
    let mut stage = Stage::set(script).await?;
    let (mut seen, mut entries) = (Seen::default(), Vec::new());
    let people: Vec<String> = stage.people.iter().map(|(name, _)| name.clone()).collect();
    seen.turn_to(stage.people[0].1);
    for entry in script.entries.iter().filter(|entry| !entry.is_seen()) {
        entries.push(entry.clone());
        let played = turn(&mut stage, &mut seen, entry, &people).await;
        entries.extend(played.map_err(|why| format!("{why}; up to then:\n\n{}", written(&entries)))?);
    }
    stage.strike().await?;
    Ok(entries)
}

async fn turn(stage: &mut Stage, seen: &mut Seen, entry: &Entry, people: &[String]) -> Result<Vec<Entry>, String> {
    let deed = Deed::read(entry, people)?;
    if let Deed::By(who, in_group, _) = &deed {
        seen.turn_to(if *in_group { stage.group.ok_or("there is no group")? } else { stage.number(who)? });
    }
    stage.play(&deed, seen).await?;
    if let Deed::GroupMoves = deed {
        seen.turn_to(stage.group.unwrap_or_default());
    }
    let mut entries = seen.look(stage).await?;
    if let Deed::By(_, _, deed::Act::Opens(name)) = &deed {
        entries.push(seen.opened(stage, name)?);
    }
    Ok(entries)
}

/// What differs between two texts, line by line, with a few lines around it.
pub fn difference(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let common = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(one, other)| one == other).count();
    let start = common(&mut old.iter().zip(&new));
    let end = common(&mut old[start..].iter().rev().zip(new[start..].iter().rev()));
    let mut text = String::new();
    let mut add = |mark: char, lines: &[&str]| lines.iter().for_each(|line| text.push_str(&format!("{mark} {line}\n")));
    add(' ', &old[start.saturating_sub(AROUND)..start]);
    add('-', &old[start..old.len() - end]);
    add('+', &new[start..new.len() - end]);
    add(' ', &old[old.len() - end..(old.len() - end + AROUND).min(old.len())]);
    text
}

/// Lines that are shown around what differs.
const AROUND: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_other_and_what_is_around_it() {
        assert_eq!(difference("a\nb\nc\nd\n", "a\nb\nx\nd\n"), "  a\n  b\n- c\n+ x\n  d\n");
        assert_eq!(difference("a\n", "a\nb\n"), "  a\n+ b\n");
    }
}
