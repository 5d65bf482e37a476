//! Arithmetic in GF(256): bytes that can be added, multiplied and divided without leaving bytes. Addition is exclusive or; the
//! polynomial is x⁸ + x⁴ + x³ + x² + 1, that of RFC 8681, section 3.1.

/// The polynomial without its highest power.
const POLYNOMIAL: u8 = 0x1d;

/// Products of all pairs: 64 KiB, of which a row at a time is in use.
static PRODUCTS: [[u8; 256]; 256] = products();

const fn products() -> [[u8; 256]; 256] {
    let mut table = [[0; 256]; 256];
    let mut a = 0;
    while a < 256 {
        let mut b = 0;
        while b < 256 {
            table[a][b] = product(a as u8, b as u8);
            b += 1;
        }
        a += 1;
    }
    table
}

const fn product(mut a: u8, mut b: u8) -> u8 {
    let mut result = 0;
    while b != 0 {
        if b & 1 == 1 {
            result ^= a;
        }
        let overflows = a & 0x80 != 0;
        a <<= 1;
        if overflows {
            a ^= POLYNOMIAL;
        }
        b >>= 1;
    }
    result
}

pub(super) fn multiply(a: u8, b: u8) -> u8 {
    PRODUCTS[usize::from(a)][usize::from(b)]
}

/// One over `a`; zero has none, and gives zero.
pub(super) fn inverse(a: u8) -> u8 {
    let row = &PRODUCTS[usize::from(a)];
    // At most 255, the length of a row less one.
    row.iter().position(|&product| product == 1).unwrap_or(0) as u8
}

/// Adds `factor` times `source` to `sum`, as far as both go.
pub(super) fn add(sum: &mut [u8], source: &[u8], factor: u8) {
    let row = &PRODUCTS[usize::from(factor)];
    for (sum, &byte) in sum.iter_mut().zip(source) {
        *sum ^= row[usize::from(byte)];
    }
}

/// Multiplies all of it.
pub(super) fn scale(bytes: &mut [u8], factor: u8) {
    let row = &PRODUCTS[usize::from(factor)];
    for byte in bytes {
        *byte = row[usize::from(*byte)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_field() {
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1);
            assert_eq!((multiply(a, 1), multiply(a, 0)), (a, 0));
            for b in 1..=255 {
                assert_ne!(multiply(a, b), 0);
                assert_eq!(multiply(a, b), multiply(b, a));
                assert_eq!(multiply(a, b ^ 0x5a), multiply(a, b) ^ multiply(a, 0x5a));
            }
        }
    }

    #[test]
    fn what_is_added_twice_is_gone() {
        let (mut sum, bytes) = (vec![7; 300], (0..300).map(|i| i as u8).collect::<Vec<_>>());
        add(&mut sum, &bytes, 91);
        assert_ne!(sum, vec![7; 300]);
        add(&mut sum, &bytes, 91);
        assert_eq!(sum, vec![7; 300]);
    }
}
