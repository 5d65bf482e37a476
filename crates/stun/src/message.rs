//! STUN messages (RFC 8489, sections 5, 14.5 and 14.7) and the attributes that TURN adds to them (RFC 8656, section 18):
//! read without copying, written into one buffer. Only what relaying needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Attribute types.
pub mod attribute {
    /// MAPPED-ADDRESS in its masked form.
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// Who asks.
    pub const USERNAME: u16 = 0x0006;
    /// HMAC-SHA1 over everything before it.
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    /// What went wrong.
    pub const ERROR_CODE: u16 = 0x0009;
    /// Attributes that weren't understood.
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    /// The channel, and two bytes of nothing.
    pub const CHANNEL_NUMBER: u16 = 0x000C;
    /// Seconds.
    pub const LIFETIME: u16 = 0x000D;
    /// Where to send to, or from where it came.
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    /// What was sent.
    pub const DATA: u16 = 0x0013;
    /// Whose passwords these are.
    pub const REALM: u16 = 0x0014;
    /// What the server wants to see again.
    pub const NONCE: u16 = 0x0015;
    /// Where the server receives for the client.
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    /// IPv4 or IPv6.
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    /// A port with an even number; its first bit: and keep the one after it.
    pub const EVEN_PORT: u16 = 0x0018;
    /// UDP, and three bytes of nothing.
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    /// CRC-32 over everything before it.
    pub const FINGERPRINT: u16 = 0x8028;
}

/// Methods.
pub mod method {
    /// What is my address?
    pub const BINDING: u16 = 0x001;
    /// Receive for me.
    pub const ALLOCATE: u16 = 0x003;
    /// Go on doing so, or stop.
    pub const REFRESH: u16 = 0x004;
    /// Send this (an indication).
    pub const SEND: u16 = 0x006;
    /// This came (an indication).
    pub const DATA: u16 = 0x007;
    /// Let these send to me.
    pub const CREATE_PERMISSION: u16 = 0x008;
    /// Abbreviate this peer.
    pub const CHANNEL_BIND: u16 = 0x009;
}

pub(crate) const MAGIC_COOKIE: u32 = 0x2112_A442;
const HEADER_BYTES: usize = 20;
const INTEGRITY_BYTES: usize = 20;
const FINGERPRINT_MASK: u32 = 0x5354_554E;
/// Attributes from here on needn't be understood.
const OPTIONAL_FROM: u16 = 0x8000;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// The answer: yes.
    Success,
    /// The answer: no.
    Error,
}

impl Class {
    const fn bits(self) -> u16 {
        match self {
            Self::Request => 0x000,
            Self::Indication => 0x010,
            Self::Success => 0x100,
            Self::Error => 0x110,
        }
    }

    const fn of(kind: u16) -> Self {
        match kind & 0x110 {
            0x000 => Self::Request,
            0x010 => Self::Indication,
            0x100 => Self::Success,
            _ => Self::Error,
        }
    }
}

/// A transaction.
pub type TransactionId = [u8; 12];

/// A message as it came in, whole and in order.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// What kind.
    pub class: Class,
    /// What it is about.
    pub method: u16,
    /// Of which transaction.
    pub transaction: TransactionId,
}

