//! The files that a configuration names: `kuzet config check` opens them.

use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");

/// A folder with a certificate and a key of those names, and what `kuzet config check` says there.
fn checked(certificate: &str, key: &str, prepare: impl FnOnce(&Path)) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |from: &str, to: &str| {
        let bytes = fs::read(Path::new(DATA).join(from)).expect("a file");
        fs::write(folder.path().join(to), bytes).expect("a copy");
    };
    copy(certificate, "chain.pem");
    copy(key, "key.pem");
    only_for_its_owner(&folder.path().join("key.pem"), true);
    let text = "[http.tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    fs::write(folder.path().join("kuzet.toml"), text).expect("a file");
    prepare(folder.path());
    kuzet(folder.path(), &["config", "check"])
}

fn only_for_its_owner(path: &Path, is_so: bool) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if is_so { 0o600 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    }
}

#[test]
fn a_certificate_with_its_key_is_right() {
    let (code, out, err) = checked("certificate.pem", "key.pem", |_| {});
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains("warning: "), "{out}");
}

#[test]
fn a_key_of_another_certificate_and_files_that_are_none_exit_64() {
    let refused = |certificate: &str, key: &str, prepare: &dyn Fn(&Path), expected: &str| {
        let (code, out, err) = checked(certificate, key, prepare);
        assert_eq!((code, out.as_str()), (Some(64), ""), "{err}");
        assert!(err.contains(expected), "{err}");
        assert!(!err.contains("BEGIN"), "{err}");
    };
    refused(
        "certificate.pem",
        "other-key.pem",
        &|_| {},
        "failed to use the certificate chain.pem with the key key.pem: ",
    );
    refused("key.pem", "key.pem", &|_| {}, "failed to read chain.pem: found no certificate in it");
    refused("certificate.pem", "certificate.pem", &|_| {}, "failed to read key.pem: ");
    let remove = |folder: &Path| fs::remove_file(folder.join("key.pem")).expect("removed");
    refused("certificate.pem", "key.pem", &remove, "failed to read key.pem: ");
    let properties = |folder: &Path| {
        fs::write(folder.join("kuzet.toml"), "[kafka]\nproperties_file = \"kafka.properties\"\n").expect("a file");
    };
    refused("certificate.pem", "key.pem", &properties, "failed to read the Kafka settings in kafka.properties");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_and_a_certificate_that_has_expired_are_warned_of() {
    let (code, out, _) = checked("expired-certificate.pem", "other-key.pem", |folder| {
        only_for_its_owner(&folder.join("key.pem"), false);
        fs::write(folder.join("kafka.properties"), "sasl.password=secret\n").expect("a file");
        let text = fs::read_to_string(folder.join("kuzet.toml")).expect("the file");
        let kafka = "[kafka]\nproperties_file = \"kafka.properties\"\n";
        fs::write(folder.join("kuzet.toml"), text + kafka).expect("a file");
        only_for_its_owner(&folder.join("kafka.properties"), false);
    });
    assert_eq!(code, Some(0), "{out}");
    for expected in [
        "warning: the certificate was valid until 2025-01-01T00:00:00Z: no client trusts it any more\n",
        "warning: key.pem holds secrets, and every user of this machine may read it (mode 0644)\n",
        "warning: kafka.properties holds secrets, and every user of this machine may read it (mode 0644)\n",
    ] {
        assert!(out.contains(expected), "{out}");
    }
}
