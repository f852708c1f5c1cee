//! A certificate authority, and servers that it certifies: TLS in front of servers without.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use url::Url;

/// A certificate authority of a test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // Two authorities have two names: otherwise the certificate of one would be checked with the key of the other.
        let name = format!("authority {}", uuid::Uuid::now_v7());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let (certificate, folder) = (params.self_signed(&key).unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    /// The file with its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Starts TLS in front of the server of a URL, with a certificate for the host `name`. Returns the URL of `localhost` with
    /// its port, and the scheme `scheme`.
    pub(crate) async fn protect(&self, url: &str, name: &str, scheme: &str) -> Url {
        let url = Url::parse(url).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let (acceptor, is_postgres) =
            (TlsAcceptor::from(Arc::new(config)), url.scheme().starts_with("postgres"));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, acceptor.clone(), is_postgres, upstream.clone()));
            }
        });
        at_localhost(&url, port, scheme)
    }
}

/// The URL with another scheme, host and port. `Url::set_scheme` refuses most changes.
fn at_localhost(url: &Url, port: u16, scheme: &str) -> Url {
    let (_, rest) = url.as_str().split_once(':').unwrap();
    let mut url = Url::parse(&format!("{scheme}:{rest}")).unwrap();
    url.set_host(Some("localhost")).unwrap();
    url.set_port(Some(port)).unwrap();
    url
}

async fn serve(
    mut client: TcpStream,
    acceptor: TlsAcceptor,
    is_postgres: bool,
    upstream: String,
) -> std::io::Result<()> {
    if is_postgres {
        // The SSLRequest of a client, and the response that the server supports TLS.
        client.read_exact(&mut [0; 8]).await?;
        client.write_all(b"S").await?;
    }
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(upstream).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}
