//! A page in Markdown: its commands with their outputs, and the places in the code that it links.

use std::path::Path;

use super::shape::shape;

/// What a page has that can be checked.
pub(super) struct Page {
    pub(super) blocks: Vec<Block>,
    pub(super) places: Vec<Place>,
}

/// A block of commands.
pub(super) struct Block {
    /// The line of the page at which it begins, from 1.
    line: usize,
    pub(super) commands: String,
    /// The block that follows at once, which is its output; empty if there is none.
    pub(super) output: String,
}

/// A link to a file, with the name of an item in it: `` [`item`](file) ``.
#[derive(Debug)]
pub(super) struct Place {
    item: String,
    file: String,
}

impl Page {
    pub(super) fn parse(text: &str) -> Self {
        Self { blocks: blocks(text), places: places(text) }
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    // Whether nothing but empty lines came since the last block of commands.
    let mut follows = false;
    while let Some((index, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            follows &= line.is_empty();
            continue;
        };
        let content = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let content: String = content.flat_map(|line| [line, "\n"]).collect();
        match blocks.last_mut() {
            _ if language == "sh" => {
                blocks.push(Block { line: index + 1, commands: content, output: String::new() });
            }
            Some(block) if follows => block.output = content,
            _ => panic!("line {}: an output without commands", index + 1),
        }
        follows = language == "sh";
    }
    blocks
}

fn places(text: &str) -> Vec<Place> {
    let link = regex::Regex::new(r"\[`([^`\]]+)`\]\(\.\./([^)#]+)\)").unwrap();
    let place = |found: regex::Captures<'_>| Place { item: found[1].to_owned(), file: found[2].to_owned() };
    link.captures_iter(text).map(place).collect()
}

impl Block {
    /// What is wrong with the output, for a person who mends the page.
    pub(super) fn difference(&self, printed: &str) -> String {
        let (wanted, found) = (shape(&self.output), shape(printed));
        let (mut wanted_lines, mut found_lines) = (wanted.lines(), found.lines());
        let first = std::iter::from_fn(|| match (wanted_lines.next(), found_lines.next()) {
            (None, None) => None,
            pair => Some(pair),
        })
        .find(|(wanted, found)| wanted != found);
        let commands = self.commands.lines().next().unwrap_or_default();
        format!(
            "line {}: {commands}\nfirst difference (page, printed): {first:#?}\nprinted:\n{printed}",
            self.line
        )
    }
}

impl Place {
    /// Whether the file exists and defines the item; the name of a file is no item.
    pub(super) fn exists(&self) -> bool {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let Ok(code) = std::fs::read_to_string(root.join(&self.file)) else { return false };
        let item = regex::escape(&self.item);
        let definition = regex::Regex::new(&format!(r"\b(fn|struct|enum|trait) {item}\b")).unwrap();
        self.file.ends_with(&format!("/{}", self.item)) || definition.is_match(&code)
    }
}
