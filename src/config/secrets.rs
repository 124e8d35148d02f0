//! Keeps secrets out of what is shown: tokens, users and passwords of URLs, also of mistyped ones.

use super::token::TOKEN_PREFIX;

/// What a secret is replaced by, byte for byte: places in the text stay what they were.
const MASK: &str = "*";
/// Parameters of a Redis URL that tell nothing.
const OPEN_PARAMETERS: &[&str] = &["db", "protocol"];
/// A key or variable with one of these in its name may hold a secret, however its value is written.
const SECRET_NAMES: &[&str] = &["url", "uri", "password", "secret"];

/// Masks the secrets of a text that will be shown.
pub(super) fn masked(text: &str) -> String {
    by_line(text, |_| false)
}

/// Masks the secrets of a configuration's text. Whatever stands at a key that may hold a secret is masked whole.
pub(super) fn masked_file(text: &str) -> String {
    by_line(text, |line| line.split_once('=').is_some_and(|(name, _)| may_hold_secret(name)))
}

/// Masks the secrets of a variable's value.
pub(super) fn masked_variable(name: &str, value: &str) -> String {
    by_line(value, |_| may_hold_secret(name))
}

/// Shows a URL without its user's password and without parameters that may be one.
pub(super) fn url_without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::from("…") };
    let (address, parameters) = rest.split_once('?').map_or((rest, None), |(address, rest)| (address, Some(rest)));
    // A password may hold a question mark: then the host comes after it.
    let (address, parameters) = match rest.rsplit_once('@') {
        Some((_, host)) if parameters.is_some_and(|parameters| parameters.contains('@')) => {
            let (host, parameters) = host.split_once('?').map_or((host, None), |(host, rest)| (host, Some(rest)));
            (format!(":@{host}"), parameters)
        }
        _ => (address.to_owned(), parameters),
    };
    let address = match address.rsplit_once('@') {
        None => address,
        Some((user, host)) => format!("{}:…@{host}", user.split_once(':').map_or("…", |(user, _)| user)),
    };
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if !OPEN_PARAMETERS.contains(&name) => format!("{name}=…"),
        None if !parameter.is_empty() => String::from("…"),
        Some(_) | None => parameter.to_owned(),
    };
    let parameters = parameters.map(|parameters| parameters.split('&').map(shown).collect::<Vec<_>>().join("&"));
    let parameters = parameters.map_or_else(String::new, |parameters| format!("?{parameters}"));
    format!("{scheme}://{address}{parameters}")
}

fn may_hold_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret)) || name.trim_end().ends_with("redis")
}

/// Masks line by line; `is_secret` tells of a line whether its value is masked whatever it looks like.
fn by_line(text: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let line = without_tokens(line);
        let (name, value) = match line.split_once('=') {
            Some((name, _)) if is_secret(&line) => line.split_at(name.len() + 1),
            None if is_secret(&line) => ("", &*line),
            _ => {
                pieces(&line, |piece| mask_piece(piece, false), &mut out);
                continue;
            }
        };
        out.push_str(name);
        pieces(value, |piece| mask_piece(piece, true), &mut out);
    }
    out
}

/// Cuts a line at its quotes: what stands between two of them is one value, blanks and all.
fn pieces(line: &str, mask: impl Fn(&str) -> String, out: &mut String) {
    for piece in line.split_inclusive(['"', '\'']) {
        let (piece, quote) = match piece.char_indices().next_back() {
            Some((at, '"' | '\'')) => piece.split_at(at),
            _ => (piece, ""),
        };
        out.push_str(&mask(piece));
        out.push_str(quote);
    }
}

/// Masks a value: what stands between the scheme and the last `@`, and parameters that may be a password. One that
/// may be a secret and is no good URL is masked whole behind its scheme.
fn mask_piece(piece: &str, may_be_secret: bool) -> String {
    let scheme = scheme_length(piece);
    let (before, rest) = piece.split_at(scheme);
    let user_end = rest.rfind('@').unwrap_or(0);
    let is_whole = before.ends_with("://") && (user_end > 0 || is_host(rest));
    if may_be_secret && !is_whole && (user_end > 0 || !rest.trim().is_empty()) {
        return format!("{before}{}", rest.chars().map(mask_of).collect::<String>());
    }
    let (user, host) = rest.split_at(user_end);
    let user: String = user.chars().map(mask_of).collect();
    let Some((address, parameters)) = host.split_once('?') else { return format!("{before}{user}{host}") };
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if !OPEN_PARAMETERS.contains(&name) && may_hold_parameter_secret(name) => {
            format!("{name}={}", value.chars().map(mask_of).collect::<String>())
        }
        _ => parameter.to_owned(),
    };
    let parameters: Vec<String> = parameters.split('&').map(shown).collect();
    format!("{before}{user}{address}?{}", parameters.join("&"))
}

