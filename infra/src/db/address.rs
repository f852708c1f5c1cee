//! The address of the database, parsed by the library that connects with it: a URL that is accepted here can be used.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use url::Url;

use crate::tls::{self, CertificateError};

/// The parsed URL of a database. Its `Debug` form contains no password.
#[derive(Clone)]
pub struct DatabaseAddress {
    url: SecretString,
    pub(super) options: DriverOptions,
}

/// How the driver connects.
#[derive(Clone)]
pub(super) enum DriverOptions {
    Postgres(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

/// A URL is not the address of a database. The message repeats no part of the URL that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDatabaseAddress {
    /// Another kind of URL.
    #[error("must begin with postgres:// (or sqlite:// for a trial on one machine)")]
    Scheme,
    /// Not a URL.
    #[error("is not a URL: {0} (in a password, write characters other than letters, digits, - and _ as %XX)")]
    Syntax(#[from] url::ParseError),
    /// A parameter that the driver would ignore, such as a misspelled `sslmode`.
    #[error("has the unknown parameter {0:?}")]
    UnknownParameter(String),
    /// The value of a parameter.
    #[error("{0}")]
    Driver(sqlx::Error),
    /// Each connection would have a database of its own.
    #[error("must name a file: a database in memory cannot be shared by several connections")]
    InMemory,
    /// The certificate would not be used.
    #[error("has an sslrootcert, which has no effect unless sslmode is verify-full (or verify-ca)")]
    UnusedCertificate,
    /// One of the two is missing.
    #[error("needs both sslcert and sslkey, or neither")]
    IncompleteIdentity,
    /// The certificates of the server's authority, or of the client, cannot be used.
    #[error("cannot verify the server, or log in to it: {0}")]
    Certificate(#[from] CertificateError),
}

/// The parameters of a Postgres URL that the driver accepts, each with its other spellings.
const PARAMETERS: [&[&str]; 13] = [
    &["sslmode", "ssl-mode"],
    &["sslrootcert", "ssl-root-cert", "ssl-ca"],
    &["sslcert", "ssl-cert"],
    &["sslkey", "ssl-key"],
    &["statement-cache-capacity"],
    &["host"],
    &["hostaddr"],
    &["port"],
    &["dbname"],
    &["user"],
    &["password"],
    &["application_name"],
    &["options"],
];

impl FromStr for DatabaseAddress {
    type Err = InvalidDatabaseAddress;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseAddress> {
        let options = match text.split_once(':') {
            Some(("sqlite", _)) => DriverOptions::Sqlite(Box::new(sqlite_options(text)?)),
            Some(("postgres" | "postgresql", _)) => {
                DriverOptions::Postgres(Box::new(postgres_options(text)?))
            }
            _ => return Err(InvalidDatabaseAddress::Scheme),
        };
        Ok(Self { url: SecretString::from(text), options })
    }
}

impl DatabaseAddress {
    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// The login role; `None` for SQLite.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match &self.options {
            DriverOptions::Sqlite(_) => None,
            DriverOptions::Postgres(options) => Some(options.get_username()),
        }
    }

    /// The file of a SQLite database; `None` for Postgres.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.options {
            DriverOptions::Sqlite(options) => Some(options.get_filename()),
            DriverOptions::Postgres(_) => None,
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.options {
            DriverOptions::Sqlite(options) => {
                write!(f, "DatabaseAddress({})", options.get_filename().display())
            }
            DriverOptions::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                let (host, port) = (options.get_host(), options.get_port());
                write!(f, "DatabaseAddress({host}:{port}/{database}, {:?})", options.get_ssl_mode())
            }
        }
    }
}

fn sqlite_options(text: &str) -> Result<SqliteConnectOptions, InvalidDatabaseAddress> {
    if text.contains(":memory:") || text.contains("mode=memory") {
        return Err(InvalidDatabaseAddress::InMemory);
    }
    text.parse().map_err(InvalidDatabaseAddress::Driver)
}

