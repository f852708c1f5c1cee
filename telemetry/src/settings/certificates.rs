//! Certificate authorities that a receiver is verified with.

use std::fmt;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

/// Certificates of trusted authorities in the PEM format.
#[derive(Clone)]
pub struct TrustedCertificates {
    pem: Vec<u8>,
    count: usize,
}

impl TrustedCertificates {
    /// Reads the certificates in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or contains no certificate.
    pub fn read(path: &Path) -> Result<Self, pem::Error> {
        let pem = std::fs::read(path).map_err(pem::Error::Io)?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?;
        match certificates.len() {
            0 => Err(pem::Error::NoItemsFound),
            count => Ok(Self { pem, count }),
        }
    }

    /// The certificates in the PEM format.
    pub(crate) fn pem(&self) -> &[u8] {
        &self.pem
    }
}

impl fmt::Debug for TrustedCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedCertificates({})", self.count)
    }
}
