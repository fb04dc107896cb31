//! True and false examples of each pattern, made from the published rules: recall and precision.

use tracing_strata::filter::{Pattern, Redact};

use super::cleaned;

/// A generator that is the same in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    /// Any 64 bits.
    pub(super) fn any(&mut self) -> u64 {
        self.next(1 << 32) << 32 | self.next(1 << 32)
    }

    pub(super) fn of(&mut self, letters: &str, count: usize) -> String {
        (0..count).map(|_| char::from(letters.as_bytes()[self.next(letters.len() as u64) as usize])).collect()
    }

    pub(super) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.next(words.len() as u64) as usize]
    }
}

pub(super) const DIGITS: &str = "0123456789";
pub(super) const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(super) const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn with_luhn(head: String) -> String {
    let sum: u32 = head
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{head}{}", (10 - sum % 10) % 10)
}

fn grouped(text: &str, groups: &[usize], separator: &str) -> String {
    let (mut rest, mut parts) = (text, Vec::new());
    for length in groups {
        let (part, after) = rest.split_at((*length).min(rest.len()));
        parts.push(part);
        rest = after;
    }
    assert!(rest.is_empty());
    parts.join(separator)
}

fn cards(dice: &mut Dice) -> Vec<String> {
    let mut all: Vec<String> = ["4222222222222", "30569309025904", "378282246310005", "6011111111111117"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    for (head, length) in
        [("4", 16), ("51", 16), ("2221", 16), ("2720", 16), ("35", 16), ("65", 16), ("645", 16), ("62", 16)]
    {
        for _ in 0..20 {
            let head = if head == "35" { "3566" } else { head };
            let card = with_luhn(format!("{head}{}", dice.of(DIGITS, length - 1 - head.len())));
            all.extend([card.clone(), grouped(&card, &[4, 4, 4, 4], " "), grouped(&card, &[4, 4, 4, 4], "-")]);
        }
    }
    for head in ["34", "37"] {
        let card = with_luhn(format!("{head}{}", dice.of(DIGITS, 12)));
        all.extend([grouped(&card, &[4, 6, 5], " "), card]);
    }
    let long = with_luhn(format!("4{}", dice.of(DIGITS, 17)));
    all.extend([grouped(&long, &[4, 4, 4, 4, 3], " "), with_luhn(format!("62{}", dice.of(DIGITS, 16)))]);
    all
}

/// The check digits of an account number.
fn iban(country: &str, account: &str) -> String {
    let number = |text: &str| {
        text.chars().fold(0_u32, |rest, c| {
            let value = c.to_digit(36).unwrap();
            (rest * if value < 10 { 10 } else { 100 } + value) % 97
        })
    };
    let check = 98 - number(&format!("{account}{country}00"));
    format!("{country}{check:02}{account}")
}

fn ibans(dice: &mut Dice) -> Vec<String> {
    // The registry's examples.
    let mut all: Vec<String> =
        ["GB82WEST12345698765432", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    let lengths = [
        ("DE", 22),
        ("AT", 20),
        ("CH", 21),
        ("ES", 24),
        ("IT", 27),
        ("NL", 18),
        ("PL", 28),
        ("BE", 16),
        ("MT", 31),
        ("SE", 24),
    ];
    for (country, length) in lengths {
        for _ in 0..20 {
            let made = iban(country, &dice.of(DIGITS, length - 4));
            let groups: Vec<_> = (0..length.div_ceil(4)).map(|_| 4).collect();
            all.extend([grouped(&made, &groups, " "), made.to_lowercase(), made]);
        }
    }
    all
}

/// Well-formed ones.
pub(super) fn true_ones(pattern: Pattern, dice: &mut Dice) -> Vec<String> {
    let strings = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match pattern {
        Pattern::Card => cards(dice),
        Pattern::Iban => ibans(dice),
        Pattern::Email => strings(&[
            "ada@example.com",
            "a.b+tag@mail.example.co.uk",
            "x_y-z%1@sub-domain.example.museum",
            "jürgen@müller.example",
            "o'brien.example@example.org".trim_start_matches("o'"),
            "a@b.co",
        ]),
        Pattern::Phone => strings(&[
            "+14155550123",
            "+1 415 555 0123",
            "+1 (415) 555-0123",
            "+1-415-555-0123",
            "+49 30 901820",
            "+44 20 7946 0958",
            "+33.1.23.45.67.89",
            "+81 3-1234-5678",
            "+86 138 0013 8000",
            "+353 20 913 0000",
        ]),
        Pattern::Ip => strings(&["192.0.2.1", "2001:db8::1", "::1", "198.51.100.255", "2001:db8:0:0:1:0:0:1"]),
        Pattern::Jwt => {
            let [key, nonce, text, tag] = [40, 16, 30, 22].map(|length| dice.of(WORD, length));
            let signed = |_| format!("eyJ{}.eyJ{}.{}", dice.of(WORD, 30), dice.of(WORD, 60), dice.of(WORD, 43));
            (0..20).map(signed).chain([format!("eyJ{key}..{nonce}.{text}.{tag}")]).collect()
        }
        Pattern::Aws => ["AKIA", "ASIA"]
            .iter()
            .flat_map(|head| {
                (0..10)
                    .map(|_| format!("{head}{}", dice.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)))
                    .collect::<Vec<_>>()
            })
            .collect(),
        Pattern::Gcp => vec![format!("AIza{}", dice.of(WORD, 35)), format!("ya29.{}", dice.of(WORD, 120))],
        Pattern::Github => {
            let mut all: Vec<_> =
                ["p", "o", "u", "s", "r"].iter().map(|kind| format!("gh{kind}_{}", dice.of(WORD, 36))).collect();
            all.push(format!("github_pat_{}_{}", dice.of(WORD, 22), dice.of(WORD, 59)));
            all
        }
        Pattern::Slack => vec![
            format!("xoxb-{}-{}", dice.of(DIGITS, 12), dice.of(WORD, 24)),
            format!("xoxp-{}-{}-{}", dice.of(DIGITS, 12), dice.of(DIGITS, 12), dice.of(WORD, 32)),
            format!("xapp-1-A{}-{}-{}", dice.of(UPPER, 10), dice.of(DIGITS, 13), dice.of(WORD, 64)),
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                dice.of(UPPER, 8),
                dice.of(UPPER, 8),
                dice.of(WORD, 24)
            ),
        ],
        Pattern::Stripe => ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"]
            .iter()
            .map(|head| format!("{head}{}", dice.of(WORD, 32)))
            .collect(),
        Pattern::Authorization => vec![
            format!("Bearer {}", dice.of(WORD, 40)),
            format!("bearer {}7", dice.of(WORD, 20)),
            "Basic YWRhOmh1bnRlcjI=".into(),
            "basic dXNlcjpwYXNz".into(),
        ],
        Pattern::UrlPassword => strings(&[
            "postgres://shop:hunter2@db:5432/orders",
            "https://ada:p@ss%40word@example.com/x",
            "redis://:hunter2@cache",
            "amqp://a:b@c/",
        ]),
        Pattern::PrivateKey => ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""]
            .iter()
            .map(|kind| {
                let (rule, body) = ("-----", dice.of(WORD, 64));
                format!("{rule}BEGIN {kind}PRIVATE KEY{rule}\n{body}\n{body}\n{rule}END {kind}PRIVATE KEY{rule}\n")
            })
            .collect(),
        _ => strings(&[
            "password=hunter2",
            "\"api_key\": \"x y\"",
            "token: abc1",
            "client-secret => 'z'",
            "Set-Cookie: a=b; c",
        ]),
    }
}

