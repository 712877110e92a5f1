//! `exp` and `ln`, four at a time. Only additions, multiplications and divisions of IEEE 754, never fused: the same bits on every
//! machine, whatever its C library and its processor's extensions, and in whatever lane. The loops are written for the compiler to turn
//! into vector instructions.
//!
//! Both are within 2^-51 of the true value, relative to it (`ln` close to 1: absolute). The polynomials were fitted at the Chebyshev
//! points of their interval; their own error is below 2^-55.

use wide::f64x4;

/// Four numbers that go through the same arithmetic.
pub type Lanes = f64x4;

/// Calls a function on four numbers in the form that suits the processor.
macro_rules! dispatch {
    ($name:ident($x:expr)) => {{
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(
                unsafe_code,
                reason = "the processor was just asked for the only feature that the function needs; it is safe otherwise"
            )]
            return unsafe { avx2::$name($x) }.into();
        }
        baseline::$name($x)
    }};
}

/// `1.5 · 2^52`: adding it leaves a rounded integer in the lowest bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const MANTISSA: u64 = (1 << 52) - 1;
/// Upper part of `ln 2`, whose multiples by an exponent are exact, and the rest.
const LN_2_HIGH: f64 = 0.693_146_705_627_441_4;
const LN_2_LOW: f64 = 4.749_325_039_031_672_6e-7;
/// Below it `exp` is 0, above the next it is infinite.
const EXP_MIN: f64 = -746.0;
const EXP_MAX: f64 = 710.0;
/// `exp(r) = 1 + r + r²·q(r)` for `|r| ≤ ln(2)/2`.
const EXP: [f64; 10] = [
    0.500_000_000_000_000_1,
    0.166_666_666_666_666_69,
    0.041_666_666_666_624_13,
    0.008_333_333_333_330_062,
    0.001_388_888_891_721_371_7,
    0.000_198_412_698_630_536_18,
    2.480_152_129_595_437_6e-5,
    2.755_726_845_999_706_4e-6,
    2.762_008_844_540_974_6e-7,
    2.510_038_549_551_032e-8,
];
/// `ln((1 + s)/(1 − s)) = 2s + s³·w(s²)` for `(1 + s)/(1 − s)` between `√½` and `√2`.
const LN: [f64; 7] = [
    0.666_666_666_666_667,
    0.399_999_999_998_988_9,
    0.285_714_286_262_538_36,
    0.222_222_110_893_794_96,
    0.181_828_924_325_368_7,
    0.153_316_117_220_550_08,
    0.146_178_071_534_173_25,
];
/// Bits of `√½`: mantissas are taken from there to `√2`.
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE_BITS: u64 = 1023 << 52;
/// `2^52`, by its bits and with the exponent's bias.
const WHOLE_BITS: u64 = 0x4330_0000_0000_0000;
const WHOLE_AND_BIAS: f64 = 4_503_599_627_370_496.0 + 1023.0;

/// `e^x`.
#[inline(never)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    exp_of(x)
}

/// `e^x` in each lane, equal to [`exp`] to the bit.
#[inline]
#[must_use]
pub fn exp_lanes(x: Lanes) -> Lanes {
    dispatch!(exp_four(x.to_array())).into()
}

/// Natural logarithm; `-∞` of 0, NaN of what is negative.
#[inline(never)]
#[must_use]
pub fn ln(x: f64) -> f64 {
    if is_ordinary(x) { ln_of(x) } else { x.ln() }
}

/// Natural logarithm in each lane, equal to [`ln`] to the bit.
#[inline]
#[must_use]
pub fn ln_lanes(x: Lanes) -> Lanes {
    let x = x.to_array();
    let ordinary = x.iter().fold(true, |all, x| all & is_ordinary(*x));
    if ordinary { dispatch!(ln_four(x)).into() } else { x.map(ln).into() }
}