fn may_hold_parameter_secret(name: &str) -> bool {
    ["pass", "pwd", "user", "secret", "token"].iter().any(|secret| name.to_lowercase().contains(secret))
}

/// A mask as long as the character; the ends of lines, and what closes a list or begins a comment, stay.
fn mask_of(c: char) -> String {
    if c.is_whitespace() { c.to_string() } else { MASK.repeat(c.len_utf8()) }
}

/// Returns the length of a scheme with whatever follows it of `:` and `/`, well written or not.
fn scheme_length(text: &str) -> usize {
    let word = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '+')).unwrap_or(0);
    let is_scheme = ["redis", "rediss", "unix", "redis+unix"].contains(&&text[..word]);
    let marks = text[word..].find(|c| c != ':' && c != '/').unwrap_or(text.len() - word);
    let has_marks = text[word..].starts_with("://");
    if has_marks || is_scheme { word + if has_marks { 3 } else { marks } } else { 0 }
}

/// Tells whether a host with a port or a path follows, and nothing that may be a password.
fn is_host(rest: &str) -> bool {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let host = rest[..end].trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
    !host.is_empty() && !host.contains(':') || rest.starts_with('/') || host.starts_with('[')
}

fn without_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(TOKEN_PREFIX) {
        let (before, found) = rest.split_at(start);
        out.push_str(before);
        let body = &found[TOKEN_PREFIX.len()..];
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let length = body.find(|c| !is_token(c)).unwrap_or(body.len());
        out.push_str(TOKEN_PREFIX);
        out.push_str(&MASK.repeat(length));
        rest = &body[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_never_shown() {
        assert_eq!(masked("hash = \"kzt_abc-D_9\" # kzt_x, й kzt_"), "hash = \"kzt_*******\" # kzt_*, й kzt_");
    }

    #[test]
    fn no_password_of_a_url_is_shown_however_it_is_mistyped() {
        for url in [
            "http://kuzet:s3cr3t@redis:6379",
            "redis:/kuzet:s3cr3t@redis:6379",
            "redis//:s3cr3t@redis",
            "redis:kuzet:s3cr3t@redis",
            "redis://:s3cr3t",
            "redis://kuzet:s3cr3t:6379",
            "Redis://kuzet:s3cr3t@redis",
            "redis://kuzet:a s3cr3t@redis",
            "redis://kuzet:a/s3cr3t?x@redis",
            "redis://kuzet:s3cr3t@redis@host",
            "unix:///run/redis.sock?pass=s3cr3t",
            "redis://redis/?password=s3cr3t",
            "s3cr3t",
            "//s3cr3t@redis",
            "redіs://kuzet:s3cr3t@redis",
        ] {
            for line in [
                format!("url = \"{url}\"\n"),
                format!("[redis]\nurl = '{url}'\n"),
                format!("redis.url = \"{url}\""),
                format!("redis = {{ url = \"{url}\", timeout = \"1s\" }}"),
                format!("url = {url}\n"),
            ] {
                let shown = masked_file(&line);
                assert!(!shown.contains("s3cr3t"), "{line}: {shown}");
                assert_eq!((shown.len(), shown.lines().count()), (line.len(), line.lines().count()), "places stay");
            }
            for name in ["KUZET_REDIS_URL", "KUZET_REDIS_URI", "KUZET_REDIS"] {
                let shown = masked_variable(name, url);
                assert!(!shown.contains("s3cr3t"), "{url}: {shown}");
            }
        }
        for (line, shown) in [
            ("ur = \"redis://kuzet:s3cr3t@redis\"", "ur = \"redis://************@redis\""),
            ("brokers = \"kafka-1:9092,kafka-2:9092\" # two", "brokers = \"kafka-1:9092,kafka-2:9092\" # two"),
            ("url = \"redis://redis:6379/2?db=1\"", "url = \"redis://redis:6379/2?db=1\""),
            ("url = \"unix:///run/redis.sock\"", "url = \"unix:///run/redis.sock\""),
        ] {
            assert_eq!(masked_file(line), shown);
        }
    }

    #[test]
    fn a_good_url_is_printed_without_its_password() {
        for (url, shown) in [
            ("redis://redis:6379", "redis://redis:6379"),
            ("redis://kuzet:s3cr3t@redis:6379/1", "redis://kuzet:…@redis:6379/1"),
            ("rediss://:s3cr3t@redis", "rediss://:…@redis"),
            ("redis://kuzet:a?s3cr3t@redis?db=1", "redis://:…@redis?db=1"),
            ("unix:///run/redis.sock?db=1&user=kuzet&pass=s3cr3t", "unix:///run/redis.sock?db=1&user=…&pass=…"),
            ("redis://redis/?password=s3cr3t&protocol=resp3", "redis://redis/?password=…&protocol=resp3"),
            ("redis://redis?s3cr3t", "redis://redis?…"),
        ] {
            assert_eq!(url_without_password(url), shown);
        }
    }
}
