//! The runbooks of a project, as pages that the receiver serves while Grafana cannot be reached.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::project::{CONFIG_FILE, Project, files, kebab_case};

/// The runbooks in a folder of Markdown files; none by default.
#[derive(Clone, Debug, Default)]
pub struct Runbooks(Option<PathBuf>);

impl Runbooks {
    /// Those of a project, if it has any.
    pub fn of(project: &Project) -> Self {
        Self(project.runbooks().ok())
    }

    /// Those of the project in a folder; none if the folder is that of no project.
    ///
    /// # Errors
    /// Its `drill.toml` cannot be read.
    pub fn beside(root: &Path) -> Result<Self> {
        if root.join(CONFIG_FILE).is_file() {
            Ok(Self::of(&Project::read(root)?))
        } else {
            Ok(Self::default())
        }
    }

    /// Those in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(Some(folder.to_owned()))
    }

    /// The file name of the page of an alert, such as `high-error-rate.html`; `None` if it has no runbook.
    pub(super) fn page_of(&self, alert: &str) -> Option<String> {
        let name = kebab_case(alert);
        self.file(&name).map(|_| format!("{name}.html"))
    }

    /// A page by its file name. `README.html` also lists the others.
    pub(super) fn page(&self, file_name: &str) -> Option<String> {
        let name = file_name.strip_suffix(".html")?;
        let mut markdown = std::fs::read_to_string(self.file(name)?).ok()?;
        if name == "README" {
            markdown += &self.index();
        }
        Some(glasshouse_runbooks::render(&markdown, &|name| self.file(name).is_some()))
    }

    /// The list of all pages, in Markdown.
    fn index(&self) -> String {
        let files = self.0.as_ref().and_then(|folder| files(folder, "md").ok()).unwrap_or_default();
        let names =
            files.iter().filter_map(|file| file.file_stem()?.to_str()).filter(|name| *name != "README");
        names.fold("\n## Pages\n\n".to_owned(), |text, name| text + &format!("- [{name}]({name}.md)\n"))
    }

    /// The file of a runbook. A name with anything but letters, digits, `-` and `_` has none, so that it cannot leave the folder.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let file = self.0.as_ref().filter(|_| is_name)?.join(format!("{name}.md"));
        file.is_file().then_some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(root: &str) -> Runbooks {
        Runbooks::of(&Project::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(root)).unwrap())
    }

    #[test]
    fn each_project_has_its_own() {
        let (glasshouse, greeter) = (read(".."), read("examples/greeter"));
        assert_eq!(glasshouse.page_of("HighErrorRate").unwrap(), "high-error-rate.html");
        assert_eq!(greeter.page_of("GreetingsFailing").unwrap(), "greetings-failing.html");
        assert!(greeter.page("greetings-failing.html").unwrap().contains("<h1"));
        for foreign in ["high-error-rate.html", "README.html"] {
            assert!(glasshouse.page(foreign).is_some() && greeter.page(foreign).is_none(), "{foreign}");
        }
        assert!(
            greeter.page_of("HighErrorRate").is_none() && glasshouse.page_of("GreetingsFailing").is_none()
        );
        let folder = tempfile::tempdir().unwrap();
        assert!(Runbooks::beside(folder.path()).unwrap().page_of("HighErrorRate").is_none());
        std::fs::write(folder.path().join(CONFIG_FILE), "name = 1").unwrap();
        assert!(Runbooks::beside(folder.path()).is_err());
        let all = glasshouse.page("README.html").unwrap();
        assert!(all.contains("<a href=\"high-error-rate.html\">high-error-rate</a>"), "{all}");
        assert!(Runbooks::default().page("high-error-rate.html").is_none());
    }

    #[test]
    fn no_name_leaves_the_folder() {
        let runbooks = read("..");
        for name in ["../slo.html", "/etc/hostname.html", "..%2fslo.html", ".html", "", "README.md", "README"]
        {
            assert!(runbooks.page(name).is_none(), "{name}");
        }
        assert!(runbooks.page_of("../Slo").is_none());
    }
}
