//! A code that says where it is good, for networks in which nobody can be found: `4827-tulip-orbit@192.0.2.7:7880`. The address
//! is that of the app that serves the room; it takes no part in what the code proves.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::code::{CodeError, RoomCode, code_part, is_invisible};

/// The port of a server that is told no other, and of an address that is written without one.
pub const DEFAULT_PORT: u16 = 7880;

/// A code, with the address in it if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Invitation {
    /// The code.
    pub code: RoomCode,
    /// Who serves its room.
    pub address: Option<SocketAddr>,
}

impl Invitation {
    /// Reads what somebody typed or pasted, as [`RoomCode::parse`] does, with or without `@` and an address behind the words.
    /// An address is IPv4, or IPv6 with brackets around it (RFC 3986, section 3.2.2); without a port it has the usual one.
    ///
    /// # Errors
    /// [`CodeError`], whose text says in plain words what is wrong with the input.
    pub fn parse(input: &str) -> Result<Self, CodeError> {
        let part = code_part(input.trim())?;
        let (code, address) = match part.split_once('@') {
            None => (part, None),
            Some((code, address)) => (code, Some(parse_address(address)?)),
        };
        Ok(Self { code: RoomCode::parse(code)?, address })
    }
}

impl FromStr for Invitation {
    type Err = CodeError;

    fn from_str(input: &str) -> Result<Self, CodeError> {
        Self::parse(input)
    }
}

impl From<RoomCode> for Invitation {
    fn from(code: RoomCode) -> Self {
        Self { code, address: None }
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            None => self.code.fmt(f),
            Some(address) => write!(f, "{}@{address}", self.code),
        }
    }
}

/// Text is copied with what stands around it: spaces and line ends within, a full stop or a bracket behind.
fn parse_address(text: &str) -> Result<SocketAddr, CodeError> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect();
    let bare = bare.trim_end_matches(['.', ',', ';', ')', '/', '>']);
    let with_port = bare.parse::<SocketAddr>().ok();
    let address = with_port.or_else(|| {
        let ip = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(bare);
        Some(SocketAddr::new(ip.parse().ok()?, DEFAULT_PORT))
    });
    let address = address.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    address
        .filter(|address| address.port() != 0 && is_of_one_machine(address.ip()))
        .ok_or_else(|| CodeError::bad_address(text))
}

/// Whether it can be called at all: a link-local address of IPv6 is good on one interface only, and doesn't say on which.
fn is_of_one_machine(ip: IpAddr) -> bool {
    let is_link_local = |ip: Ipv6Addr| ip.segments()[0] & 0xffc0 == 0xfe80;
    match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !is_link_local(ip),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_of_writing_one_address_is_that_address() {
        for (input, address) in [
            ("4827-tulip-orbit", None),
            ("4827-tulip-orbit@192.0.2.7:7880", Some("192.0.2.7:7880")),
            ("4827-tulip-orbit@192.0.2.7", Some("192.0.2.7:7880")),
            (" 4827 Tulip ORBIT @ 192.0.2.7:4711. ", Some("192.0.2.7:4711")),
            ("4827-tulip-orbit@\n192.0.2.7:4711", Some("192.0.2.7:4711")),
            ("4827-tulip-orbit\u{200b}@192.0.2.7\u{200b}:4711)", Some("192.0.2.7:4711")),
            ("4827-tulip-orbit@[2001:db8::7]:4711", Some("[2001:db8::7]:4711")),
            ("4827-tulip-orbit@[2001:DB8::7]", Some("[2001:db8::7]:7880")),
            ("4827-tulip-orbit@2001:db8::7", Some("[2001:db8::7]:7880")),
            ("4827-tulip-orbit@[::ffff:192.0.2.7]:4711", Some("192.0.2.7:4711")),
            ("visavis://4827-tulip-orbit@192.0.2.7:4711", Some("192.0.2.7:4711")),
            ("visavis://4827-tulip-orbit@[2001:db8::7]:4711/", Some("[2001:db8::7]:4711")),
            ("https://call.example/#4827-tulip-orbit@192.0.2.7:4711", Some("192.0.2.7:4711")),
        ] {
            let read = Invitation::parse(input).unwrap_or_else(|error| panic!("{input}: {error}"));
            assert_eq!(read.code.to_string(), "4827-tulip-orbit", "{input}");
            assert_eq!(read.address, address.map(|address| address.parse().unwrap()), "{input}");
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        for address in [
            "",
            "here",
            "192.0.2.7:0",
            "192.0.2.7:65536",
            "192.0.2",
            "192.0.2.7:7880:1",
            "0.0.0.0",
            "224.0.0.251",
            "255.255.255.255",
            "[::]:7880",
            "[ff02::fb]",
            "[fe80::1]:7880",
            "call.example:7880",
            "192.0.2.7@192.0.2.8",
            "[192.0.2.7:7880",
            "１92.0.2.7",
        ] {
            let error = Invitation::parse(&format!("4827-tulip-orbit@{address}")).unwrap_err();
            assert_eq!(error, CodeError::bad_address(address), "{address}");
        }
        let error = Invitation::parse("4827-tulip-orbit@call.example").unwrap_err().to_string();
        assert_eq!(
            error,
            "“call.example” isn't an address: behind the @ stands one such as 192.168.1.7:7880, or nothing with the @ left out."
        );
        assert!(matches!(Invitation::parse("@192.0.2.7:7880"), Err(CodeError::Empty)));
    }

    proptest! {
        #[test]
        fn any_text_is_an_invitation_or_an_error(input in ".{0,64}|4827-tulip-orbit@[0-9a-f.:\\[\\]]{0,40}") {
            if let Ok(read) = Invitation::parse(&input) {
                prop_assert_eq!(Invitation::parse(&read.to_string()), Ok(read));
            }
        }
    }
}