impl<'a> Message<'a> {
    /// Reads a datagram. `None` when it is no STUN message, one that is damaged, or has a wrong FINGERPRINT.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let is_stun = kind & 0xC000 == 0 && header[4..8] == MAGIC_COOKIE.to_be_bytes();
        if !is_stun || length != body.len() || !length.is_multiple_of(4) {
            return None;
        }
        let method = (kind & 0x000F) | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2;
        let transaction = header[8..].try_into().ok()?;
        let message = Self { bytes, class: Class::of(kind), method, transaction };
        let mut all = Attributes { rest: body };
        while !all.rest.is_empty() {
            all.next()?;
        }
        message.fingerprint_holds().then_some(message)
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: &self.bytes[HEADER_BYTES..] }
    }

    /// The value of the first attribute of this type. What follows MESSAGE-INTEGRITY isn't protected by it, and counts
    /// for nothing.
    #[must_use]
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.protected().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// The values of all attributes of this type.
    pub fn all(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> {
        self.protected().filter(move |(found, _)| *found == kind).map(|(_, value)| value)
    }

    fn protected(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut over = false;
        self.attributes().take_while(move |(kind, _)| {
            let before = over;
            over |= *kind == attribute::MESSAGE_INTEGRITY;
            !before
        })
    }

    /// The value of an attribute that is text.
    #[must_use]
    pub fn text(&self, kind: u16) -> Option<&'a str> {
        self.attribute(kind).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of an attribute that is a number of 32 bits.
    #[must_use]
    pub fn number(&self, kind: u16) -> Option<u32> {
        self.attribute(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The value of an attribute that is a masked address.
    #[must_use]
    pub fn address(&self, kind: u16) -> Option<SocketAddr> {
        self.attribute(kind).and_then(|value| unmask(value, &self.transaction))
    }

    /// What went wrong: 300 to 699, and the reason for people.
    #[must_use]
    pub fn error_code(&self) -> Option<(u16, &'a str)> {
        let (head, reason) = self.attribute(attribute::ERROR_CODE)?.split_at_checked(4)?;
        let code = u16::from(head[2] & 7) * 100 + u16::from(head[3].min(99));
        Some((code, std::str::from_utf8(reason).unwrap_or_default()))
    }

    /// Attributes that must be understood, and aren't among these.
    #[must_use]
    pub fn unknown(&self, known: &[u16]) -> Vec<u16> {
        let required = self.protected().map(|(kind, _)| kind).filter(|kind| *kind < OPTIONAL_FROM);
        required.filter(|kind| !known.contains(kind)).collect()
    }

    /// Whether its MESSAGE-INTEGRITY is that of this key.
    #[must_use]
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let mut at = HEADER_BYTES;
        for (kind, value) in self.attributes() {
            if kind == attribute::MESSAGE_INTEGRITY {
                let mac = integrity(&self.bytes[..at], key);
                return mac.is_some_and(|mac| mac.verify_slice(value).is_ok());
            }
            at += 4 + padded(value.len());
        }
        false
    }

    fn fingerprint_holds(&self) -> bool {
        let Some(at) = self.bytes.len().checked_sub(8).filter(|at| *at >= HEADER_BYTES) else { return true };
        let last = self.attributes().last();
        match last {
            Some((attribute::FINGERPRINT, value)) => value == fingerprint(&self.bytes[..at]).to_be_bytes(),
            Some(_) | None => true,
        }
    }
}

#[derive(Clone)]
struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_at_checked(4)?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        self.rest = rest.get(padded(length)..)?;
        Some((kind, value))
    }
}

const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// HMAC-SHA1 as RFC 8489, section 14.5 has it: the header's length already counts the attribute.
fn integrity(before: &[u8], key: &[u8]) -> Option<Hmac<Sha1>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    let length = u16::try_from(before.len() - HEADER_BYTES + 4 + INTEGRITY_BYTES).ok()?;
    mac.update(&before[..2]);
    mac.update(&length.to_be_bytes());
    mac.update(&before[4..]);
    Some(mac)
}

fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_MASK
}

/// Reads a masked address (RFC 8489, section 14.2).
#[must_use]
pub fn unmask(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let (head, address) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2], head[3]]) ^ (MAGIC_COOKIE >> 16) as u16;
    let ip: IpAddr = match (head[1], address.len()) {
        (1, 4) => Ipv4Addr::from_bits(u32::from_be_bytes(address.try_into().ok()?) ^ MAGIC_COOKIE).into(),
        (2, 16) => Ipv6Addr::from_bits(u128::from_be_bytes(address.try_into().ok()?) ^ mask(transaction)).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn mask(transaction: &TransactionId) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(transaction);
    u128::from_be_bytes(mask)
}

