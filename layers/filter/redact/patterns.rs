//! Values that are secret or personal by their shape.

use std::net::IpAddr;

use regex::Regex;

/// A shape of secret or personal values, with the check that comes behind it. The [table](super::Redact#patterns) says what each
/// is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// Card numbers.
    Card,
    /// International bank account numbers.
    Iban,
    /// Addresses of e-mail.
    Email,
    /// Telephone numbers in international form.
    Phone,
    /// Addresses of IPv4 and IPv6. Not among the [defaults](super::Redact::secrets).
    Ip,
    /// JSON Web Tokens, signed or encrypted.
    Jwt,
    /// Ids of access keys of AWS.
    Aws,
    /// Keys and access tokens of Google Cloud.
    Gcp,
    /// Tokens of GitHub.
    Github,
    /// Tokens and webhooks of Slack.
    Slack,
    /// Secret keys of Stripe.
    Stripe,
    /// `Bearer …` and `Basic …`.
    Authorization,
    /// The password in a URL.
    UrlPassword,
    /// Private keys in PEM.
    PrivateKey,
    /// What stands behind a secret name within a text: `password=…`, `"token": "…"`.
    Assignment,
}

impl Pattern {
    /// All, in the order of the table.
    pub const ALL: [Self; 15] = [
        Self::Card,
        Self::Iban,
        Self::Email,
        Self::Phone,
        Self::Ip,
        Self::Jwt,
        Self::Aws,
        Self::Gcp,
        Self::Github,
        Self::Slack,
        Self::Stripe,
        Self::Authorization,
        Self::UrlPassword,
        Self::PrivateKey,
        Self::Assignment,
    ];

    /// Its name: in labels and configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Github => "github",
            Self::Slack => "slack",
            Self::Stripe => "stripe",
            Self::Authorization => "authorization",
            Self::UrlPassword => "url_password",
            Self::PrivateKey => "private_key",
            Self::Assignment => "assignment",
        }
    }

    /// The texts without one of which there is no match; none where a byte decides.
    pub(super) const fn beginnings(self) -> &'static [&'static str] {
        match self {
            Self::Jwt => &["eyJ"],
            Self::Aws => &["AKIA", "ASIA"],
            Self::Gcp => &["AIza", "ya29."],
            Self::Github => &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
            Self::Slack => {
                &["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-", "hooks.slack.com/"]
            }
            Self::Stripe => &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
            Self::Authorization => &["earer ", "EARER ", "asic ", "ASIC "],
            Self::PrivateKey => &["-----BEGIN "],
            _ => &[],
        }
    }

    /// Matches the secret as group 1, or as a whole. `None`: found by hand.
    pub(super) const fn expression(self) -> Option<&'static str> {
        Some(match self {
            Self::Email => {
                r#"[^\s@"'<>()\[\]{},;:=\\/&?|]+@[[:alnum:]\u{80}-\u{10FFFF}-]+(?:\.[[:alnum:]\u{80}-\u{10FFFF}-]+)*\.[A-Za-z\u{80}-\u{10FFFF}]{2,}"#
            }
            Self::UrlPassword => r"://[^\s/?#:@]*:([^\s/?#]+)@",
            Self::Jwt => r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}",
            Self::Aws => r"(?:AKIA|ASIA)[A-Z2-7]{16}",
            Self::Gcp => r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}",
            Self::Github => r"gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{36,}",
            Self::Slack => {
                r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,}"
            }
            Self::Stripe => r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",
            Self::Authorization => r"(?-u:\b)(?:[Bb]earer|BEARER|[Bb]asic|BASIC) +([A-Za-z0-9+/._~-]{7,}=*)",
            Self::PrivateKey => {
                r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)"
            }
            Self::Card | Self::Iban | Self::Phone | Self::Ip | Self::Assignment => return None,
        })
    }

    /// Whether what matched is one.
    pub(super) fn holds(self, text: &str, start: usize, end: usize) -> bool {
        let stands_alone = || !is_word(text, start.checked_sub(1)) && !is_word(text, Some(end));
        match self {
            Self::Jwt | Self::Stripe | Self::Github => !is_word(text, start.checked_sub(1)),
            Self::Aws => stands_alone(),
            Self::Authorization => {
                let (scheme, token) = (text[..start].trim_end(), &text[start..end]);
                // The last letter of `Basic`.
                if scheme.ends_with(['c', 'C']) {
                    return is_basic(token);
                }
                looks_random(token)
            }
            _ => true,
        }
    }
}

/// No word of a language.
fn looks_random(token: &str) -> bool {
    token.len() >= 24 || token.bytes().any(|byte| byte.is_ascii_digit())
}

/// Base64 of `user:password`.
fn is_basic(token: &str) -> bool {
    let bytes = token.trim_end_matches('=').bytes();
    let (mut bits, mut count) = (0_u32, 0);
    let mut has_colon = false;
    for byte in bytes {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            has_colon |= (bits >> count) as u8 == b':';
        }
    }
    has_colon
}

fn is_word(text: &str, at: Option<usize>) -> bool {
    at.and_then(|at| text.as_bytes().get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A pattern of the application.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) name: String,
    pub(super) expression: Regex,
}

// --- numbers, by hand

/// Calls `found` for card numbers and account numbers: what begins where a word does.
pub(super) fn numbers(text: &str, cards: bool, ibans: bool, found: &mut impl FnMut(Pattern, usize, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let first = bytes[at];
        if !first.is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let end = if first.is_ascii_digit() {
            if cards && may_begin(bytes, at) { card(bytes, at) } else { None }.map(|end| (Pattern::Card, end))
        } else {
            if ibans { iban(bytes, at) } else { None }.map(|end| (Pattern::Iban, end))
        };
        if let Some((pattern, end)) = end {
            found(pattern, at, end);
            at = end;
            continue;
        }
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
    }
}

