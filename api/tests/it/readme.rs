//! What the README and ARCHITECTURE.md refer to exists.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

const README: &str = include_str!("../../../README.md");
const MAKEFILE: &str = include_str!("../../../Makefile");

#[test]
fn every_make_target_exists() {
    let target = Regex::new(r"(?m)^([a-z-]+):").unwrap();
    let targets: BTreeSet<_> = target.captures_iter(MAKEFILE).map(|found| found[1].to_owned()).collect();
    let command = Regex::new(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)").unwrap();
    let named: BTreeSet<_> = command.captures_iter(README).map(|found| found[1].to_owned()).collect();
    assert!(named.len() > 8, "not all targets were found: {named:?}");
    assert_eq!(named.difference(&targets).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_link_leads_to_a_file() {
    let link = Regex::new(r##"(?:\]\(|(?:src|srcset)=")([a-zA-Z.][^)"#:]*)"##).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let links: BTreeSet<_> = link.captures_iter(README).map(|found| found[1].to_owned()).collect();
    let broken: Vec<_> =
        links.iter().filter(|link| !link.starts_with("http") && !root.join(link).exists()).collect();
    assert!(links.len() > 15 && broken.is_empty(), "{broken:?} of {links:?}");
}

/// A result that the README quotes is that of the page: the page was not written anew since.
#[test]
fn every_result_is_that_of_its_page() {
    let result = Regex::new(r"\[(\d{4}-\d\d-\d\d), ([0-9a-f]{7})\]\(([^)#]+)").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for found in result.captures_iter(README) {
        let page = std::fs::read_to_string(root.join(&found[3])).unwrap();
        let has_run = page.lines().any(|line| line.contains(&found[1]) && line.contains(&found[2]));
        assert!(has_run, "{} has no run of {} on {}: update the README", &found[3], &found[2], &found[1]);
        count += 1;
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn every_dependency_is_explained() {
    let manifest = include_str!("../../../Cargo.toml");
    let dependencies =
        manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let name = Regex::new(r"(?m)^([a-z][a-z0-9_-]*) =").unwrap();
    let names: Vec<_> = name.captures_iter(dependencies).map(|found| found[1].to_owned()).collect();
    assert!(names.len() > 60, "not all dependencies were found: {names:?}");
    let table = include_str!("../../../ARCHITECTURE.md").split("\n## Dependencies\n").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let is_missing =
        |name: &&String| !name.starts_with("glasshouse") && !table.contains(&format!("`{name}`"));
    assert_eq!(names.iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&String>::new());
}
