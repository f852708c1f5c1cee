//! The ledger of the payment gateway: all of its charges, in the order of their keys. `glasshouse audit` reads it from the
//! gateway simulator, or from a file with a [`Charge`] as JSON on each line.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::wire::{Charge, LedgerPage};

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerAddress {
    /// The gateway simulator, such as `http://gateway:8090`.
    Gateway(Url),
    /// A file.
    File(PathBuf),
}

impl FromStr for LedgerAddress {
    type Err = Infallible;

    /// A text that is not an HTTP URL is the path of a file.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::Gateway(url),
            _ => Self::File(PathBuf::from(text)),
        })
    }
}

/// Reads the ledger, a page at a time.
#[derive(Debug)]
pub struct Ledger {
    source: Source,
    read: VecDeque<Charge>,
    /// The key of the last charge that was read.
    last: Option<String>,
    /// The number of charges that were read.
    charges: u64,
}

#[derive(Debug)]
enum Source {
    Gateway { http: reqwest::Client, url: Url, is_complete: bool },
    File(BufReader<File>),
}

/// Why the ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The gateway does not respond, or not with a page of its ledger.
    #[error("cannot read the ledger of the gateway: {0}")]
    Gateway(#[from] reqwest::Error),
    /// The gateway has deleted charges.
    #[error("the ledger is not complete: the gateway simulator has deleted its {0} oldest charges")]
    Incomplete(u64),
    /// The file cannot be read.
    #[error("cannot read the file of the ledger: {0}")]
    File(#[from] io::Error),
    /// A line is not a charge.
    #[error("charge {number} of the ledger is not a charge as JSON: {cause}")]
    NotACharge {
        /// The number of the charge, from 1.
        number: u64,
        /// What is wrong.
        cause: serde_json::Error,
    },
    /// The charges are not in the order of their keys.
    #[error(
        "charge {number} of the ledger comes before the one above it: sort the file (LC_ALL=C sort FILE)"
    )]
    Unsorted {
        /// The number of the charge, from 1.
        number: u64,
    },
}

/// The timeout of a page.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The number of charges of a page.
const PAGE: usize = 1000;

impl Ledger {
    /// Opens a ledger.
    ///
    /// # Errors
    /// When the file cannot be opened, or the HTTP client not be created.
    pub fn open(address: &LedgerAddress) -> Result<Self, LedgerError> {
        let source = match address {
            LedgerAddress::Gateway(url) => {
                let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
                Source::Gateway { http, url: url.clone(), is_complete: false }
            }
            LedgerAddress::File(path) => Source::File(BufReader::new(File::open(path)?)),
        };
        Ok(Self { source, read: VecDeque::new(), last: None, charges: 0 })
    }

    /// The next charge; `None` at the end. A file may have several charges with one key.
    ///
    /// # Errors
    /// When the ledger cannot be read, is not complete, or not sorted.
    pub async fn next(&mut self) -> Result<Option<Charge>, LedgerError> {
        if self.read.is_empty() {
            self.read = self.page().await?;
        }
        let Some(charge) = self.read.pop_front() else { return Ok(None) };
        self.charges += 1;
        if self.last.as_ref().is_some_and(|last| *last > charge.key) {
            return Err(LedgerError::Unsorted { number: self.charges });
        }
        self.last = Some(charge.key.clone());
        Ok(Some(charge))
    }

    async fn page(&mut self) -> Result<VecDeque<Charge>, LedgerError> {
        match &mut self.source {
            Source::Gateway { is_complete: true, .. } => Ok(VecDeque::new()),
            Source::Gateway { http, url, is_complete } => {
                let mut url = url.clone();
                url.set_path("/v1/ledger");
                let after = self.last.as_deref().unwrap_or_default();
                url.query_pairs_mut().append_pair("after", after).append_pair("limit", &PAGE.to_string());
                let response = http.get(url).send().await?.error_for_status()?;
                let page: LedgerPage = response.json().await?;
                if page.evicted > 0 {
                    return Err(LedgerError::Incomplete(page.evicted));
                }
                *is_complete = page.charges.len() < PAGE;
                Ok(page.charges.into())
            }
            Source::File(lines) => lines_of(lines, self.charges),
        }
    }
}

/// The charges on the next lines of a file, after `before` others.
fn lines_of(file: &mut BufReader<File>, before: u64) -> Result<VecDeque<Charge>, LedgerError> {
    let mut charges = VecDeque::new();
    for line in file.lines().take(PAGE) {
        let number = before + u64::try_from(charges.len()).unwrap_or(0) + 1;
        let charge =
            serde_json::from_str(&line?).map_err(|cause| LedgerError::NotACharge { number, cause })?;
        charges.push_back(charge);
    }
    Ok(charges)
}
