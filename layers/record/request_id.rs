//! Request ids: from a header, or generated.

use std::borrow::Cow;

/// Longest id that is accepted, in bytes.
const MAX_BYTES: usize = 128;

/// The request id to log: the header's value if it is safe in logs, else a new random one.
///
/// A value of 1 to 128 visible ASCII characters without quotes, backslashes, commas or spaces is safe. Anything else is
/// replaced, so that a client can neither forge log lines nor fill the disk. A new id is 32 lower-case hexadecimal digits,
/// random but not secret.
///
/// ```
/// use tracing_strata::record::request_id;
///
/// let span = tracing::info_span!("request", request_id = %request_id(Some("7f3a-91")));
/// assert_eq!(request_id(Some("7f3a-91")), "7f3a-91");
/// assert_eq!(request_id(None).len(), 32);
/// assert_ne!(request_id(Some("two\nlines")), "two\nlines");
/// ```
pub fn request_id(header: Option<&str>) -> Cow<'_, str> {
    let fits = |id: &&str| {
        (1..=MAX_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b','))
    };
    match header.filter(fits) {
        Some(id) => Cow::Borrowed(id),
        None => {
            // A child of a fork draws others than its parent.
            crate::fork::check();
            Cow::Owned(format!("{:032x}", fastrand::u128(..)))
        }
    }
}
