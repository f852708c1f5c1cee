//! A campaign: each target under libFuzzer, one after the other, and a table of the results.

mod report;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;

use self::report::{Report, Row};
use crate::Target;
use crate::targets::ALL;

/// Runs each target under libFuzzer, guided by coverage. What a target learned is kept in target/fuzzing, and the next campaign
/// begins with it. The table counts the executions of all of them.
#[derive(Debug, Parser)]
#[command(name = "fuzz")]
struct Arguments {
    /// How long each target runs, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Only the target with this name. May be repeated.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// The seed of the mutations.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Runs a target on one input again, such as the file of a finding.
    #[arg(long, value_name = "FILE")]
    repeat: Option<PathBuf>,
    /// Write the results of all targets to the section of this Markdown page between the marks `fuzz:begin` and `fuzz:end`.
    #[arg(long, conflicts_with = "targets")]
    markdown: Option<PathBuf>,
    /// Print the names of the targets, and exit.
    #[arg(long)]
    list: bool,
}

/// Names the target of a process that a campaign starts.
const VARIABLE: &str = "GLASSHOUSE_FUZZ_TARGET";
/// Where inputs are kept.
const FOLDER: &str = "target/fuzzing";
/// The longest input in bytes. Longer ones run slowly, and no parser has a rule about them that a shorter one does not reach.
const MAX_LENGTH: usize = 1024;
/// The time in seconds after which an input counts as a finding: a parser of a kilobyte takes microseconds.
const TIMEOUT: u64 = 20;

/// The target that this process runs under libFuzzer; `None` if it is to run a campaign.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "it is no configuration, but how a campaign starts its processes"
)]
pub fn selected_target() -> Option<&'static Target> {
    let name = std::env::var(VARIABLE).ok()?;
    ALL.iter().find(|target| target.name == name)
}

/// Runs a campaign, as the command line says. Returns the exit code: 0 if nothing was found, 1 if something was, and 2 if it could
/// not run.
#[must_use]
pub fn run_from_command_line() -> i32 {
    match run(&Arguments::parse()) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            print(&format!("error: {error:#}"));
            2
        }
    }
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.list {
        ALL.iter().for_each(|target| print(target.name));
        return Ok(true);
    }
    let targets = selected(&arguments.targets)?;
    if let Some(file) = &arguments.repeat {
        return repeat(&targets, file);
    }
    let mut report = Report::default();
    for target in targets {
        let row = fuzz(target, arguments)?;
        print(&format!(
            "{}: {} executions, {} inputs, {} edges, {} findings",
            target.name, row.executions, row.corpus, row.edges, row.findings
        ));
        report.add(target.name, row);
    }
    print(&report.table());
    if let Some(page) = &arguments.markdown {
        report.write_to(page)?;
    }
    Ok(report.is_clean())
}

fn selected(names: &[String]) -> Result<Vec<&'static Target>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| {
        let target = ALL.iter().find(|target| target.name == name);
        target.with_context(|| format!("there is no target {name}; --list prints the names"))
    };
    names.iter().map(find).collect()
}

/// Runs a target on one input.
fn repeat(targets: &[&'static Target], file: &Path) -> Result<bool> {
    let [target] = targets else { bail!("name the one target of the input: --target NAME") };
    let status = libfuzzer(target)?.arg(file).status().context("cannot start the target")?;
    Ok(status.success())
}

/// Runs a target under libFuzzer until its time is over, or something is found.
fn fuzz(target: &'static Target, arguments: &Arguments) -> Result<Row> {
    let folder = Path::new(FOLDER).join(target.name);
    let corpus = folder.join("corpus");
    let seeds = folder.join("seeds");
    fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
    write_seeds(target, &seeds)?;
    let dictionary = folder.join("dictionary");
    fs::write(&dictionary, libfuzzer_dictionary(target)).with_context(|| dictionary.display().to_string())?;

    let started = Instant::now();
    let output = libfuzzer(target)?
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-seed={}", arguments.seed))
        .arg(format!("-max_len={MAX_LENGTH}"))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-dict={}", dictionary.display()))
        .arg(format!("-artifact_prefix={}/finding-", folder.display()))
        .arg("-print_final_stats=1")
        .args([&corpus, &seeds])
        .output()
        .context("cannot start the target")?;
    let log = String::from_utf8_lossy(&output.stderr);
    let findings = u64::from(!output.status.success());
    if findings > 0 {
        print(&finding(target, &log));
    }
    let row = Row { findings, seconds: started.elapsed().as_secs_f64(), ..Row::from_log(&log) };
    with_earlier_runs(row, &folder.join("totals"))
}

/// Adds the executions and the time of all earlier runs, which the file has, and writes the sums to it.
fn with_earlier_runs(row: Row, file: &Path) -> Result<Row> {
    let earlier = if file.exists() { fs::read_to_string(file)? } else { String::new() };
    let mut numbers = earlier.split_whitespace();
    let executions = numbers.next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    let seconds = numbers.next().and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
    let row = Row { executions: row.executions + executions, seconds: row.seconds + seconds, ..row };
    fs::write(file, format!("{} {}\n", row.executions, row.seconds))
        .with_context(|| file.display().to_string())?;
    Ok(row)
}

/// This program as the process of a target.
fn libfuzzer(target: &Target) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.env(VARIABLE, target.name);
    Ok(command)
}

fn write_seeds(target: &Target, folder: &Path) -> Result<()> {
    // Seeds of an earlier version would stay.
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (number, seed) in target.seeds.iter().enumerate() {
        let file = folder.join(number.to_string());
        fs::write(&file, seed).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// The dictionary in the format of libFuzzer: a quoted text on each line, with its other bytes as `\xNN`.
fn libfuzzer_dictionary(target: &Target) -> String {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | ..b' ' | 0x7f.. => format!("\\x{byte:02x}"),
        _ => char::from(*byte).to_string(),
    };
    let line = |part: &&str| format!("\"{}\"\n", part.as_bytes().iter().map(escaped).collect::<String>());
    target.dictionary.iter().map(line).collect()
}

/// What libFuzzer says about a finding: from the message of the panic to the file with the input.
fn finding(target: &Target, log: &str) -> String {
    let start = log.find("thread '").or_else(|| log.find("==")).unwrap_or_default();
    format!("{}: a finding\n{}", target.name, &log[start..])
}

/// Prints a line. A closed standard output is no reason to stop.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_escapes_what_is_no_plain_text() {
        let target = Target { name: "x", seeds: &[], dictionary: &["a=1", "\"\\\n", "é"], run: |_| {} };
        assert_eq!(libfuzzer_dictionary(&target), "\"a=1\"\n\"\\x22\\x5c\\x0a\"\n\"\\xc3\\xa9\"\n");
    }

    #[test]
    fn a_campaign_goes_on_from_the_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let row = Row { executions: 10, seconds: 1.5, corpus: 3, ..Row::default() };
        for campaigns in 1..=3 {
            let sum = with_earlier_runs(row, &folder.path().join("totals")).unwrap();
            assert_eq!(
                (sum.executions, sum.seconds, sum.corpus),
                (10 * campaigns, 1.5 * campaigns as f64, 3)
            );
        }
    }

    #[test]
    fn names_select_targets_and_an_unknown_one_is_an_error() {
        assert_eq!(selected(&[]).unwrap().len(), ALL.len());
        assert_eq!(selected(&["cursor".to_owned()]).unwrap()[0].name, "cursor");
        assert!(selected(&["cursors".to_owned()]).unwrap_err().to_string().contains("--list"));
    }
}
