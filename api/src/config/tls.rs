//! Settings of TLS: the certificate authorities that all clients trust.
//!
//! The libraries of the clients read these variables themselves. What is wrong with them is reported with all other errors.

use std::path::Path;

use glasshouse_infra::tls::{check_certificate_file, check_system_certificates};
use url::Url;

use crate::environment::Reader;

/// Checks the variables that replace the certificate authorities of the system.
pub(super) fn check_authorities(env: &mut Reader) {
    if let Some(file) = env.verbatim("SSL_CERT_FILE")
        && let Err(error) = check_certificate_file(Path::new(&file))
    {
        env.wrong("SSL_CERT_FILE", &format!("must be a file with certificates in the PEM format: {error}"));
    }
    if let Some(folders) = env.verbatim("SSL_CERT_DIR") {
        for folder in std::env::split_paths(&folders).filter(|folder| !folder.is_dir()) {
            env.wrong("SSL_CERT_DIR", &format!("{} is not a folder", folder.display()));
        }
    }
}

/// Checks that the system has certificate authorities, if a URL needs them.
pub(super) fn check_url(env: &mut Reader, name: &'static str, url: &Url) {
    if url.scheme() == "https"
        && let Err(error) = check_system_certificates()
    {
        env.wrong(name, &format!("cannot be verified: {error}"));
    }
}
