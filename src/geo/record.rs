//! Records of databases as their makers write them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::AnonymizerFlags;

/// A record of a country database: MaxMind's `country.iso_code`, or the flat `country_code` of others.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CountryRecord<'a> {
    #[serde(borrow)]
    country: CountryPart<'a>,
    country_code: Option<&'a str>,
}

impl CountryRecord<'_> {
    /// Returns the code of two letters.
    pub(super) fn code(&self) -> Option<[u8; 2]> {
        self.country.iso_code.or(self.country_code).and_then(iso_code)
    }
}

/// The country of a record: a map in MaxMind's databases; a code or, beside `country_code`, a name in others.
#[derive(Debug, Default)]
struct CountryPart<'a> {
    iso_code: Option<&'a str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for CountryPart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;

        impl<'de> Visitor<'de> for Part {
            type Value = CountryPart<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with `iso_code`, or a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(CountryPart { iso_code: (text.len() == 2).then_some(text) })
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                #[derive(Default, Deserialize)]
                #[serde(default)]
                struct Nested<'a> {
                    iso_code: Option<&'a str>,
                }
                let nested = Nested::deserialize(MapAccessDeserializer::new(map))?;
                Ok(CountryPart { iso_code: nested.iso_code })
            }
        }

        deserializer.deserialize_any(Part)
    }
}

/// A record of an anonymizer database: MaxMind's flags, or IP2Proxy's type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AnonymizerRecord<'a> {
    is_anonymous: bool,
    is_anonymous_vpn: bool,
    is_hosting_provider: bool,
    is_public_proxy: bool,
    is_residential_proxy: bool,
    is_tor_exit_node: bool,
    proxy_type: Option<&'a str>,
}

impl AnonymizerRecord<'_> {
    /// Returns the flags, those that IP2Proxy's type stands for included.
    pub(super) fn flags(&self) -> AnonymizerFlags {
        let typed = self.proxy_type.map(flags_of_proxy_type).unwrap_or_default();
        AnonymizerFlags {
            is_anonymous: self.is_anonymous,
            is_anonymous_vpn: self.is_anonymous_vpn,
            is_hosting_provider: self.is_hosting_provider,
            is_public_proxy: self.is_public_proxy,
            is_residential_proxy: self.is_residential_proxy,
            is_tor_exit_node: self.is_tor_exit_node,
        }
        .union(typed)
    }
}

/// Reads IP2Proxy's type of a proxy, or several with `/` between them. Search engines (`SES`, `AIC`) hide nobody;
/// private networks of consumers and companies (`CPN`, `EPN`) are neither proxies nor VPN services.
#[must_use]
pub(super) fn flags_of_proxy_type(text: &str) -> AnonymizerFlags {
    text.split('/').fold(AnonymizerFlags::default(), |flags, name| {
        let mut found = AnonymizerFlags::default();
        match name.trim().to_ascii_uppercase().as_str() {
            "VPN" => found.is_anonymous_vpn = true,
            "TOR" => found.is_tor_exit_node = true,
            "PUB" | "WEB" => found.is_public_proxy = true,
            "RES" => found.is_residential_proxy = true,
            "DCH" => found.is_hosting_provider = true,
            _ => return flags,
        }
        found.is_anonymous = true;
        flags.union(found)
    })
}

/// What tells the kind of a database by one of its records.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Probe<'a> {
    #[serde(borrow)]
    country: CountryPart<'a>,
    country_code: Option<&'a str>,
    is_anonymous: Option<bool>,
    is_anonymous_vpn: Option<bool>,
    is_hosting_provider: Option<bool>,
    is_public_proxy: Option<bool>,
    is_residential_proxy: Option<bool>,
    is_tor_exit_node: Option<bool>,
    proxy_type: Option<&'a str>,
}

impl Probe<'_> {
    /// Returns the country that the record names.
    pub(super) fn country(&self) -> Option<[u8; 2]> {
        self.country.iso_code.or(self.country_code).and_then(iso_code)
    }

    /// Tells whether it is a record of an anonymizer database.
    pub(super) fn names_anonymizers(&self) -> bool {
        let flags = [
            self.is_anonymous,
            self.is_anonymous_vpn,
            self.is_hosting_provider,
            self.is_public_proxy,
            self.is_residential_proxy,
            self.is_tor_exit_node,
        ];
        self.proxy_type.is_some() || flags.iter().any(Option::is_some)
    }
}

fn iso_code(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}