fn postgres_options(text: &str) -> Result<PgConnectOptions, InvalidDatabaseAddress> {
    let url = Url::parse(text)?;
    let is_known = |name: &str| {
        name.starts_with("options[") || PARAMETERS.iter().flat_map(|names| *names).any(|known| *known == name)
    };
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| !is_known(name)) {
        return Err(InvalidDatabaseAddress::UnknownParameter(name.into_owned()));
    }
    let options: PgConnectOptions = text.parse().map_err(InvalidDatabaseAddress::Driver)?;
    check_certificates(&url, options.get_ssl_mode())?;
    // PgBouncer rejects this parameter, which concerns floating-point numbers as text: there are none.
    Ok(options.extra_float_digits(None))
}

/// Checks the certificates that the driver reads when it connects.
fn check_certificates(url: &Url, mode: PgSslMode) -> Result<(), InvalidDatabaseAddress> {
    let parameter = |names: &[&str]| {
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| names.contains(&&**name)).map(|(_, value)| value.into_owned())
    };
    let [_, root, certificate, key, ..] = PARAMETERS;
    let is_verified = matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    match parameter(root) {
        Some(_) if !is_verified => return Err(InvalidDatabaseAddress::UnusedCertificate),
        Some(file) => tls::check_certificate_file(Path::new(&file))?,
        None if is_verified => tls::check_system_certificates()?,
        None => {}
    }
    match (parameter(certificate), parameter(key)) {
        (Some(certificate), Some(key)) => {
            tls::check_certificate_file(Path::new(&certificate))?;
            tls::check_key_file(Path::new(&key))?;
        }
        (None, None) => {}
        _ => return Err(InvalidDatabaseAddress::IncompleteIdentity),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        url.parse::<DatabaseAddress>().unwrap_err().to_string()
    }

    #[test]
    fn addresses_are_parsed_by_their_driver() {
        for url in [
            "postgres://app:p%40ss@db:5432/shop?sslmode=require",
            "postgresql://db/shop?application_name=x&statement-cache-capacity=0",
            "postgres:///shop?host=/run/postgresql&options[search_path]=public",
            "sqlite://data/shop.sqlite3",
            "sqlite:shop.sqlite3?mode=rwc",
        ] {
            assert_eq!(url.parse::<DatabaseAddress>().map(|address| address.url().to_owned()).unwrap(), url);
        }
    }

    #[test]
    fn a_parameter_that_would_have_no_effect_is_rejected() {
        assert_eq!(error("postgres://db/shop?sslmod=verify-full"), r#"has the unknown parameter "sslmod""#);
        assert!(error("postgres://db/shop?sslmode=verify_full").contains("ssl_mode"));
        assert!(error("postgres://db/shop?sslrootcert=/ca.pem").contains("no effect"));
        assert!(error("postgres://db/shop?sslmode=require&sslrootcert=/ca.pem").contains("no effect"));
        assert!(error("postgres://db/shop?sslcert=/client.pem").contains("sslcert and sslkey"));
    }

    #[test]
    fn a_missing_certificate_is_reported_before_a_connection_needs_it() {
        let missing = error("postgres://db/shop?sslmode=verify-full&sslrootcert=/no/ca.pem");
        assert!(missing.contains("/no/ca.pem"), "{missing}");
    }

    #[test]
    fn no_error_and_no_debug_form_repeats_the_password() {
        let address: DatabaseAddress = "postgres://app:hunter2@db/shop?password=hunter3".parse().unwrap();
        assert_eq!(format!("{address:?}"), "DatabaseAddress(db:5432/shop, Prefer)");
        for url in ["postgres://app:hunter2@db:port/shop", "mysql://app:hunter2@db/shop", "hunter2"] {
            assert!(!error(url).contains("hunter"), "{}", error(url));
        }
    }

    #[test]
    fn a_database_in_memory_is_rejected() {
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://shop?mode=memory"] {
            assert!(error(url).contains("must name a file"), "{url}");
        }
    }
}
