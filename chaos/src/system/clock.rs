//! The clock of a process, which can jump while the process runs. A library that is preloaded reads how far.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use glasshouse_drill::stack::ProcessSpec;

const LIBRARY: &str = include_str!("../../../api/tests/it/support/skewed_clock.c");

/// The clock of one process.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The seconds between this clock and the true one, which the process maps into its memory.
    offset: File,
}

impl Clock {
    /// Gives the process a clock that is right. `None` without a C compiler, or on another system than Linux.
    pub(super) fn give(folder: &Path, name: &str, spec: &mut ProcessSpec) -> Result<Option<Self>> {
        let library = folder.join("clock.so");
        if !cfg!(target_os = "linux") || (!library.exists() && !compile(&library)) {
            return Ok(None);
        }
        let path = folder.join(format!("clock-{name}"));
        let clock = Self { offset: File::create(&path)? };
        clock.jump_to(0)?;
        spec.environment.insert("LD_PRELOAD", library.display().to_string());
        spec.environment.insert("GLASSHOUSE_TEST_CLOCK_FILE", path.display().to_string());
        Ok(Some(clock))
    }

    /// Sets the clock this many seconds ahead of the true one, or behind if negative.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn jump_to(&self, seconds: i64) -> Result<()> {
        let bytes = seconds.to_ne_bytes();
        let written = self.offset.write_at(&bytes, 0).context("the clock cannot be set")?;
        ensure!(written == bytes.len(), "the clock cannot be set");
        Ok(())
    }
}

/// Compiles the library. Returns whether that worked.
fn compile(library: &Path) -> bool {
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(library).stdin(Stdio::piped());
    let Ok(mut compiler) = compiler.spawn() else { return false };
    // Without its standard input the compiler fails, which its status shows.
    let _ = compiler.stdin.take().map(|mut input| input.write_all(LIBRARY.as_bytes()));
    compiler.wait().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    /// The time that a process with this environment sees, in seconds.
    async fn time(spec: &ProcessSpec) -> u64 {
        let output = spec.run(Duration::from_secs(20)).await.unwrap().tail(1);
        output.trim().parse().unwrap()
    }

    #[tokio::test]
    async fn a_clock_jumps_by_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        // `date` reads the time as the service does, with clock_gettime.
        let mut spec = ProcessSpec::new("date", "date").argument("+%s");
        let Some(clock) = Clock::give(folder.path(), "date", &mut spec).unwrap() else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (offset, seen) in [(0, now), (3600, now + 3600), (-3600, now - 3600)] {
            clock.jump_to(offset).unwrap();
            assert!(time(&spec).await.abs_diff(seen) < 600, "{offset}");
        }
    }
}
