//! The server's certificate: TLS by it, and its replacement while the service runs.

use std::fs;

use super::*;
use kuzet::adapters::tls::Certificate;
use kuzet::operation::Time;
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
fn a_certificate_that_was_renewed_is_used() {
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

    put(folder.path(), [("certificate.pem", "chain.pem"), ("key.pem", "key.pem")]);
    wait::until("the first certificate is used again", || expiry("certificate.pem"));
}

/// The key of another one, and one that has expired: what is in use stays.
#[test]
fn a_renewed_certificate_that_is_wrong_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), [("other-certificate.pem", "chain.pem"), ("other-key.pem", "key.pem")]);
    let used = Certificate::start(&folder.path().join("chain.pem"), &folder.path().join("key.pem")).expect("a pair");
    let before = used.validity().expect("it says until when");
    let now = Time::parse_rfc3339("2026-12-01T00:00:00Z").expect("a time");
    for wrong in [
        [("other-certificate.pem", "chain.pem"), ("key.pem", "key.pem")],
        [("expired-certificate.pem", "chain.pem"), ("other-key.pem", "key.pem")],
    ] {
        put(folder.path(), wrong);
        used.reload(now).expect_err("it is wrong");
        assert_eq!(used.validity(), Some(before));
    }
    put(folder.path(), [("certificate.pem", "chain.pem"), ("key.pem", "key.pem")]);
    assert_ne!(used.reload(now).expect("a pair"), Some(before));
}

#[test]
fn a_certificate_makes_it_tls() {
    let server = Server::start(&format!(
        "[http]\n[http.tls]\ncertificate = \"{DATA}/certificate.pem\"\nkey = \"{DATA}/key.pem\"\n"
    ));
    let plain = raw(server.address, &request("GET", "/healthz", &[], b""));
    assert!(!plain.starts_with(b"HTTP/1.1 200"), "plain text is not answered");
    let health = ask_trusting(server.address, "certificate.pem", "/healthz").expect("it is trusted");
    assert!(health.contains("\"alive\":true"), "{health}");
}
