//! Mutual TLS between processes: TLS 1.3 only, both sides certified by the mesh's own authority.

use super::certificates::{DOMAIN, dns_name, is_service_name};
use crate::Clock;
use crate::config::{ConfigError, MeshConfig};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

const CA: &str = "mesh.ca_file";
const CERT: &str = "mesh.cert_file";
const KEY: &str = "mesh.key_file";

/// This process's identity in the mesh, and whom it trusts. Cheap to clone.
#[derive(Clone)]
pub struct MeshTls {
    inner: Arc<Inner>,
    clock: Clock,
}

struct Inner {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    key: Ed25519KeyPair,
    services: Vec<Box<str>>,
}

impl MeshTls {
    /// Reads the files that `[mesh]` names.
    ///
    /// # Errors
    /// [`ConfigError`] with the key: a file is missing, is not what the key asks for, or does not fit the others.
    pub fn load(config: &MeshConfig) -> Result<Self, ConfigError> {
        let ca = read(CA, config.ca_file.as_deref())?;
        let certificate = read(CERT, config.cert_file.as_deref())?;
        let key = read(KEY, config.key_file.as_deref())?;
        Self::from_pem(&ca, &certificate, &key)
    }

    /// As [`MeshTls::load`], from PEM texts.
    ///
    /// # Errors
    /// As [`MeshTls::load`].
    pub fn from_pem(ca: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots(ca)?);
        let chain = chain(CERT, certificate)?;
        let (leaf, intermediates) = chain
            .split_first()
            .ok_or_else(|| invalid(CERT, "it holds no certificate"))?;
        let own = PeerCertificate::read(leaf).map_err(|why| invalid(CERT, why))?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|e| invalid(KEY, format!("it holds no private key in PEM: {e}")))?;
        let signing = Ed25519KeyPair::from_pkcs8(key.secret_der())
            .map_err(|e| invalid(KEY, format!("it is not an Ed25519 key in PKCS#8: {e}")))?;
        if signing.public_key().as_ref() != own.key {
            return Err(invalid(
                KEY,
                format!("it is not the key of the certificate in {CERT}"),
            ));
        }

        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|e| invalid(CA, e.to_string()))?;
        let first = own.services.first().map_or("", |name| name);
        let name = server_name(first).map_err(|why| invalid(CERT, why))?;
        verifier
            .verify_server_cert(leaf, intermediates, &name, &[], UnixTime::now())
            .map_err(|e| invalid(CERT, format!("the authority in {CA} does not vouch for it: {e}")))?;

        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|e| invalid(CA, e.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| invalid(CERT, e.to_string()))?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|e| invalid(CERT, e.to_string()))?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| invalid(CERT, e.to_string()))?
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(chain, key)
            .map_err(|e| invalid(CERT, e.to_string()))?;
        for alpn in [&mut server.alpn_protocols, &mut client.alpn_protocols] {
            alpn.push(b"h2".to_vec());
        }
        // Connections live long; every new one shows its certificate, so that a withdrawn one ends with them.
        server.send_tls13_tickets = 0;
        client.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            inner: Arc::new(Inner {
                client: Arc::new(client),
                server: Arc::new(server),
                key: signing,
                services: own.services,
            }),
            clock: Clock::system(),
        })
    }

    /// Takes the time from `clock` for the lifetime of internal scopes.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The services that this process's certificate names, and for which it may therefore speak.
    #[must_use]
    pub fn services(&self) -> &[Box<str>] {
        &self.inner.services
    }

    pub(super) fn covers(&self, service: &str) -> bool {
        self.inner.services.iter().any(|name| **name == *service)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.inner.client.clone()
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.inner.server.clone()
    }

    pub(super) fn key(&self) -> &Ed25519KeyPair {
        &self.inner.key
    }
}

/// What a certificate says of its process. It is read only after TLS has verified the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerCertificate {
    /// The Ed25519 public key.
    pub(super) key: [u8; 32],
    /// The services of its `SERVICE.stoa.internal` names.
    pub(super) services: Vec<Box<str>>,
}

impl PeerCertificate {
    pub(super) fn read(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|e| format!("its certificate cannot be read: {e}"))?;
        let spki = certificate.public_key();
        let key = (spki.algorithm.algorithm == x509_parser::oid_registry::OID_SIG_ED25519)
            .then(|| <[u8; 32]>::try_from(spki.subject_public_key.data.as_ref()).ok())
            .flatten()
            .ok_or("its certificate's key is not Ed25519, which signs the internal scope")?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|e| format!("its certificate's names cannot be read: {e}"))?;
        let services: Vec<Box<str>> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => name.strip_suffix(DOMAIN)?.strip_suffix('.'),
                _ => None,
            })
            .filter(|service| is_service_name(service))
            .map(Box::from)
            .collect();
        if services.is_empty() {
            return Err(format!(
                "its certificate has no name of the form SERVICE.{DOMAIN}"
            ));
        }
        Ok(Self { key, services })
    }

    pub(super) fn covers(&self, service: &str) -> bool {
        self.services.iter().any(|name| **name == *service)
    }
}

/// The name under which a peer must prove that it runs `service`.
pub(super) fn server_name(service: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(dns_name(service)).map_err(|_| format!("{service:?} is not a service's name"))
}

fn roots(ca: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(CA, ca)? {
        roots.add(certificate).map_err(|e| invalid(CA, e.to_string()))?;
    }
    Ok(roots)
}

fn chain(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(invalid(key, "it holds no certificate in PEM")),
        Ok(chain) => Ok(chain),
        Err(e) => Err(invalid(key, format!("it is not PEM: {e}"))),
    }
}

fn read(key: &str, path: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let Some(path) = path else {
        return Err(ConfigError::Missing {
            key: key.to_owned(),
            remedy: "a process that serves only a part of Stoa needs it; `stoa dev-certs DIR GROUP…` makes a set for development".to_owned(),
        });
    };
    std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|e| ConfigError::File {
            key: key.to_owned(),
            path: path.display().to_string(),
            why: e.to_string(),
        })
}

fn invalid(key: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        key: key.to_owned(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificates::{Issued, generate_ca, issue};
    use super::*;

    fn load(ca: &str, leaf: &Issued, key: &str) -> Result<MeshTls, String> {
        MeshTls::from_pem(ca.as_bytes(), leaf.certificate.as_bytes(), key.as_bytes())
            .map_err(|e| e.to_string())
    }

    // covers: SC-01
    #[test]
    fn what_does_not_fit_is_refused_with_the_configuration_key() {
        let (ca, other) = (generate_ca().unwrap(), generate_ca().unwrap());
        let leaf = issue(&ca, &["customer", "organization"]).unwrap();
        let stranger = issue(&ca, &["gateway"]).unwrap();

        let tls = load(ca.pem(), &leaf, &leaf.key).unwrap();
        assert_eq!(tls.services(), ["customer".into(), "organization".into()]);
        let rsa = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
        for (result, key) in [
            (load(other.pem(), &leaf, &leaf.key), CERT),
            (load(ca.pem(), &leaf, &stranger.key), KEY),
            (load(ca.pem(), &leaf, rsa), KEY),
            (load(ca.pem(), &leaf, "nothing"), KEY),
            (load("nothing", &leaf, &leaf.key), CA),
            (
                MeshTls::load(&MeshConfig::default()).map_err(|e| e.to_string()),
                CA,
            ),
        ] {
            let error = result.err().unwrap();
            assert!(error.contains(key), "{error} should name {key}");
        }
    }
}
