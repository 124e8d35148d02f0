//! For how long a certificate is valid: the one thing of X.509 that people must be told of before it happens.
//!
//! A certificate is read here as far as its validity; whether it can be trusted is its readers' business.

use crate::operation::Time;

/// From when until when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: Time,
    pub until: Time,
}

/// Tags of ASN.1 on the way to the validity (X.690, RFC 5280 section 4.1).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Reads it from a certificate in DER; `None` where the bytes are no such certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = element(certificate, Some(SEQUENCE))?;
        let (_, mut fields, _) = element(certificate, Some(SEQUENCE))?;
        if fields.first() == Some(&VERSION) {
            (_, _, fields) = element(fields, None)?;
        }
        // Serial number, algorithm, issuer.
        for _ in 0..3 {
            (_, _, fields) = element(fields, None)?;
        }
        let (_, validity, _) = element(fields, Some(SEQUENCE))?;
        let (from, from_text, rest) = element(validity, None)?;
        let (until, until_text, _) = element(rest, None)?;
        Some(Self { from: time(from, from_text)?, until: time(until, until_text)? })
    }

    /// Returns when both are valid.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// Takes one element off the front: its tag, what it holds, and what follows it.
fn element(bytes: &[u8], wanted: Option<u8>) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(first), bytes),
        // The length stands in so many bytes; a certificate of 4 GiB is none.
        0x81..=0x84 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (
                digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add(usize::from(*digit)))?,
                bytes,
            )
        }
        _ => return None,
    };
    let (inside, rest) = bytes.split_at_checked(length)?;
    (wanted.is_none() || wanted == Some(tag)).then_some((tag, inside, rest))
}

/// Reads `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`. A time beyond what can be told, such as the year 9999 of certificates
/// without an end, is taken for one that is far away.
fn time(tag: u8, text: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (date, clock) = ((part(0, 4), part(4, 6), part(6, 8)), (part(8, 10), part(10, 12), part(12, 14)));
    let text = format!("{}-{}-{}T{}:{}:{}Z", date.0, date.1, date.2, clock.0, clock.1, clock.2);
    match Time::parse_rfc3339(&text) {
        Ok(time) => Some(time),
        Err(_) if date.0 > "2200" => Some(Time::ACCEPTED_UNTIL),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, inside: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inside.len()).unwrap();
        [&[tag, 0x82], &length.to_be_bytes()[..], inside].concat()
    }

    /// A certificate as far as it is read here.
    fn certificate(from: (u8, &str), until: (u8, &str), has_version: bool) -> Vec<u8> {
        let validity = [wrap(from.0, from.1.as_bytes()), wrap(until.0, until.1.as_bytes())].concat();
        let before = [wrap(0x02, &[7; 20]), wrap(SEQUENCE, &[]), wrap(SEQUENCE, &[1; 300])].concat();
        let version = if has_version { wrap(VERSION, &[2, 1, 2]) } else { Vec::new() };
        let fields = [version, before, wrap(SEQUENCE, &validity), wrap(SEQUENCE, b"subject")].concat();
        wrap(SEQUENCE, &[wrap(SEQUENCE, &fields), wrap(SEQUENCE, b"signature")].concat())
    }

    #[test]
    fn both_forms_of_times_are_read() {
        let at = |text: &str| Time::parse_rfc3339(text).unwrap();
        let found =
            Validity::of(&certificate((UTC_TIME, "261130120000Z"), (GENERALIZED_TIME, "20510228235959Z"), true));
        assert_eq!(found, Some(Validity { from: at("2026-11-30T12:00:00Z"), until: at("2051-02-28T23:59:59Z") }));
        let old = Validity::of(&certificate((UTC_TIME, "990101000000Z"), (GENERALIZED_TIME, "99991231235959Z"), false));
        assert_eq!(old, Some(Validity { from: at("1999-01-01T00:00:00Z"), until: Time::ACCEPTED_UNTIL }));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let whole = certificate((UTC_TIME, "261130120000Z"), (UTC_TIME, "271130120000Z"), true);
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length} bytes");
        }
        for text in ["2611301200Z", "261130120000", "26113012000aZ", "261330120000Z", ""] {
            assert_eq!(Validity::of(&certificate((UTC_TIME, text), (UTC_TIME, "271130120000Z"), true)), None, "{text}");
        }
    }
}