/// Not inside of a decimal fraction, a name or a group of digits.
fn may_begin(bytes: &[u8], at: usize) -> bool {
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'.' | b'_') => false,
        Some(b'-' | b'+') => at < 2 || !bytes[at - 2].is_ascii_digit(),
        _ => true,
    }
}

/// Behind the last digit of a card number.
fn card(bytes: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0_u8; 20];
    let (mut count, mut at) = (0, start);
    // Lengths of the groups; all separators are the same.
    let (mut groups, mut group_count, mut separator) = ([0_usize; 6], 1, None);
    let mut ends = [0_usize; 6];
    loop {
        match bytes.get(at) {
            Some(digit) if digit.is_ascii_digit() => {
                if count == digits.len() {
                    return None;
                }
                digits[count] = digit - b'0';
                count += 1;
                groups[group_count - 1] += 1;
                at += 1;
                ends[group_count - 1] = at;
            }
            Some(mark @ (b' ' | b'-'))
                if separator.is_none_or(|known| known == *mark)
                    && group_count < 5
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) =>
            {
                separator = Some(*mark);
                group_count += 1;
                at += 1;
            }
            _ => break,
        }
    }
    // The last groups may be something else.
    for used in (1..=group_count).rev() {
        let end = ends[used - 1];
        let total: usize = groups[..used].iter().sum();
        let is_shape =
            matches!(&groups[..used], [_] | [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 4] | [4, 6, 5] | [4, 4, 4, 1..=3]);
        let next = bytes.get(end);
        let goes_on = next.is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_')
            || next == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if is_shape && !goes_on && is_issued(&digits[..total], used > 1) && luhn(&digits[..total]) {
            return Some(end);
        }
    }
    None
}

/// The ranges of the card networks, by length. Numbers of 19 digits without groups are ids much more often than cards that
/// begin with 4.
fn is_issued(digits: &[u8], is_grouped: bool) -> bool {
    if digits.len() < 13 {
        return false;
    }
    let head = digits[..4].iter().fold(0_u32, |head, digit| head * 10 + u32::from(*digit));
    match digits.len() {
        13 => head / 1000 == 4,
        14 => matches!(head / 10, 300..=305) || matches!(head / 100, 36 | 38 | 39),
        15 => matches!(head / 100, 34 | 37),
        16 => {
            matches!(head, 2200..=2204 | 2221..=2720 | 3528..=3589 | 4000..=4999 | 5018 | 5020 | 5038 | 5893 | 6011)
                || matches!(head / 100, 51..=55 | 60 | 62 | 63 | 65 | 67 | 81)
                || matches!(head / 10, 644..=649)
        }
        17..=19 => matches!(head, 6011) || matches!(head / 100, 62 | 65) || (is_grouped && head / 1000 == 4),
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
        0 => u32::from(*digit),
        _ => u32::from(doubled(*digit)),
    });
    sum.sum::<u32>() % 10 == 0 && digits.iter().any(|digit| *digit != digits[0])
}

/// Lengths by country, from the registry of IBANs (SWIFT, ISO 13616).
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 \
    ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 \
    LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 \
    SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

/// Behind the last character of an account number: in one piece, or in groups of four.
fn iban(bytes: &[u8], start: usize) -> Option<usize> {
    let head = bytes.get(start..start + 4)?;
    if !head[2..].iter().all(u8::is_ascii_digit) || !head[1].is_ascii_alphabetic() {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let entry = IBANS.as_bytes().chunks(5).find(|entry| entry[..2] == country)?;
    let length = usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0');
    let is_grouped = bytes.get(start + 4) == Some(&b' ');
    let mut all = [0_u8; 34];
    let mut at = start;
    for (index, place) in all[..length].iter_mut().enumerate() {
        if is_grouped && index > 0 && index % 4 == 0 {
            (bytes.get(at) == Some(&b' ')).then_some(())?;
            at += 1;
        }
        *place = bytes.get(at).filter(|byte| byte.is_ascii_alphanumeric())?.to_ascii_uppercase();
        at += 1;
    }
    if bytes.get(at).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_') {
        return None;
    }
    let moved = all[4..length].iter().chain(&all[..4]);
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A' + 10)) % 97,
    });
    (rest == 1).then_some(at)
}

/// Behind the last digit of a telephone number that begins with this `+`: 8 to 15 digits (ITU-T E.164), in groups.
pub(super) fn phone(text: &str, plus: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if is_word(text, plus.checked_sub(1)) || !matches!(bytes.get(plus + 1), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut at, mut end, mut count) = (plus + 1, plus + 1, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {
                count += 1;
                at += 1;
                end = at;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' if at - end < 2 => at += 1,
            _ => break,
        }
        if count > 15 {
            return None;
        }
    }
    (count >= 8 && !is_word(text, Some(end))).then_some(end)
}

/// Calls `found` for each address.
pub(super) fn ips(text: &str, found: &mut impl FnMut(Pattern, usize, usize)) {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|byte| is_part(**byte)).count();
        let word = text[at..end].trim_end_matches(['.', ':']);
        let without_port = word.rsplit_once(':').map_or(word, |(address, _)| address);
        let is_inside = is_word(text, at.checked_sub(1)) || is_word(text, Some(end));
        if !is_inside && word.len() > 2 {
            if let Some(address) = [word, without_port].iter().find(|word| word.parse::<IpAddr>().is_ok()) {
                found(Pattern::Ip, at, at + address.len());
            }
        }
        at = end;
    }
}
