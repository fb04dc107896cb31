//! Base64, for passwords.

use crate::text::base64;

/// With padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(base64).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn vectors_of_rfc_4648() {
        let all =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in all {
            assert_eq!(super::encode(plain.as_bytes()), encoded);
        }
    }
}