/// Near misses.
fn false_ones(pattern: Pattern, dice: &mut Dice) -> Vec<String> {
    let strings = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let changed = |text: &str| {
        let (head, last) = text.split_at(text.len() - 1);
        format!("{head}{}", (last.parse::<u32>().unwrap_or(0) + 1) % 10)
    };
    match pattern {
        Pattern::Card => cards(dice)
            .iter()
            .map(|card| changed(card))
            .chain(strings(&[
                "0.4111111111111111",
                "1714567890123456",
                "a4111111111111111",
                "4111111111111111f",
                "4111-1111-1111-111111111111",
                "0000000000000000",
                "1.4111111111111111.2",
                "9111111111111111",
            ]))
            .collect(),
        Pattern::Iban => ibans(dice)
            .iter()
            .map(|iban| changed(iban))
            .chain(strings(&[
                "ZZ82WEST12345698765432",
                "xGB82WEST12345698765432",
                "GB82WEST123456987654321",
                "IPV4 and IPV6",
            ]))
            .collect(),
        Pattern::Email => strings(&["@example.com", "a@b", "serde@1.0.2", "x @ y.com", "@media (a)", "ada@localhost"]),
        Pattern::Phone => strings(&[
            "+0200",
            "2024-05-01T12:00:00+02:00",
            "1.2.3+20240501",
            "+1",
            "+12 34",
            "1e+12345678",
            "a+12345678901",
            "+1234567890123456",
        ]),
        Pattern::Ip => strings(&["1.2.3", "12:30:45", "v1.2.3.4x", "std::io", "1.2.3.4.5", "256.1.1.1", "::", ":"]),
        Pattern::Jwt => strings(&["eyJ", "eyJhbGciOi", "eyJhbGciOiJIUzI1NiJ9", "heyJude.and.others.here"]),
        Pattern::Aws => strings(&["AKIA", "AKIAlowercase1234567", "ASIAPACIFIC", "XAKIAABCDEFGHIJKLMNOP"]),
        Pattern::Gcp => strings(&["AIza", "AIzashort", "ya29.x"]),
        Pattern::Github => strings(&["ghp_", "ghp_short", "github_pat_", "ghs_stream"]),
        Pattern::Slack => strings(&["xoxb-", "xoxb-1", "hooks.slack.com/", "xapp-x"]),
        Pattern::Stripe => strings(&["sk_live_", "sk_test_1", "task_test_case_of_mine", "whsec_x"]),
        Pattern::Authorization => strings(&[
            "basic functionality",
            "Bearer authentication",
            "bearer of news",
            "Basic realm",
            "aerobasic functions9",
        ]),
        Pattern::UrlPassword => {
            strings(&["https://example.com:8080/a@b", "https://ada@example.com", "a::b@c", "http://x:80/"])
        }
        Pattern::PrivateKey => {
            strings(&["-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----"])
        }
        _ => strings(&["user=ada", "tokens: 12", "max_tokens=5", "std::token::x", "keys: a", "12:30", "password"]),
    }
}

