//! Certificates, as the client of HTTP takes them.

use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use crate::{Error, sink::net::Tls};

pub(super) fn config(tls: &Tls) -> Result<TlsConfig, Error> {
    let pem = tls.certificates()?;
    let owned = |der: &[u8]| Certificate::from_der(der).to_owned();
    let roots: Vec<_> = pem.authorities.iter().map(|der| owned(der)).collect();
    let mut config = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots));
    if let Some((chain, key)) = &pem.identity {
        let chain: Vec<_> = chain.iter().map(|der| owned(der)).collect();
        // It was read as a key before, so that an error cannot quote it.
        let key = PrivateKey::from_pem(key).map_err(|_| Error::config("TLS: expected a private key as PEM"))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}
