//! Lines as they are in logs, without secrets: hardly anything may be taken out of them.

use tracing_strata::filter::Redact;

use super::{
    cleaned,
    corpus::{DIGITS, Dice, WORD},
};

const HEX: &str = "0123456789abcdef";
const WORDS: &[&str] = &[
    "request",
    "served",
    "order",
    "paid",
    "cache",
    "miss",
    "retry",
    "timeout",
    "connection",
    "closed",
    "user",
    "basic",
    "bearer",
    "worker",
    "started",
    "shutting",
    "down",
    "token",
    "session",
    "key",
    "parse",
    "failed",
    "to",
    "in",
    "for",
];

fn line(dice: &mut Dice) -> String {
    let words = |dice: &mut Dice| (0..4).map(|_| dice.pick(WORDS)).collect::<Vec<_>>().join(" ");
    let number = |dice: &mut Dice, below| dice.next(below);
    match dice.next(18) {
        0 => format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}.{}Z {}",
            1 + number(dice, 30),
            number(dice, 24),
            number(dice, 60),
            number(dice, 60),
            dice.of(DIGITS, 6),
            words(dice)
        ),
        1 => format!(
            "{} id={}-{}-4{}-8{}-{}",
            words(dice),
            dice.of(HEX, 8),
            dice.of(HEX, 4),
            dice.of(HEX, 3),
            dice.of(HEX, 3),
            dice.of(HEX, 12)
        ),
        2 => format!("trace_id={} span_id={} {}", dice.of(HEX, 32), dice.of(HEX, 16), words(dice)),
        3 => format!("commit {} by build {}", dice.of(HEX, 40), dice.of(DIGITS, 6)),
        4 => format!("sha256:{} {}", dice.of(HEX, 64), words(dice)),
        5 => format!(
            "serde {}.{}.{} -> {}.{}.0-rc.{}",
            number(dice, 9),
            number(dice, 40),
            number(dice, 200),
            number(dice, 9),
            number(dice, 40),
            number(dice, 9)
        ),
        6 => format!(
            "/home/{}/src/{}_{}.rs:{}:{}",
            dice.pick(WORDS),
            dice.pick(WORDS),
            dice.pick(WORDS),
            number(dice, 999),
            number(dice, 99)
        ),
        7 => format!(
            "  {:>2}: {}::{}::{{{{closure}}}}\n             at ./layers/{}.rs:{}:{}",
            number(dice, 99),
            dice.pick(WORDS),
            dice.pick(WORDS),
            dice.pick(WORDS),
            number(dice, 999),
            number(dice, 99)
        ),
        8 => format!(
            "  File \"/usr/lib/python3.12/{}.py\", line {}, in {}",
            dice.pick(WORDS),
            number(dice, 2000),
            dice.pick(WORDS)
        ),
        9 => format!(
            "{} {} rows in {}.{} ms, {} bytes",
            words(dice),
            number(dice, 100_000),
            number(dice, 900),
            dice.of(DIGITS, 6),
            number(dice, 1 << 40)
        ),
        10 => format!(
            "ts={} ns={} us={}",
            1_700_000_000 + number(dice, 100_000_000),
            1_700_000_000_000_000_000 + number(dice, 100_000_000_000_000_000),
            1_700_000_000_000_000 + number(dice, 100_000_000_000_000)
        ),
        11 => {
            format!("GET /orders/{}?page={}&sort={} 200", number(dice, 1_000_000), number(dice, 99), dice.pick(WORDS))
        }
        12 => format!("order {} {}", dice.any(), words(dice)),
        13 => format!(
            "https://{}.example.com:8443/{}/{} took {}",
            dice.pick(WORDS),
            dice.pick(WORDS),
            dice.of(HEX, 12),
            number(dice, 900)
        ),
        14 => format!("0x{} 0x{} {}", dice.of(HEX, 16), dice.of(HEX, 12), words(dice)),
        15 => format!(
            "{{\"level\":\"INFO\",\"user\":{},\"ms\":{}.5,\"tags\":[\"{}\"]}}",
            number(dice, 1_000_000),
            number(dice, 900),
            dice.of(WORD, 12)
        ),
        16 => format!("order #{}-{}-{} {}", dice.of(DIGITS, 4), dice.of(DIGITS, 7), dice.of(DIGITS, 7), words(dice)),
        _ => format!(
            "thread '{}' panicked at {}: index out of bounds: the len is {} but the index is {}",
            dice.pick(WORDS),
            words(dice),
            number(dice, 99),
            number(dice, 99)
        ),
    }
}

#[test]
fn ordinary_lines_stay_as_they_are() {
    const LINES: usize = 100_000;
    let (redact, dice) = (Redact::secrets(), &mut Dice(0x00dd_ba11));
    let mut changed = Vec::new();
    for _ in 0..LINES {
        let line = line(dice);
        let clean = cleaned(&redact, &line);
        if clean != line {
            changed.push((line, clean));
        }
    }
    println!("{} of {LINES} ordinary lines were changed", changed.len());
    assert!(changed.len() <= LINES / 1000, "{}: {:#?}", changed.len(), &changed[..20.min(changed.len())]);
}
