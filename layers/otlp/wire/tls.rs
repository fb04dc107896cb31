//! Certificates.

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::Error;

/// The system's certificate authorities.
pub(super) fn native_roots() -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.is_empty(), found.errors.into_iter().next()) {
        (false, _) => Ok(found.certs),
        (true, Some(error)) => {
            Err(Error::with_source("otlp: the system's certificate authorities cannot be read", error))
        }
        (true, None) => {
            Err(Error::config("otlp: the system has no certificate authorities; set OTEL_EXPORTER_OTLP_CERTIFICATE"))
        }
    }
}

/// Checks that there is at least one certificate in a PEM text.
pub(super) fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(Error::config(format_args!("{what}: expected certificates as PEM"))),
    }
}

/// Checks that a PEM text is a private key.
pub(super) fn private_key(pem: &[u8], what: &str) -> Result<(), Error> {
    let key = PrivateKeyDer::from_pem_slice(pem);
    key.map(drop).map_err(|_| Error::config(format_args!("{what}: expected a private key as PEM")))
}
