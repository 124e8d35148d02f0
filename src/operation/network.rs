//! Networks and addresses as people write them, read in one way wherever they are read: in lists, in the sources
//! of `kuzet geoip`, in tests of rules.
//!
//! An IPv4 address written as an IPv6 one (`::ffff:203.0.113.7`, RFC 4291 section 2.5.5.2) is the IPv4 address: the
//! operations' addresses are read so too. What would silently mean something else than it seems to is an error.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use thiserror::Error;

/// Bits in front of the IPv4 address in `::ffff:203.0.113.7`.
const MAPPED_BITS: u8 = 96;

/// Why a text is not taken for a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetworkError {
    #[error("neither a network nor an address")]
    Neither,
    /// The bits behind the prefix are not zero: an address was meant, or another prefix.
    #[error("the address has bits behind the prefix")]
    HostBits { network: IpNet },
    /// All IPv4 addresses are mapped into one network of 96 bits; a shorter prefix holds each of them.
    #[error("a prefix of less than 96 bits holds every IPv4 address")]
    HoldsAllOfIpv4,
    /// `::203.0.113.7`, without `ffff`: a form that RFC 4291 deprecates, and that no operation's address has.
    #[error("an IPv4 address in the deprecated form without `ffff`")]
    Ipv4Compatible { meant: IpNet },
}

impl NetworkError {
    /// Says what to write instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Neither => String::from("write `203.0.113.0/24` or one address"),
            Self::HostBits { network } => format!("write `{network}` for the network, or the address without a prefix"),
            Self::HoldsAllOfIpv4 => {
                String::from("write `203.0.113.0/24`, which is `::ffff:203.0.113.0/120`, or a network in `2000::/3`")
            }
            Self::Ipv4Compatible { meant } => format!("write `{meant}`"),
        }
    }
}

/// Reads a network (`203.0.113.0/24`), or an address, which is a network of one.
///
/// # Errors
/// It is neither, or it would mean something else than it seems to.
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map_err(|_| NetworkError::Neither)?,
    };
    let normal = match network {
        IpNet::V6(network) => normal_of_v6(network)?,
        IpNet::V4(_) => network,
    };
    if normal.trunc() != normal {
        return Err(NetworkError::HostBits { network: normal.trunc() });
    }
    Ok(normal)
}

/// Turns a network of mapped IPv4 addresses into the IPv4 network.
fn normal_of_v6(network: Ipv6Net) -> Result<IpNet, NetworkError> {
    let address = network.addr();
    let as_v4 = |bits: u8| {
        let low = u32::try_from(u128::from(address) & u128::from(u32::MAX)).unwrap_or(0);
        IpNet::new_assert(IpAddr::V4(low.into()), bits)
    };
    let Some(bits) = network.prefix_len().checked_sub(MAPPED_BITS) else {
        let mapped = Ipv6Addr::from(0xffff_0000_0000_u128);
        let holds = address.to_ipv4_mapped().is_some() || network.contains(&mapped);
        return if holds { Err(NetworkError::HoldsAllOfIpv4) } else { Ok(network.into()) };
    };
    if address.to_ipv4_mapped().is_some() {
        return Ok(as_v4(bits));
    }
    // `::` and `::1` are addresses of their own.
    let is_compatible = u128::from(address) >> 32 == 0 && u128::from(address) > 1;
    if is_compatible || (u128::from(address) == 0 && bits < 31) {
        return Err(NetworkError::Ipv4Compatible { meant: as_v4(bits).trunc() });
    }
    Ok(network.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse_network(text) {
            Ok(network) => network.to_string(),
            Err(error) => format!("{error}; {}", error.help()),
        }
    }

    #[test]
    fn networks_and_addresses_have_one_form() {
        for (text, expected) in [
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("::ffff:cb00:7100/120", "203.0.113.0/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2000::/3", "2000::/3"),
            ("::1", "::1/128"),
            ("::/128", "::/128"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_means_something_else_is_an_error() {
        for (text, expected) in [
            ("::ffff:203.0.113.0/24", "a prefix of less than 96 bits holds every IPv4 address"),
            ("::ffff:0:0/95", "a prefix of less than 96 bits"),
            ("::/0", "a prefix of less than 96 bits"),
            ("::/64", "a prefix of less than 96 bits"),
            ("203.0.113.7/24", "the address has bits behind the prefix; write `203.0.113.0/24`"),
            ("::ffff:203.0.113.7/120", "the address has bits behind the prefix; write `203.0.113.0/24`"),
            ("2001:db8::1/32", "the address has bits behind the prefix; write `2001:db8::/32`"),
            ("::203.0.113.0/120", "an IPv4 address in the deprecated form without `ffff`; write `203.0.113.0/24`"),
            ("::203.0.113.7", "an IPv4 address in the deprecated form without `ffff`; write `203.0.113.7/32`"),
            ("::/96", "an IPv4 address in the deprecated form without `ffff`; write `0.0.0.0/0`"),
            ("203.0.113.0/33", "neither a network nor an address"),
            ("203.0.113.0/", "neither a network nor an address"),
            ("203.0.113", "neither a network nor an address"),
            ("203.0.113.007", "neither a network nor an address"),
            ("example.org", "neither a network nor an address"),
            ("", "neither a network nor an address"),
        ] {
            assert!(read(text).starts_with(expected), "{text}: {}", read(text));
        }
    }
}