/// A message being written.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// A message without attributes.
    #[must_use]
    pub fn new(class: Class, method: u16, transaction: &TransactionId) -> Self {
        Self::reuse(Vec::with_capacity(128), class, method, transaction)
    }

    /// The same in a buffer that is there already; what it holds goes.
    #[must_use]
    pub fn reuse(mut bytes: Vec<u8>, class: Class, method: u16, transaction: &TransactionId) -> Self {
        bytes.clear();
        let kind = (method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | class.bits();
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        bytes.extend_from_slice(transaction);
        Self { bytes }
    }

    /// Adds an attribute. Values beyond 65 535 bytes can't be, and leave it out.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let Ok(length) = u16::try_from(value.len()) else { return self };
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(padded(self.bytes.len()), 0);
        self.fix_length();
        self
    }

    /// Adds an address in its masked form.
    #[must_use]
    pub fn address(self, kind: u16, address: SocketAddr) -> Self {
        let transaction: TransactionId = self.bytes[8..HEADER_BYTES].try_into().unwrap_or_default();
        let port = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => {
                let [a, b, c, d] = (ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes();
                self.attribute(kind, &[0, 1, port[0], port[1], a, b, c, d])
            }
            IpAddr::V6(ip) => {
                let mut value = [0; 20];
                value[1] = 2;
                value[2..4].copy_from_slice(&port);
                value[4..].copy_from_slice(&(ip.to_bits() ^ mask(&transaction)).to_be_bytes());
                self.attribute(kind, &value)
            }
        }
    }

    /// Adds what went wrong: 300 to 699, and the reason for people.
    #[must_use]
    pub fn error(self, code: u16, reason: &str) -> Self {
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend_from_slice(reason.as_bytes());
        self.attribute(attribute::ERROR_CODE, &value)
    }

    /// The message, signed.
    #[must_use]
    pub fn signed(self, key: &[u8]) -> Vec<u8> {
        let mac = integrity(&self.bytes, key).map(|mac| mac.finalize().into_bytes());
        match mac {
            Some(mac) => self.attribute(attribute::MESSAGE_INTEGRITY, &mac).bytes,
            None => self.bytes,
        }
    }

    /// The message as it is.
    #[must_use]
    pub fn unsigned(self) -> Vec<u8> {
        self.bytes
    }

    /// The message with a FINGERPRINT.
    #[must_use]
    pub fn with_fingerprint(mut self) -> Vec<u8> {
        // It counts the length that the message will have.
        let before = self.bytes.len();
        self = self.attribute(attribute::FINGERPRINT, &[0; 4]);
        let crc = fingerprint(&self.bytes[..before]);
        self.bytes[before + 4..].copy_from_slice(&crc.to_be_bytes());
        self.bytes
    }

    fn fix_length(&mut self) {
        let length = u16::try_from(self.bytes.len() - HEADER_BYTES).unwrap_or(u16::MAX);
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    /// RFC 5769, section 2.1 (its request, by its short-term password).
    const SAMPLE: &[u8] = &[
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
        0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
        0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f,
        0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
        0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
    ];

    #[test]
    fn the_sample_of_the_standard_is_read_and_its_signature_holds() {
        let message = Message::parse(SAMPLE).unwrap();
        assert_eq!((message.class, message.method), (Class::Request, method::BINDING));
        assert_eq!(message.text(attribute::USERNAME), Some("evtj:h6vY"));
        assert!(message.is_signed_with(b"VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!message.is_signed_with(b"VOkJxbRl1RmTxUk/WvJxBu"));
        assert_eq!(message.unknown(&[attribute::USERNAME]), [0x0024, attribute::MESSAGE_INTEGRITY]);
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        // All but the type of the last attribute: without it there is no FINGERPRINT to be wrong.
        for at in (0..SAMPLE.len()).filter(|at| !(100..102).contains(at)) {
            let mut bytes = SAMPLE.to_vec();
            bytes[at] ^= 1;
            assert!(Message::parse(&bytes).is_none(), "byte {at}");
        }
    }

    #[test]
    fn an_error_is_read_back() {
        let bytes =
            Builder::new(Class::Error, method::ALLOCATE, &[7; 12]).error(486, "Allocation Quota Reached").unsigned();
        assert_eq!(Message::parse(&bytes).unwrap().error_code(), Some((486, "Allocation Quota Reached")));
    }

    #[test]
    fn what_follows_the_signature_counts_for_nothing() {
        let transaction = [7; 12];
        let signed = Builder::new(Class::Request, method::REFRESH, &transaction).signed(b"key");
        let late = Builder { bytes: signed }.attribute(attribute::LIFETIME, &[0, 0, 0, 9]).unsigned();
        let message = Message::parse(&late).unwrap();
        assert!(message.is_signed_with(b"key"));
        assert_eq!(message.number(attribute::LIFETIME), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ip: u128, four: bool, port: u16, transaction: [u8; 12], data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let ip: IpAddr = if four { Ipv4Addr::from_bits(ip as u32).into() } else { Ipv6Addr::from_bits(ip).into() };
            let address = SocketAddr::new(ip, port);
            let bytes = Builder::new(Class::Indication, method::DATA, &transaction)
                .address(attribute::XOR_PEER_ADDRESS, address)
                .attribute(attribute::DATA, &data)
                .with_fingerprint();
            let message = Message::parse(&bytes).unwrap();
            prop_assert_eq!((message.class, message.method), (Class::Indication, method::DATA));
            prop_assert_eq!(message.address(attribute::XOR_PEER_ADDRESS), Some(address));
            prop_assert_eq!(message.attribute(attribute::DATA), Some(data.as_slice()));
        }

        #[test]
        fn nothing_from_outside_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..SAMPLE.len(), put: u8) {
            let mut sample = SAMPLE[..SAMPLE.len() - 8].to_vec();
            sample[3] -= 8;
            if let Some(byte) = sample.get_mut(at) { *byte = put; }
            for bytes in [bytes, sample] {
                if let Some(message) = Message::parse(&bytes) {
                    let _ = message.is_signed_with(b"key");
                    let _ = message.unknown(&[]);
                    let _ = message.address(attribute::XOR_PEER_ADDRESS);
                    let _ = message.error_code();
                }
            }
        }
    }
}