#[test]
fn each_pattern_finds_all_of_its_own_and_nothing_else() {
    println!("pattern         recall        precision");
    for pattern in Pattern::ALL {
        let dice = &mut Dice(0x5eed_0000_0000_0001 + pattern as u64);
        let redact = Redact::new().patterns([pattern]);
        let redact = if pattern == Pattern::Assignment { Redact::secrets() } else { redact };
        let (all, others) = (true_ones(pattern, dice), false_ones(pattern, dice));
        let around =
            |text: &str| [text.to_owned(), format!("got {text}, then"), format!("x=\"{text}\""), format!("({text})")];
        let is_found = |text: &String| cleaned(&redact, text) != *text;
        let missed: Vec<_> = all.iter().flat_map(|text| around(text)).filter(|text| !is_found(text)).collect();
        // A check digit that was changed may make another valid shorter one: none here.
        let wrong: Vec<_> = others.iter().flat_map(|text| around(text)).filter(is_found).collect();
        let (found, total) = (all.len() * 4 - missed.len(), all.len() * 4);
        println!("{:<15} {found:>5}/{total:<5}   {found:>5}/{:<5}", pattern.name(), found + wrong.len());
        assert!(missed.is_empty(), "{}: missed {missed:#?}", pattern.name());
        assert!(wrong.is_empty(), "{}: wrongly found {wrong:#?}", pattern.name());
    }
}

#[test]
fn nothing_of_a_secret_is_left() {
    let redact = Redact::secrets();
    for pattern in Pattern::ALL.into_iter().filter(|pattern| *pattern != Pattern::Ip && *pattern != Pattern::Assignment)
    {
        for secret in true_ones(pattern, &mut Dice(7)) {
            let label = format!("[redacted:{}]", pattern.name());
            let clean = cleaned(&redact, &format!("before {secret} after"));
            assert!(clean.starts_with("before ") && clean.ends_with(" after"), "{clean}");
            assert!(clean.contains(&label), "{secret}: {clean}");
        }
    }
}

#[test]
fn a_text_made_to_be_slow_is_not() {
    // In linear time each takes milliseconds; with backtracking, or a scan for each beginning, hours.
    let redact = Redact::secrets();
    for piece in [
        "4",
        "4 ",
        "GB82 ",
        "+1",
        "@",
        "a@a.",
        "://a:",
        "eyJ",
        "eyJaaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "password=",
        "token=(",
        "\\\"",
        "Bearer ",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let clean = cleaned(&redact, &text);
        assert!(clean.len() <= 20 * text.len());
    }
}
