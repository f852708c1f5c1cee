//! `docs/walk.md` does what it says: its commands run in their order, in a shell beside a real demo, and what they print has the
//! shape that the page shows.

mod page;
mod shape;
mod workplace;

use crate::console::Demo;

use self::page::Page;
use self::shape::shape;
use self::workplace::Workplace;

const WALK: &str = include_str!("../../../../docs/walk.md");

/// How the page starts the demo, in a terminal of its own.
const START: &str = "GLASSHOUSE_PROMETHEUS_URL=http://127.0.0.1:9090 make demo\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_prints_what_the_page_shows() {
    let page = Page::parse(WALK);
    let (start, commands) = page.blocks.split_first().unwrap();
    assert_eq!(start.commands, START);
    assert!(commands.len() > 20, "not all blocks were found: {}", commands.len());

    let mut workplace = Workplace::new();
    let settings = workplace.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    let demo = Demo::start(&["demo", "--traffic"], &settings).await;
    workplace.enter(&demo);
    let printed = workplace.run(commands).await;
    let differ =
        commands.iter().zip(&printed).filter(|(block, printed)| shape(&block.output) != shape(printed));
    let problems: Vec<_> = differ.map(|(block, printed)| block.difference(printed)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn every_place_in_the_code_exists() {
    let places = Page::parse(WALK).places;
    assert!(places.len() > 20, "not all places were found: {places:?}");
    let missing: Vec<_> = places.iter().filter(|place| !place.exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