/// `ln(1 + x)` for `x` ≥ 0, below 0.01 within 2^-51 relative to it, from there on as [`ln`] of the rounded sum.
#[inline]
#[must_use]
pub fn ln_1p(x: f64) -> f64 {
    /// Terms of the series `x − x²/2 + x³/3 − …`; the first left out is below 2^-55 of the sum.
    const TERMS: i32 = 9;
    if x >= 0.01 {
        return ln(1.0 + x);
    }
    x * (1.0 - (2..=TERMS).rev().fold(0.0, |sum, term| (1.0 / f64::from(term) - sum) * x))
}

fn is_ordinary(x: f64) -> bool {
    (f64::MIN_POSITIVE..=f64::MAX).contains(&x)
}

/// The functions on four numbers, once for every x86-64 processor and once with registers of four. The operations are the same and
/// round the same way, so the answers are equal to the bit. Never inlined: a dozen copies would not fit the instruction cache.
mod baseline {
    #[inline(never)]
    pub fn exp_four(x: [f64; 4]) -> [f64; 4] {
        x.map(super::exp_of)
    }

    #[inline(never)]
    pub fn ln_four(x: [f64; 4]) -> [f64; 4] {
        x.map(super::ln_of)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub fn exp_four(x: [f64; 4]) -> [f64; 4] {
        let mut answers = [0.0; 4];
        for (answer, x) in answers.iter_mut().zip(x) {
            *answer = super::exp_of(x);
        }
        answers
    }

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub fn ln_four(x: [f64; 4]) -> [f64; 4] {
        let mut answers = [0.0; 4];
        for (answer, x) in answers.iter_mut().zip(x) {
            *answer = super::ln_of(x);
        }
        answers
    }
}

/// [`exp`], inlined so that four of them become one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only what is inlined takes on the caller's target features")]
fn exp_of(x: f64) -> f64 {
    // Written so that NaN goes through.
    let x = if x < EXP_MIN { EXP_MIN } else { x };
    let x = if x > EXP_MAX { EXP_MAX } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    let square = rest * rest;
    let power = 1.0 + (rest + square * polynomial(rest, square, &EXP));
    // Two factors, so that results below the normal numbers round by themselves.
    let exponents = shifted.to_bits().wrapping_sub(ROUNDER.to_bits() - 2046);
    let (first, second) = (exponents >> 1, exponents.wrapping_sub(exponents >> 1));
    power * f64::from_bits(first << 52) * f64::from_bits(second << 52)
}

/// [`ln`] of a normal positive number.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn ln_of(x: f64) -> f64 {
    let moved = x.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
    let exponent = f64::from_bits((moved >> 52) | WHOLE_BITS) - WHOLE_AND_BIAS;
    let f = f64::from_bits((moved & MANTISSA).wrapping_add(SQRT_HALF_BITS)) - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let half = 0.5 * f * f;
    let series = square * polynomial(square, square * square, &LN);
    exponent * LN_2_HIGH - ((half - (s * (half + series) + exponent * LN_2_LOW)) - f)
}

