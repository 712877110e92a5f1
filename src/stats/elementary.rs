//! `exp` and `ln` of one number or of several at a time, the same to the bit on every machine, whatever its C library and its processor's
//! extensions, and in whatever lane: see [`super::lanes`].
//!
//! Both are within 2^-51 of the true value, relative to it (`ln` close to 1: absolute). The polynomials were fitted at the Chebyshev
//! points of their interval; their own error is below 2^-55.

#![expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]

use super::lanes::{Four, Kernel, Lanes, ROUNDER, Split, run};

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

/// `e^x`.
#[inline(never)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    exp_of(x)
}

/// Natural logarithm; `-∞` of 0, NaN of what is negative.
#[inline(never)]
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.are_normal() { ln_of_normal(x) } else { x.ln() }
}

/// `e^x` of all, equal to [`exp`] to the bit; those that do not fill four are computed one by one.
pub fn exp_all(x: &mut [f64]) {
    run(Exp(x));
}

/// Natural logarithms of all, equal to [`ln`] to the bit; those that do not fill four are computed one by one.
pub fn ln_all(x: &mut [f64]) {
    run(Ln(x));
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

/// A function of one number over a slice: four by four within a kernel, the rest by the function itself.
macro_rules! over_slice {
    ($name:ident, $within_kernel:ident, $of_one:ident) => {
        struct $name<'a>(&'a mut [f64]);

        impl Kernel for $name<'_> {
            type Answer = ();
            #[inline(always)]
            fn run<F: Four>(self) {
                let (fours, rest) = self.0.as_chunks_mut::<4>();
                for four in fours {
                    *four = $within_kernel(F::load(four)).store();
                }
                for x in rest {
                    *x = $of_one(*x);
                }
            }
        }
    };
}
over_slice!(Exp, exp_of, exp);
over_slice!(Ln, ln_of, ln);

/// [`exp`] within a kernel.
#[inline(always)]
#[must_use]
pub fn exp_of<L: Lanes>(x: L) -> L {
    let x = x.at_least(L::splat(EXP_MIN)).at_most(L::splat(EXP_MAX));
    let shifted = x * L::splat(std::f64::consts::LOG2_E) + L::splat(ROUNDER);
    let whole = shifted - L::splat(ROUNDER);
    let rest = (x - whole * L::splat(LN_2_HIGH)) - whole * L::splat(LN_2_LOW);
    let square = rest * rest;
    let power = L::splat(1.0) + (rest + square * polynomial(rest, square, &EXP));
    let (first, second) = shifted.split(Split::Powers);
    power * first * second
}

/// [`ln`] within a kernel.
#[inline(always)]
#[must_use]
pub fn ln_of<L: Lanes>(x: L) -> L {
    if x.are_normal() { ln_of_normal(x) } else { x.each(ln) }
}

/// [`ln`] of normal positive numbers.
#[inline(always)]
fn ln_of_normal<L: Lanes>(x: L) -> L {
    let (exponent, mantissa) = x.split(Split::Exponent);
    let f = mantissa - L::splat(1.0);
    let s = f / (L::splat(2.0) + f);
    let square = s * s;
    let half = L::splat(0.5) * f * f;
    let series = square * polynomial(square, square * square, &LN);
    exponent * L::splat(LN_2_HIGH) - ((half - (s * (half + series) + exponent * L::splat(LN_2_LOW))) - f)
}

/// Even and odd powers apart: two short chains of operations instead of one long one.
#[inline(always)]
pub(super) fn polynomial<L: Lanes, const N: usize>(x: L, square: L, coefficients: &[f64; N]) -> L {
    let mut sums = [L::splat(0.0); 2];
    for at in (0..N).rev() {
        let coefficient = L::splat(coefficients[at]);
        // The first of each chain needs no product.
        sums[at & 1] = if at + 2 < N { sums[at & 1] * square + coefficient } else { coefficient };
    }
    sums[0] + x * sums[1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{exp, exp_all, exp_of, ln, ln_1p, ln_all, ln_of};
    use crate::stats::lanes::{Four, Kernel, tests::check_forms};

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

    /// Both functions of lists of these numbers, against the same of each.
    #[track_caller]
    fn check_lists(x: &[f64]) {
        for (all, single) in [(exp_all as fn(&mut [f64]), exp as fn(f64) -> f64), (ln_all, ln)] {
            let mut ours = x.to_vec();
            all(&mut ours);
            let same = |(ours, x): (&f64, &f64)| ours.to_bits() == single(*x).to_bits() || ours.is_nan() && single(*x).is_nan();
            assert!(ours.iter().zip(x).all(same), "{x:?}: {ours:?}");
        }
        for four in x.as_chunks::<4>().0 {
            check_forms(&Both(*four));
        }
    }

    #[derive(Clone)]
    struct Both([f64; 4]);

    impl Kernel for Both {
        type Answer = [f64; 8];
        fn run<F: Four>(self) -> [f64; 8] {
            let mut answer = [0.0; 8];
            answer[..4].copy_from_slice(&exp_of(F::load(&self.0)).store());
            answer[4..].copy_from_slice(&ln_of(F::load(&self.0)).store());
            answer
        }
    }

    #[test]
    fn lists_say_what_single_numbers_say_at_the_ends_too() {
        check_lists(&[
            0.0,
            -1e300,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            5e-324,
            -1.0,
            1.0,
            709.9,
            -745.1,
            f64::MIN_POSITIVE,
            3.0,
        ]);
    }

    #[test]
    fn registers_of_four_change_no_bit() {
        for step in 0..50_000 {
            let x: [f64; 4] = std::array::from_fn(|lane| f64::from(step) * 0.0284 - 720.0 + lane as f64 * 0.001);
            check_forms(&Both(x));
            check_forms(&Both(x.map(|x| (x / 1.1).exp())));
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
        fn lists_equal_single_numbers_to_the_bit(x in prop::collection::vec(-800.0f64..800.0, 0..14), bits in prop::collection::vec(any::<u64>(), 0..14)) {
            check_lists(&x);
            check_lists(&bits.into_iter().map(|bits| f64::from_bits(bits >> 1)).collect::<Vec<_>>());
        }
    }
}
