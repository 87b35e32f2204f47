//! Pairs that can be used and pairs that cannot, and one that replaces another while connections are open.

use std::os::unix::fs::symlink;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// A folder with a pair, as a link leads to it.
struct Pair {
    folder: TempDir,
}

fn made() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

impl Pair {
    fn new() -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        let pair = Self { folder };
        let (certificate, key) = made();
        pair.write(&certificate, &key);
        (pair, certificate)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, certificate: &str, key: &str) {
        fs::write(self.path("certificate"), certificate).unwrap();
        fs::write(self.path("key"), key).unwrap();
    }

    fn read(&self) -> Result<Arc<Certificates>, BadPair> {
        Certificates::read(&self.path("certificate"), &self.path("key"))
    }
}

/// A connection of a client that believes this certificate.
async fn connect(
    certificates: &Certificates,
    believed: &str,
) -> io::Result<(TlsStream<DuplexStream>, impl Sized)> {
    let (ours, theirs) = tokio::io::duplex(16 * 1024);
    let serving = certificates.acceptor().accept(ours);
    let serving = tokio::spawn(async move {
        let mut stream = serving.await?;
        let mut byte = [0];
        while stream.read(&mut byte).await? > 0 {
            stream.write_all(&byte).await?;
            stream.flush().await?;
        }
        io::Result::Ok(())
    });
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(believed.as_bytes()).unwrap())
        .unwrap();
    let mut client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), PROTOCOL.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, theirs)
        .await?;
    Ok((stream, serving))
}

async fn echoes(stream: &mut TlsStream<DuplexStream>) {
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
}

#[test]
fn a_pair_that_cannot_be_used_is_named() {
    let (pair, certificate) = Pair::new();
    let (other, key) = made();
    for (certificate, key, expected) in [
        ("", key.as_str(), "certificate has no certificate in it"),
        (&certificate, "", "key has no private key in it"),
        (&certificate, &other, "key has no private key in it"),
        (
            "-----BEGIN CERTIFICATE-----\nx",
            &key,
            "certificate is not valid PEM",
        ),
        (&certificate, &key, "cannot be used together"),
    ] {
        pair.write(certificate, key);
        let told = pair.read().err().unwrap().to_string();
        assert!(told.contains(expected), "{told}");
    }
    fs::remove_file(pair.path("key")).unwrap();
    let told = pair.read().err().unwrap().to_string();
    assert!(told.ends_with("key cannot be read"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn http_1_is_what_is_spoken() {
    let (pair, certificate) = Pair::new();
    let certificates = pair.read().unwrap();
    let (stream, _serving) = connect(&certificates, &certificate).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(PROTOCOL));
}

#[tokio::test]
async fn a_changed_pair_is_shown_and_a_bad_one_is_not() {
    let (pair, first) = Pair::new();
    let (next, second) = Pair::new();
    let link = pair.path("now");
    symlink(pair.folder.path(), &link).unwrap();
    let certificates = Certificates::read(&link.join("certificate"), &link.join("key")).unwrap();
    let (mut open, _serving) = connect(&certificates, &first).await.unwrap();
    let keeping = tokio::spawn(Arc::clone(&certificates).keep_current());
    // The link leads elsewhere at once, as mounted secrets do.
    let elsewhere = pair.path("next");
    symlink(next.folder.path(), &elsewhere).unwrap();
    fs::rename(&elsewhere, &link).unwrap();
    while connect(&certificates, &second).await.is_err() {
        tokio::time::sleep(CHECK_EVERY / 10).await;
    }
    assert!(connect(&certificates, &first).await.is_err());
    // Who had a connection keeps it.
    echoes(&mut open).await;
    keeping.abort();
    // A key of another certificate.
    next.write(&second, &made().1);
    certificates.renew().await;
    assert!(connect(&certificates, &second).await.is_ok());
}