/// Even and odd powers apart: two short chains of operations instead of one long one.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn polynomial<const N: usize>(x: f64, square: f64, coefficients: &[f64; N]) -> f64 {
    let mut sums = [0.0, 0.0];
    for at in (0..N).rev() {
        // The first of each chain needs no product.
        sums[at & 1] = if at + 2 < N { sums[at & 1] * square + coefficients[at] } else { coefficients[at] };
    }
    sums[0] + x * sums[1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Lanes, exp, exp_lanes, ln, ln_1p, ln_lanes};

    /// 2^-51.
    const TOLERANCE: f64 = 4.441e-16;

    #[test]
    fn the_ends_of_the_scale_are_those_of_the_library() {
        for x in [0.0, -0.0, 1.0, -745.0, -746.0, -1e300, 709.7, 709.8, 1e300, f64::INFINITY, f64::NEG_INFINITY, 5e-324] {
            let (ours, theirs) = (exp(x), x.exp());
            assert!(ours.to_bits() == theirs.to_bits() || (ours / theirs - 1.0).abs() <= TOLERANCE, "exp {x}: {ours} {theirs}");
        }
        for x in [0.0, -0.0, 1.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
            assert!((ln(x) - x.ln()).abs() <= TOLERANCE * x.ln().abs() || ln(x).to_bits() == x.ln().to_bits(), "ln {x}: {}", ln(x));
        }
        for x in [0.0_f64, 1e-300, 1e-9, 0.003, 0.01, 0.5, 1e9] {
            let precision = if x < 0.01 { x.ln_1p() } else { x.ln_1p().max(0.5) };
            assert!((ln_1p(x) - x.ln_1p()).abs() <= TOLERANCE * precision, "ln_1p {x}: {} {}", ln_1p(x), x.ln_1p());
        }
        assert!(exp(f64::NAN).is_nan() && ln(f64::NAN).is_nan() && ln(-1.0).is_nan());
    }

    #[test]
    fn lanes_say_what_single_numbers_say_at_the_ends_too() {
        let odd = [0.0, -1e300, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, -1.0, 1.0, 709.9, -745.1, f64::MIN_POSITIVE];
        for chunk in odd.chunks(4) {
            let four: [f64; 4] = chunk.try_into().unwrap();
            assert_eq!(exp_lanes(Lanes::from(four)).to_array().map(f64::to_bits), four.map(exp).map(f64::to_bits), "exp {four:?}");
            let (ours, single) = (ln_lanes(Lanes::from(four)).to_array(), four.map(ln));
            assert!(ours.iter().zip(single).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()), "ln {four:?}: {ours:?}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn registers_of_four_change_no_bit() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            eprintln!("skipped: the processor has no AVX2");
            return;
        }
        for step in 0..200_000 {
            let x = std::array::from_fn(|lane| f64::from(step) * 0.0071 - 720.0 + lane as f64 * 0.001);
            let y = x.map(|x: f64| (x / 1.1).exp());
            #[expect(unsafe_code, reason = "the processor was asked for the feature")]
            let (exp, ln) = unsafe { (super::avx2::exp_four(x), super::avx2::ln_four(y)) };
            assert_eq!(exp.map(f64::to_bits), super::baseline::exp_four(x).map(f64::to_bits), "exp {x:?}");
            assert_eq!(ln.map(f64::to_bits), super::baseline::ln_four(y).map(f64::to_bits), "ln {y:?}");
        }
    }

    #[test]
    fn powers_of_two_have_exact_enough_logarithms() {
        for exponent in -1022..=1023 {
            let (ours, theirs) = (ln(2f64.powi(exponent)), f64::from(exponent) * std::f64::consts::LN_2);
            assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs(), "{exponent}: {ours} {theirs}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn exp_is_within_its_bound(x in -708.0f64..709.0, small in -1.0f64..1.0) {
            for x in [x, small, x / 64.0] {
                prop_assert!((exp(x) / x.exp() - 1.0).abs() <= TOLERANCE, "{}: {} {}", x, exp(x), x.exp());
            }
        }

        #[test]
        fn ln_is_within_its_bound(bits in f64::MIN_POSITIVE.to_bits()..f64::MAX.to_bits(), near in 0.5f64..2.0) {
            for x in [f64::from_bits(bits), near] {
                let theirs = x.ln();
                prop_assert!((ln(x) - theirs).abs() <= TOLERANCE * theirs.abs().max(0.5), "{}: {} {}", x, ln(x), theirs);
            }
        }

        #[test]
        fn lanes_equal_single_numbers_to_the_bit(x in prop::array::uniform4(-800.0f64..800.0), bits in prop::array::uniform4(any::<u64>())) {
            let y = bits.map(|bits| f64::from_bits(bits >> 1));
            prop_assert_eq!(exp_lanes(x.into()).to_array().map(f64::to_bits), x.map(exp).map(f64::to_bits));
            prop_assert!(ln_lanes(y.into()).to_array().iter().zip(y.map(ln)).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
        }
    }
}
