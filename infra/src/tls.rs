//! The certificates that TLS needs. The clients read them when they connect; these checks report an unusable file before.
//!
//! All clients trust the certificate authorities of the system, or those in `SSL_CERT_FILE` and `SSL_CERT_DIR` instead.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or does not contain what is needed in the PEM format.
    #[error("{path}: {cause}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        cause: pem::Error,
    },
    /// A certificate is not valid.
    #[error("{path}: {cause}")]
    Certificate {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        cause: rustls::Error,
    },
    /// The certificate authorities of the system cannot be read.
    #[error("the certificate authorities of the system cannot be read (SSL_CERT_FILE, SSL_CERT_DIR): {0}")]
    System(rustls_native_certs::Error),
    /// There are no certificate authorities.
    #[error(
        "the system has no certificate authorities: set SSL_CERT_FILE to a file with yours, in the PEM format"
    )]
    NoSystemCertificates,
}

/// Checks that the system has certificate authorities that can be used.
///
/// # Errors
/// When they cannot be read, or there are none.
pub fn check_system_certificates() -> Result<(), CertificateError> {
    let mut found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.pop() {
        return Err(CertificateError::System(error));
    }
    let (added, _ignored) = RootCertStore::empty().add_parsable_certificates(found.certs);
    if added == 0 { Err(CertificateError::NoSystemCertificates) } else { Ok(()) }
}

/// Checks that a file contains at least one certificate, and only valid ones, in the PEM format.
///
/// # Errors
/// When it does not.
pub fn check_certificate_file(path: &Path) -> Result<(), CertificateError> {
    let in_file = |cause| CertificateError::File { path: path.to_owned(), cause };
    let certificates = CertificateDer::pem_file_iter(path).map_err(in_file)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(in_file)?;
    if certificates.is_empty() {
        return Err(in_file(pem::Error::NoItemsFound));
    }
    let mut roots = RootCertStore::empty();
    certificates.into_iter().try_for_each(|certificate| {
        roots.add(certificate).map_err(|cause| CertificateError::Certificate { path: path.to_owned(), cause })
    })
}

/// Checks that a file contains a private key in the PEM format.
///
/// # Errors
/// When it does not.
pub fn check_key_file(path: &Path) -> Result<(), CertificateError> {
    let key = PrivateKeyDer::from_pem_file(path);
    key.map(drop).map_err(|cause| CertificateError::File { path: path.to_owned(), cause })
}
