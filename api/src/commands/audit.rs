//! `audit`: proves the books of the database, and of the ledger of the payment gateway.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::ValueEnum;
use comfy_table::{Table, presets};
use glasshouse_infra::db::audit::{Acknowledgements, AuditInput, Auditor, CheckResult, Report};
use glasshouse_infra::db::{Database, DatabaseSettings};
use glasshouse_infra::payment_gateway::ledger::{Ledger, LedgerAddress};
use time::format_description::well_known::Rfc3339;

use crate::config::{StorageSettings, read_outbox_retention, read_service_role};
use crate::environment::{Reader, environment};
use crate::stdout;

/// What to compare the database with, and how to report it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// The ledger of the payment gateway: the URL of the gateway simulator, or a file with one charge as JSON on each line,
    /// in the order of their keys.
    #[arg(long, value_name = "URL|FILE")]
    ledger: Option<LedgerAddress>,
    /// A file with what was acknowledged to clients: one acknowledgement as JSON on each line (docs/reliability.md).
    #[arg(long, value_name = "FILE")]
    acknowledged: Option<PathBuf>,
    /// The age in seconds up to which a pending payment and an undelivered message are in flight, and no finding.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=MAX_GRACE))]
    grace: u64,
    /// The maximum number of findings of each check to list. All are counted.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    list: u32,
    /// The format of the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The format of the report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// The longest grace period: a year, in seconds.
const MAX_GRACE: u64 = 365 * 24 * 3600;
/// The exit code when the audit has findings.
const FINDINGS: u8 = 1;
/// The exit code when the audit cannot be made.
pub(crate) const NOT_MADE: u8 = 2;

/// The timeout of a statement over all rows of a tenant.
const STATEMENT_TIMEOUT: Duration = Duration::from_hours(1);

/// Makes the audit, and prints its report.
pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let mut env = Reader::new(environment);
    let storage = StorageSettings::read_as_owner(&mut env);
    let (service_role, outbox_retention) = (read_service_role(&mut env), read_outbox_retention(&mut env));
    let database = connect(env.finish(storage)?).await?;
    let input = AuditInput {
        grace: Duration::from_secs(args.grace),
        outbox_retention,
        listed: args.list,
        service_role,
        ledger: args.ledger.as_ref().map(Ledger::open).transpose()?,
        acknowledgements: args.acknowledged.as_deref().map(Acknowledgements::open).transpose()?,
    };
    let auditor = Auditor::new(database);
    let report = auditor.audit(input).await;
    auditor.close().await;
    let report = report?;
    let text = match args.format {
        Format::Table => table(&report)?,
        Format::Json => serde_json::to_string_pretty(&report)?,
    };
    stdout::print(&(text + "\n"))?;
    Ok(if report.findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Connects with one connection for the snapshot, and one for the present state. No statement is logged as slow: the log is
/// on standard output, as the report is.
async fn connect(settings: DatabaseSettings) -> anyhow::Result<Database> {
    if let Some(file) = settings.address.file() {
        ensure!(file.exists(), "there is no database {}", file.display());
    }
    let settings = DatabaseSettings {
        pool_size: 2,
        statement_timeout: STATEMENT_TIMEOUT,
        slow_query: STATEMENT_TIMEOUT,
        ..settings
    };
    super::connect(&settings).await
}

/// The report for people: a row for each check, and its findings below.
fn table(report: &Report) -> Result<String, time::error::Format> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["check", "result", "examined", "findings", "proves"]);
    for check in &report.checks {
        let result = check.result.as_str().replace('_', " ");
        let proves = check.reason.as_deref().unwrap_or(check.proves);
        let (examined, findings) = (check.examined.to_string(), check.findings.to_string());
        table.add_row([check.name, &result, &examined, &findings, proves]);
    }
    let mut lines = vec![table.to_string()];
    for check in report.checks.iter().filter(|check| check.findings > 0) {
        for finding in &check.listed {
            let tenant = finding.tenant.as_deref().unwrap_or("-");
            lines.push(format!("{}  {tenant}  {}  {}", check.name, finding.subject, finding.detail));
        }
        let unlisted = check.findings.saturating_sub(u64::try_from(check.listed.len()).unwrap_or(0));
        if unlisted > 0 {
            lines.push(format!("{}  and {unlisted} more", check.name));
        }
    }
    lines.extend(report.notes.iter().cloned());
    let not_made = report.checks.iter().filter(|check| check.result == CheckResult::NotMade).count();
    let snapshot_at = report.snapshot_at.format(&Rfc3339)?;
    lines.push(format!(
        "{} findings in {} checks of {} tenants; {not_made} checks were not made. {} at {}, in {:.1} s.",
        report.findings,
        report.checks.len() - not_made,
        report.tenants,
        report.database,
        snapshot_at,
        report.duration.as_secs_f64(),
    ));
    Ok(lines.join("\n"))
}
