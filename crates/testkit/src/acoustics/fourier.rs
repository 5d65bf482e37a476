//! The fast Fourier transform, radix 2, and convolution by it.

use std::f64::consts::PI;

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Complex {
    pub(super) re: f64,
    pub(super) im: f64,
}

impl Complex {
    pub(super) fn power(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

/// A transform of one length, a power of two.
pub(super) struct Fourier {
    turns: Vec<Complex>,
}

impl Fourier {
    pub(super) fn new(length: usize) -> Self {
        assert!(length.is_power_of_two(), "a radix-2 transform of {length}");
        let turn = |i: usize| {
            let (im, re) = (-2.0 * PI * i as f64 / length as f64).sin_cos();
            Complex { re, im }
        };
        Self { turns: (0..length / 2).map(turn).collect() }
    }

    /// In place.
    pub(super) fn forward(&self, data: &mut [Complex]) {
        let length = data.len();
        let bits = length.trailing_zeros();
        for i in 0..length {
            let j = i.reverse_bits() >> (usize::BITS - bits);
            if i < j {
                data.swap(i, j);
            }
        }
        let mut half = 1;
        while half < length {
            for block in data.chunks_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for (i, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let turned = b.times(self.turns[i * (length / 2 / half)]);
                    *b = Complex { re: a.re - turned.re, im: a.im - turned.im };
                    *a = Complex { re: a.re + turned.re, im: a.im + turned.im };
                }
            }
            half *= 2;
        }
    }

    /// In place; the inverse of [`Fourier::forward`].
    pub(super) fn backward(&self, data: &mut [Complex]) {
        data.iter_mut().for_each(|c| c.im = -c.im);
        self.forward(data);
        let scale = 1.0 / data.len() as f64;
        data.iter_mut().for_each(|c| *c = Complex { re: c.re * scale, im: -c.im * scale });
    }
}

/// What comes of `signal` through a filter with this impulse response, cut to the signal's length (overlap-add).
pub(super) fn convolve(signal: &[f32], response: &[f32]) -> Vec<f32> {
    let length = (2 * response.len()).next_power_of_two().max(1024);
    let step = length - response.len() + 1;
    let fourier = Fourier::new(length);
    let padded = |part: &[f32]| {
        let mut data: Vec<_> = part.iter().map(|&s| Complex { re: f64::from(s), im: 0.0 }).collect();
        data.resize(length, Complex::default());
        data
    };
    let mut filter = padded(response);
    fourier.forward(&mut filter);
    let mut out = vec![0.0; signal.len()];
    for (index, part) in signal.chunks(step).enumerate() {
        let mut data = padded(part);
        fourier.forward(&mut data);
        data.iter_mut().zip(&filter).for_each(|(c, f)| *c = c.times(*f));
        fourier.backward(&mut data);
        out[index * step..].iter_mut().zip(&data).for_each(|(o, c)| *o += c.re as f32);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acoustics::noise;

    #[test]
    fn convolution_is_what_its_definition_says() {
        let (signal, response) = (noise(1, 3_000, -10.0), noise(2, 700, -10.0));
        let fast = convolve(&signal, &response);
        for at in [0, 1, 699, 700, 1500, 2999] {
            let slow: f32 = response.iter().take(at + 1).enumerate().map(|(lag, r)| r * signal[at - lag]).sum();
            assert!((fast[at] - slow).abs() < 1e-4, "{at}: {} for {slow}", fast[at]);
        }
    }

    #[test]
    fn there_and_back_is_where_it_began() {
        let fourier = Fourier::new(64);
        let data: Vec<_> = (0..64).map(|i| Complex { re: f64::from(i), im: f64::from(i % 7) }).collect();
        let mut copy = data.clone();
        fourier.forward(&mut copy);
        fourier.backward(&mut copy);
        assert!(copy.iter().zip(&data).all(|(a, b)| (a.re - b.re).hypot(a.im - b.im) < 1e-9));
    }
}
