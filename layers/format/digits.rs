//! Writes calendar times.

use std::cell::Cell;

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
pub(super) const FIRST: i64 = -62_167_219_200;
pub(super) const LAST: i64 = 253_402_300_799;

/// Holds the longest calendar time, rounded up so that it can be copied and checked in whole steps.
pub(super) type Digits = [u8; 48];

/// Aligned, so that the UTF-8 check takes the fewest steps.
#[repr(align(16))]
pub(super) struct Aligned(pub(super) Digits);

/// Two digits each; padded to a power of two, so that indexing needs no check.
const PAIRS: [[u8; 2]; 128] = {
    let mut pairs = [*b"00"; 128];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

#[inline]
pub(super) fn put<const N: usize>(line: &mut [u8; N], at: usize, number: u32) {
    let [tens, ones] = PAIRS[(number & 127) as usize];
    line[at] = tens;
    line[at + 1] = ones;
}

thread_local! {
    /// The second this thread wrote last: most records share it with the record before.
    static LAST_SECOND: Cell<(i64, [u8; 32])> = const { Cell::new((i64::MIN, [0; 32])) };
}

/// `2026-11-20T15:17:16.` and zeros.
#[inline]
pub(super) fn second(seconds: i64) -> [u8; 32] {
    LAST_SECOND.with(|last| {
        let (known, text) = last.get();
        if known == seconds { text } else { another_second(seconds, last) }
    })
}

#[inline(never)]
fn another_second(seconds: i64, last: &Cell<(i64, [u8; 32])>) -> [u8; 32] {
    let since_first = (seconds - FIRST) as u64;
    let (day, second) = ((since_first / 86_400) as u32, (since_first % 86_400) as u32);
    let (year, month, day_of_month) = civil(day);
    let mut line = *b"0000-00-00T00:00:00.000000000000";
    put(&mut line, 0, year / 100);
    put(&mut line, 2, year % 100);
    put(&mut line, 5, month);
    put(&mut line, 8, day_of_month);
    put(&mut line, 11, second / 3_600);
    put(&mut line, 14, second / 60 % 60);
    put(&mut line, 17, second % 60);
    last.set((seconds, line));
    line
}

/// How many digits [`put_nanos`] writes.
pub(super) const NANOS: usize = 19;

/// Nanoseconds since 1970, in the years 2001 to 2286: ten digits of seconds, nine behind them. False in other years.
#[inline]
pub(super) fn put_nanos(line: &mut Digits, seconds: i64, nanos: u32) -> bool {
    if !(1_000_000_000..10_000_000_000).contains(&seconds) {
        return false;
    }
    let seconds = seconds as u64;
    let (high, low) = ((seconds / 100_000_000) as u32, (seconds % 100_000_000) as u32);
    // Of these two digits, the first is a zero, and gives way to the last of the seconds.
    put(line, 9, nanos / 100_000_000);
    put_eight(line, 11, nanos % 100_000_000);
    put(line, 0, high);
    put_eight(line, 2, low);
    true
}

#[inline]
fn put_eight(line: &mut Digits, at: usize, number: u32) {
    let (high, low) = (number / 10_000, number % 10_000);
    put(line, at, high / 100);
    put(line, at + 2, high % 100);
    put(line, at + 4, low / 100);
    put(line, at + 6, low % 100);
}

/// Year, month and day from days since 0000-01-01, without a branch or a division by a variable.
///
/// Source: C. Neri, L. Schneider, "Euclidean affine functions and their application to calendar algorithms",
/// Software: Practice and Experience 53 (2023), section 7. Their years begin in March; one cycle of 400 years is added
/// before and taken off after, for the two months before March 0000.
#[inline]
fn civil(day: u32) -> (u32, u32, u32) {
    const CYCLE: u32 = 146_097;
    let quarters = 4 * (day + CYCLE - 60) + 3;
    let (century, in_century) = (quarters / CYCLE, quarters % CYCLE / 4);
    let product = 2_939_745 * u64::from(4 * in_century + 3);
    let year = 100 * century + (product >> 32) as u32;
    let day_of_year = (product as u32) / 2_939_745 / 4;
    let product = 2_141 * day_of_year + 197_913;
    let (month, day_of_month) = (product >> 16, (product & 0xffff) / 2_141 + 1);
    // January and February belong to the year that began last March.
    let (years, months) = if day_of_year >= 306 { (1, 12) } else { (0, 0) };
    (year + years - 400, month - months, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_since_1970() {
        let shown = |seconds, nanos| {
            let mut line = [b'x'; 48];
            put_nanos(&mut line, seconds, nanos).then(|| String::from_utf8(line[..NANOS].to_vec()).unwrap())
        };
        for (seconds, nanos) in
            [(1_000_000_000, 0), (1_795_187_836, 123_456_789), (9_999_999_999, 999_999_999), (1_234_567_890, 7)]
        {
            assert_eq!(shown(seconds, nanos), Some(format!("{seconds}{nanos:09}")));
        }
        assert_eq!([-1, 999_999_999, 10_000_000_000].map(|seconds| shown(seconds, 1)), [None, None, None]);
    }

    #[test]
    fn every_day_of_ten_thousand_years_follows_the_one_before() {
        let (mut year, mut month, mut day) = (0, 1, 1);
        for number in 0..3_652_425 {
            if number % 7 == 0 || !(2..28).contains(&day) {
                assert_eq!(civil(number), (year, month, day));
            }
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!(year, 10_000);
    }
}
