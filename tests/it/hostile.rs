//! The sandbox, attacked by the guests that are part of the program, as an operator does it.

use tests::home::Home;
use tests::program::atelier;

/// Guests of the program.
const GUESTS: usize = 32;

#[test]
fn every_hostile_guest_is_contained_and_an_honest_one_goes_on() {
    let home = Home::shipped();
    home.grant(|manifest| {
        for plugin in &mut manifest.plugins {
            // With these a guest that has to use up its time does so sooner.
            (plugin.limits.fuel_millions, plugin.limits.guest_seconds) = (200, 2);
        }
    });
    let ended = atelier(&home, "", &["doctor", "--hostile"]);
    let figures = ended.out.lines().last().unwrap_or_default();
    assert!(figures.starts_with(&format!("hostile contained={GUESTS} total={GUESTS} honest_failed=0 ")), "{}{}", ended.out, ended.err);
    assert_eq!(ended.out.matches(" contained ").count(), GUESTS, "{}", ended.out);
    assert!(!ended.err.contains("this would allow it"), "nobody is told to grant anything: {}", ended.err);
}

#[test]
fn without_a_pinned_implementer_there_is_nobody_to_be() {
    let ended = atelier(&Home::empty(), "", &["doctor", "--hostile"]);
    assert!(ended.code != Some(0) && ended.err.contains("make plugins"), "{ended:?}");
}
