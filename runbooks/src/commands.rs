//! The shell commands of a runbook, which tests run.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A shell command, or inline code that may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command, in one line.
    pub text: String,
    /// Whether it stands in a block of commands, and not in a sentence.
    pub is_in_block: bool,
    /// Where it works.
    pub platform: Platform,
}

/// Where a command works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Wherever the functions of the runbooks are defined.
    Any,
    /// On containers alone: it has a comment `# containers`, or in a sentence `(containers` behind it.
    Containers,
    /// On Kubernetes: it begins with `kubectl`.
    Kubernetes,
}

/// The lines of the blocks `sh`, and all inline code.
#[must_use]
pub fn commands(markdown: &str) -> Vec<Command> {
    let events: Vec<_> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut commands = Vec::new();
    let mut block: Option<String> = None;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &**language == "sh" => {
                block = Some(String::new());
            }
            Event::End(TagEnd::CodeBlock) => {
                commands.extend(block.take().iter().flat_map(|block| lines(block)));
            }
            Event::Text(text) => block.iter_mut().for_each(|block| block.push_str(text)),
            Event::Code(text) => {
                let next = events.get(at + 1);
                let is_marked = matches!(next, Some(Event::Text(text)) if text.starts_with(" (containers"));
                commands.push(Command::new(text, false, is_marked));
            }
            _ => {}
        }
    }
    commands
}

/// The commands of a block. A command may continue on further lines.
fn lines(block: &str) -> Vec<Command> {
    let block = block.replace("\\\n", "");
    let lines = block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| Command::new(line, true, line.contains("# containers"))).collect()
}

impl Command {
    fn new(text: &str, is_in_block: bool, is_marked: bool) -> Self {
        let platform = match () {
            () if is_marked => Platform::Containers,
            () if text.starts_with("kubectl ") => Platform::Kubernetes,
            () => Platform::Any,
        };
        Self { text: text.to_owned(), is_in_block, platform }
    }

    /// Whether a person fills in a part of it: `<pid>`, `…`, or the nil UUID.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        let opens_name = |pair: &[u8]| pair[0] == b'<' && pair[1].is_ascii_lowercase();
        ["…", "00000000-0000-0000-0000-000000000000"].iter().any(|open| self.text.contains(open))
            || self.text.as_bytes().windows(2).any(opens_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_platform_that_they_are_marked_with() {
        let page = "1. `restart api`, or `docker ps` (containers).\n   ```sh\n   # Why.\n   logs api \\\n       20\n   \
                    docker info    # containers: why\n   kubectl delete pod <name>\n   ```\n```sql\nSELECT 1;\n```\n";
        let found: Vec<_> = commands(page)
            .into_iter()
            .map(|command| {
                (command.text.clone(), command.is_in_block, command.platform, command.has_placeholder())
            })
            .collect();
        let expected = [
            ("restart api", false, Platform::Any, false),
            ("docker ps", false, Platform::Containers, false),
            ("logs api     20", true, Platform::Any, false),
            ("docker info    # containers: why", true, Platform::Containers, false),
            ("kubectl delete pod <name>", true, Platform::Kubernetes, true),
        ];
        let expected = expected.map(|(text, block, platform, open)| (text.to_owned(), block, platform, open));
        assert_eq!(found, expected);
    }
}
