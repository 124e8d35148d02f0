//! Access tokens: made once, kept as hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::operation::words;

words! {
    /// What the bearer of a token may do.
    Role {
        /// Send operations and read decisions as the ledger.
        Ledger = "ledger",
        /// Look at wallets and lift restrictions.
        Support = "support",
        /// Look at decisions and rules.
        Analyst = "analyst",
        /// Read metrics.
        Metrics = "metrics",
    }
}

/// What every token begins with, so that one that leaks can be found.
pub const TOKEN_PREFIX: &str = "kzt_";
/// What every hash begins with.
pub const HASH_PREFIX: &str = "blake3:";
/// How many random bytes a token is made of.
pub const TOKEN_BYTES: usize = 32;

/// The hash of a token. Comparing takes the same time whatever differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(blake3::Hash);

impl TokenHash {
    /// Hashes a token as its bearer sends it, `kzt_…`.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(blake3::hash(token.as_bytes()))
    }

    /// Reads `blake3:` and 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text.strip_prefix(HASH_PREFIX)?).ok().map(Self)
    }

    /// Returns the beginning of the hash, enough to tell tokens apart.
    #[must_use]
    pub fn short(&self) -> String {
        let hex = self.0.to_hex();
        format!("{HASH_PREFIX}{}…", hex.as_str().get(..12).unwrap_or_default())
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASH_PREFIX}{}", self.0.to_hex())
    }
}

/// One `[[token]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenConfig {
    /// Who bears it: shown in logs and kept with what was done.
    pub name: String,
    pub hash: TokenHash,
    /// At least one, none twice.
    pub roles: Vec<Role>,
}

impl TokenConfig {
    /// Tells whether the bearer may act in this role.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// Writes random bytes as a token.
#[must_use]
pub fn token_of(bytes: &[u8; TOKEN_BYTES]) -> String {
    format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_token_only() {
        let token = token_of(&[7; TOKEN_BYTES]);
        assert_eq!(token, "kzt_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        let hash = TokenHash::of(&token);
        assert_eq!(TokenHash::parse(&hash.to_string()), Some(hash));
        assert_ne!(hash, TokenHash::of(&token_of(&[8; TOKEN_BYTES])));
        // The first 16 digits of the known hash of an empty text.
        assert!(TokenHash::of("").to_string().starts_with("blake3:af1349b9f5f9a1a6"));
        for text in ["", "blake3:", "blake3:00", &hash.short(), &format!("sha256:{}", "0".repeat(64))] {
            assert_eq!(TokenHash::parse(text), None, "{text}");
        }
    }
}
