//! The build of the program.

/// The build of the program that runs, known when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The name of the program, such as `env!("CARGO_PKG_NAME")`: the instrumentation scope of spans and log records,
    /// and the first part of [`release`](Self::release).
    pub name: &'static str,
    /// Its version, such as `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// The commit that it was built from, such as `option_env!("GIT_COMMIT")`.
    pub commit: Option<&'static str>,
}

impl Build {
    /// `NAME@VERSION+COMMIT`, which is Sentry's form of a release.
    #[must_use]
    pub fn release(&self) -> String {
        let commit = self.commit.map(|commit| format!("+{commit}")).unwrap_or_default();
        format!("{}@{}{commit}", self.name, self.version)
    }
}
