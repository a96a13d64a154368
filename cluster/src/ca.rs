use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An authority of its own, for the certificates of [`TlsServer`](crate::TlsServer)s.
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server shows to its clients: a certificate, and the key to it.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    /// Whose clients the server serves alone.
    clients: Option<RootCertStore>,
}

impl Ca {
    /// Makes an authority of that name, which no other one should have: clients look an issuer up by it.
    pub fn new(name: &str) -> Ca {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params
            .self_signed(&key)
            .expect("an authority signs for itself");
        Ca {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for that host, a name or an IP address.
    pub fn issue(&self, host: &str) -> Identity {
        self.sign(params(host))
    }

    /// As [`issue`](Ca::issue), but the certificate's time is over.
    pub fn issue_expired(&self, host: &str) -> Identity {
        let mut params = params(host);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("an authority signs");
        Identity {
            certificate: certificate.der().clone(),
            key,
            clients: None,
        }
    }

    /// The settings of a client that trusts this authority and no other. ALPN is the connector's to set.
    pub fn client_config(&self) -> ClientConfig {
        // By name, for another crate of the build may bring a second provider.
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks all versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    /// What a client trusts that trusts this authority and no other.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("an authority can be trusted");
        roots
    }
}

/// A host that is no host name gets no valid certificate, and would make a test pass for a wrong reason.
fn params(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).expect("a name or an address")
}

impl Identity {
    /// The server turns away clients that show no certificate of this authority, as those of [`Ca::client_config`] do.
    pub fn for_clients_of(self, ca: &Ca) -> Identity {
        let clients = Some(ca.roots());
        Identity { clients, ..self }
    }

    pub(crate) fn server_config(self, protocol: &[u8]) -> ServerConfig {
        let key = PrivateKeyDer::from(self.key);
        let provider = Arc::new(ring::default_provider());
        let clients = match self.clients {
            Some(roots) => {
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .expect("an authority can be trusted")
            }
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks all versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![self.certificate], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![protocol.to_vec()];
        config
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca").finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
