//! Mesh certificates for development and tests: an authority and one leaf for each process.
//!
//! A leaf names every service of its process as `SERVICE.stoa.internal`; keys are Ed25519, because the same key
//! signs the internal scope. In production an operator's authority issues certificates of the same shape.

use crate::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ED25519,
};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The domain below which every service of the mesh has its name.
pub const DOMAIN: &str = "stoa.internal";

const AUTHORITY_YEARS: i16 = 5;
const LEAF_YEARS: i16 = 1;
/// Names that stand for no service: system scopes begin with them.
const RESERVED: [&str; 2] = ["kernel", "platform"];

/// A certificate that could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A group of services that no certificate can be made for.
    #[error(
        "{0:?} cannot name a service in a certificate: lower-case letters, digits and hyphens, not kernel or platform"
    )]
    Name(String),
    /// A certificate for no service.
    #[error("a certificate needs at least one service")]
    Empty,
    /// The library refused.
    #[error("making a mesh certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file could not be read or written.
    #[error("{what} {path}: {why}")]
    File {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
}

/// A certificate authority with its key.
pub struct Authority {
    certificate: String,
    key: Zeroizing<String>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The certificate, which every process of the mesh trusts (PEM).
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.certificate
    }
}

/// A leaf certificate with its key.
pub struct Issued {
    /// The certificate (PEM).
    pub certificate: String,
    /// Its Ed25519 key (PKCS#8 PEM).
    pub key: Zeroizing<String>,
}

/// The DNS name of a service in the mesh.
#[must_use]
pub fn dns_name(service: &str) -> String {
    format!("{service}.{DOMAIN}")
}

/// A new authority, which can sign only names below [`DOMAIN`] (RFC 5280, section 4.2.1.10).
///
/// # Errors
/// [`CertificateError::Make`].
pub fn generate_ca() -> Result<Authority, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = dated(AUTHORITY_YEARS);
    params
        .distinguished_name
        .push(DnType::CommonName, "Stoa mesh authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(DOMAIN.to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let certificate = params.self_signed(&key)?.pem();
    let pem = Zeroizing::new(key.serialize_pem());
    Ok(Authority {
        certificate,
        key: pem,
        issuer: Issuer::new(params, key),
    })
}

/// A certificate for a process that runs `services`, valid for a year as server and as client.
///
/// # Errors
/// [`CertificateError::Name`] for what is not a service's name, [`CertificateError::Empty`] for none.
pub fn issue(authority: &Authority, services: &[&str]) -> Result<Issued, CertificateError> {
    let first = services.first().ok_or(CertificateError::Empty)?;
    if let Some(bad) = services.iter().find(|name| !is_service_name(name)) {
        return Err(CertificateError::Name((*bad).to_owned()));
    }
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = dated(LEAF_YEARS);
    params
        .distinguished_name
        .push(DnType::CommonName, dns_name(first));
    for service in services {
        params
            .subject_alt_names
            .push(rcgen::SanType::DnsName(dns_name(service).try_into()?));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    Ok(Issued {
        certificate: params.signed_by(&key, &authority.issuer)?.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

/// Whether a certificate may name `service`.
pub(super) fn is_service_name(service: &str) -> bool {
    let label = service
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    label && !service.is_empty() && service.len() <= 63 && !RESERVED.contains(&service)
}

fn dated(years: i16) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let today = Clock::system().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        let number = |n: i8| u8::try_from(n).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), number(date.month()), number(date.day()))
    };
    // From yesterday: another machine's clock may be behind.
    params.not_before = day(today.yesterday().unwrap_or(today));
    params.not_after = day(today.saturating_add(jiff::Span::new().years(years)));
    params
}

/// Writes `ca.pem`, `ca-key.pem` and, for each group of services, `GROUP.pem` and `GROUP-key.pem`, where `GROUP` is
/// its services joined by `-`. An authority that is there already signs again; keys are readable to their owner only.
///
/// # Errors
/// [`CertificateError`] with the file.
pub fn write_development_set(dir: &Path, groups: &[Vec<&str>]) -> Result<(), CertificateError> {
    std::fs::create_dir_all(dir).map_err(failed("creating the folder", dir))?;
    let authority = match read_ca(dir)? {
        Some(authority) => authority,
        None => {
            let authority = generate_ca()?;
            write(&dir.join("ca-key.pem"), &authority.key, 0o600)?;
            write(&dir.join("ca.pem"), &authority.certificate, 0o644)?;
            authority
        }
    };
    for services in groups {
        let issued = issue(&authority, services)?;
        let group = services.join("-");
        write(&dir.join(format!("{group}-key.pem")), &issued.key, 0o600)?;
        write(&dir.join(format!("{group}.pem")), &issued.certificate, 0o644)?;
    }
    Ok(())
}

/// The authority in `dir`; `None` when there is none.
fn read_ca(dir: &Path) -> Result<Option<Authority>, CertificateError> {
    let (path, key_path) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
    if !path.exists() || !key_path.exists() {
        return Ok(None);
    }
    let certificate = std::fs::read_to_string(&path).map_err(failed("reading", &path))?;
    let key = Zeroizing::new(std::fs::read_to_string(&key_path).map_err(failed("reading", &key_path))?);
    let issuer = Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&key)?)?;
    Ok(Some(Authority {
        certificate,
        key,
        issuer,
    }))
}

/// Writes beside the file and renames, so that the mode holds from the first byte and no reader sees half a file.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let partial = path.with_extension("pem.partial");
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(failed("removing", &partial))?;
    }
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&partial)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(failed("writing", &partial))?;
    std::fs::rename(&partial, path).map_err(failed("writing", path))
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> CertificateError + 'a {
    move |why| CertificateError::File {
        what,
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    // covers: SC-01
    #[test]
    fn keys_are_for_their_owner_and_the_authority_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        write_development_set(dir.path(), &[vec!["gateway"], vec!["identity", "access"]]).unwrap();
        let ca = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
        for key in ["ca-key.pem", "gateway-key.pem", "identity-access-key.pem"] {
            let mode = std::fs::metadata(dir.path().join(key))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
        write_development_set(dir.path(), &[vec!["customer"]]).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("ca.pem")).unwrap(), ca);
        assert!(dir.path().join("customer.pem").exists());
    }

    #[test]
    fn no_certificate_for_what_is_not_a_service() {
        let ca = generate_ca().unwrap();
        for name in ["", "kernel", "platform", "*", "a.b", "Customer", "evil.example"] {
            assert!(
                matches!(issue(&ca, &[name]), Err(CertificateError::Name(_))),
                "{name}"
            );
        }
        assert!(matches!(issue(&ca, &[]), Err(CertificateError::Empty)));
    }
}
