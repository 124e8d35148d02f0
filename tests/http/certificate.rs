//! The certificate replaced while the service runs.

use std::fs;

use super::*;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");

/// Asks as a client who trusts this certificate only; `None` where it is not the one that is presented.
fn ask_trusting(address: SocketAddr, certificate: &str, path: &str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(format!("{DATA}/{certificate}")).expect("a certificate");
    roots.add(trusted).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).expect("a connection"));
    stream.write_all(&request("GET", path, &[], b"")).ok()?;
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let answer = Answer::parse(&answer);
    assert_eq!(answer.status, 200);
    Some(String::from_utf8(answer.body).expect("text"))
}

/// Puts files in place of others as a renewal does: written beside them, then renamed.
fn put(folder: &Path, files: [(&str, &str); 2]) {
    for (from, to) in files {
        fs::copy(format!("{DATA}/{from}"), folder.join("new")).expect("a copy");
        fs::rename(folder.join("new"), folder.join(to)).expect("renamed");
    }
}

#[test]
fn a_certificate_that_was_renewed_is_used_and_one_that_is_wrong_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), [("certificate.pem", "chain.pem"), ("key.pem", "key.pem")]);
    let path = folder.path().display();
    let settings = format!("[http]\n[http.tls]\ncertificate = \"{path}/chain.pem\"\nkey = \"{path}/key.pem\"\n");
    let server = Server::start(&settings);
    let expiry = |certificate: &str| {
        let text = ask_trusting(server.address, certificate, "/metrics")?;
        let name = "kuzet_tls_certificate_expiry_timestamp_seconds{listener=\"http\"} ";
        text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
    };
    assert_eq!(expiry("certificate.pem").as_deref(), Some("4949075809"), "2126-10-30T23:16:49Z");
    assert_eq!(expiry("other-certificate.pem"), None);
    put(folder.path(), [("other-certificate.pem", "chain.pem"), ("other-key.pem", "key.pem")]);
    let ends = wait::until("the new certificate is used", || expiry("other-certificate.pem"));
    assert!(ends.parse::<u64>().is_ok_and(|ends| (2_000_000_000..4_000_000_000).contains(&ends)), "{ends}");

    // The key of the one before; and one that has expired: what is in use stays.
    for wrong in [
        [("other-certificate.pem", "chain.pem"), ("key.pem", "key.pem")],
        [("expired-certificate.pem", "chain.pem"), ("other-key.pem", "key.pem")],
    ] {
        put(folder.path(), wrong);
        thread::sleep(std::time::Duration::from_millis(1_500));
        assert_eq!(expiry("other-certificate.pem").as_ref(), Some(&ends));
    }
    put(folder.path(), [("certificate.pem", "chain.pem"), ("key.pem", "key.pem")]);
    wait::until("the first certificate is used again", || expiry("certificate.pem"));
}
