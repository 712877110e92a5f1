//! Numbers that go through the same arithmetic together: one, or four in whatever registers the processor has. A piece of arithmetic is
//! written once, as a [`Kernel`], and the processor asked once for each. Every operation rounds as IEEE 754 says and none is fused, so
//! the answers are the same to the bit whatever carries them.

use std::ops::{Add, Div, Mul, Sub};

/// Numbers side by side.
pub trait Lanes: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// The same number everywhere.
    fn splat(x: f64) -> Self;
    /// Applies what looks at the bits to each number, and gives the two numbers that come out.
    fn split(self, how: Split) -> (Self, Self);
    /// `floor` where a number is below it; NaN stays.
    #[must_use]
    fn at_least(self, floor: Self) -> Self;
    /// `cap` where a number is above it; NaN stays.
    #[must_use]
    fn at_most(self, cap: Self) -> Self;
    /// `then` where the number is below `bound`, else `otherwise`.
    #[must_use]
    fn below(self, bound: Self, then: Self, otherwise: Self) -> Self;
    /// Whether all numbers are positive and neither subnormal, infinite nor NaN.
    fn are_normal(self) -> bool;
    /// A function that knows one number only.
    #[must_use]
    fn each(self, function: fn(f64) -> f64) -> Self;
}

/// Four numbers side by side.
pub trait Four: Lanes {
    /// From where they are.
    fn load(from: &[f64; 4]) -> Self;
    /// To where they belong.
    fn store(self) -> [f64; 4];
}

/// How [`Lanes::split`] takes a number apart.
#[derive(Debug, Clone, Copy)]
pub enum Split {
    /// A normal positive number into its exponent and a mantissa between `√½` and `√2`.
    Exponent,
    /// A sum of [`ROUNDER`] and an integer into two factors whose product is 2 to the integer, so that what is below the normal numbers
    /// rounds by itself.
    Powers,
}

/// `1.5 · 2^52`: adding it leaves a rounded integer in the lowest bits.
pub const ROUNDER: f64 = 6_755_399_441_055_744.0;
const MANTISSA: u64 = (1 << 52) - 1;
/// Bits of `√½`: mantissas are taken from there to `√2`.
const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE_BITS: u64 = 1023 << 52;
/// `2^52`, by its bits and with the exponent's bias.
const WHOLE_BITS: u64 = 0x4330_0000_0000_0000;
const WHOLE_AND_BIAS: f64 = 4_503_599_627_370_496.0 + 1023.0;
/// What is below it has the bits of `2046` more than the integer.
const POWERS_FROM: u64 = ROUNDER.to_bits() - 2046;

/// Arithmetic on four numbers at a time.
pub trait Kernel {
    /// What comes out.
    type Answer;
    /// Does it. To be inlined always: only what is inlined takes on the features of the processor.
    fn run<F: Four>(self) -> Self::Answer;
}

/// Runs a kernel in the form that suits the processor.
#[inline]
pub fn run<K: Kernel>(kernel: K) -> K::Answer {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the processor was just asked for the only feature that the function needs; it is safe otherwise")]
        return unsafe { avx2::run(kernel) };
    }
    kernel.run::<Plain>()
}

impl Lanes for f64 {
    #[inline]
    fn splat(x: f64) -> Self {
        x
    }

    #[inline]
    fn split(self, how: Split) -> (Self, Self) {
        match how {
            Split::Exponent => {
                let moved = self.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
                let exponent = Self::from_bits((moved >> 52) | WHOLE_BITS) - WHOLE_AND_BIAS;
                (exponent, Self::from_bits((moved & MANTISSA).wrapping_add(SQRT_HALF_BITS)))
            }
            Split::Powers => {
                let exponents = self.to_bits().wrapping_sub(POWERS_FROM);
                let (first, second) = (exponents >> 1, exponents.wrapping_sub(exponents >> 1));
                (Self::from_bits(first << 52), Self::from_bits(second << 52))
            }
        }
    }

    #[inline]
    fn at_least(self, floor: Self) -> Self {
        if floor > self { floor } else { self }
    }

    #[inline]
    fn at_most(self, cap: Self) -> Self {
        if cap < self { cap } else { self }
    }

    #[inline]
    fn below(self, bound: Self, then: Self, otherwise: Self) -> Self {
        if self < bound { then } else { otherwise }
    }

    #[inline]
    fn are_normal(self) -> bool {
        (Self::MIN_POSITIVE..=Self::MAX).contains(&self)
    }

    #[inline]
    fn each(self, function: fn(f64) -> f64) -> Self {
        function(self)
    }
}

/// Four numbers without anything that not every processor has.
#[derive(Debug, Clone, Copy)]
pub struct Plain([f64; 4]);

impl Plain {
    #[inline]
    fn with(self, other: Self, operation: impl Fn(f64, f64) -> f64) -> Self {
        Self(std::array::from_fn(|lane| operation(self.0[lane], other.0[lane])))
    }
}

impl Add for Plain {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Plain {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl Mul for Plain {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
}

impl Div for Plain {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        self.with(other, |a, b| a / b)
    }
}

impl Lanes for Plain {
    #[inline]
    fn splat(x: f64) -> Self {
        Self([x; 4])
    }

    #[inline]
    fn split(self, how: Split) -> (Self, Self) {
        let parts = self.0.map(|x| x.split(how));
        (Self(parts.map(|part| part.0)), Self(parts.map(|part| part.1)))
    }

    #[inline]
    fn at_least(self, floor: Self) -> Self {
        self.with(floor, f64::at_least)
    }

    #[inline]
    fn at_most(self, cap: Self) -> Self {
        self.with(cap, f64::at_most)
    }

    #[inline]
    fn below(self, bound: Self, then: Self, otherwise: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].below(bound.0[lane], then.0[lane], otherwise.0[lane])))
    }

    #[inline]
    fn are_normal(self) -> bool {
        self.0.iter().fold(true, |all, x| all & x.are_normal())
    }

    #[inline]
    fn each(self, function: fn(f64) -> f64) -> Self {
        Self(self.0.map(function))
    }
}

impl Four for Plain {
    #[inline]
    fn load(from: &[f64; 4]) -> Self {
        Self(*from)
    }

    #[inline]
    fn store(self) -> [f64; 4] {
        self.0
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(clippy::inline_always, reason = "only what is inlined takes on the features of the processor")]
#[expect(
    unsafe_code,
    reason = "`Avx2` is made only inside `run`, which is called once the processor was asked for AVX2; the instructions need nothing else, \
              and the two that touch memory are given four numbers"
)]
mod avx2 {
    use std::arch::x86_64::{
        __m256d, __m256i, _CMP_GT_OQ, _CMP_LE_OQ, _CMP_LT_OQ, _mm256_add_epi64, _mm256_add_pd, _mm256_and_pd, _mm256_and_si256,
        _mm256_blendv_pd, _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmp_pd, _mm256_div_pd, _mm256_loadu_pd, _mm256_max_pd,
        _mm256_min_pd, _mm256_movemask_pd, _mm256_mul_pd, _mm256_or_si256, _mm256_set1_epi64x, _mm256_set1_pd, _mm256_slli_epi64,
        _mm256_srli_epi64, _mm256_storeu_pd, _mm256_sub_epi64, _mm256_sub_pd,
    };
    use std::ops::{Add, Div, Mul, Sub};

    use super::{Four, Kernel, Lanes, MANTISSA, ONE_BITS, POWERS_FROM, SQRT_HALF_BITS, Split, WHOLE_AND_BIAS, WHOLE_BITS};

    /// Four numbers in one register.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256d);

    #[target_feature(enable = "avx2")]
    pub fn run<K: Kernel>(kernel: K) -> K::Answer {
        kernel.run::<Avx2>()
    }

    #[inline(always)]
    fn all(bits: u64) -> __m256i {
        unsafe { _mm256_set1_epi64x(bits.cast_signed()) }
    }

    macro_rules! operator {
        ($name:ident, $method:ident, $instruction:ident) => {
            impl $name for Avx2 {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    Self(unsafe { $instruction(self.0, other.0) })
                }
            }
        };
    }
    operator!(Add, add, _mm256_add_pd);
    operator!(Sub, sub, _mm256_sub_pd);
    operator!(Mul, mul, _mm256_mul_pd);
    operator!(Div, div, _mm256_div_pd);

    impl Lanes for Avx2 {
        #[inline(always)]
        fn splat(x: f64) -> Self {
            Self(unsafe { _mm256_set1_pd(x) })
        }

        #[inline(always)]
        fn split(self, how: Split) -> (Self, Self) {
            unsafe {
                let bits = _mm256_castpd_si256(self.0);
                match how {
                    Split::Exponent => {
                        let moved = _mm256_add_epi64(bits, all(ONE_BITS - SQRT_HALF_BITS));
                        let biased = _mm256_or_si256(_mm256_srli_epi64::<52>(moved), all(WHOLE_BITS));
                        let mantissa = _mm256_add_epi64(_mm256_and_si256(moved, all(MANTISSA)), all(SQRT_HALF_BITS));
                        (Self(_mm256_castsi256_pd(biased)) - Self::splat(WHOLE_AND_BIAS), Self(_mm256_castsi256_pd(mantissa)))
                    }
                    Split::Powers => {
                        let exponents = _mm256_sub_epi64(bits, all(POWERS_FROM));
                        let first = _mm256_srli_epi64::<1>(exponents);
                        let second = _mm256_sub_epi64(exponents, first);
                        let (first, second) = (_mm256_slli_epi64::<52>(first), _mm256_slli_epi64::<52>(second));
                        (Self(_mm256_castsi256_pd(first)), Self(_mm256_castsi256_pd(second)))
                    }
                }
            }
        }

        #[inline(always)]
        fn at_least(self, floor: Self) -> Self {
            // The second operand is the answer unless the first is greater.
            Self(unsafe { _mm256_max_pd(floor.0, self.0) })
        }

        #[inline(always)]
        fn at_most(self, cap: Self) -> Self {
            Self(unsafe { _mm256_min_pd(cap.0, self.0) })
        }

        #[inline(always)]
        fn below(self, bound: Self, then: Self, otherwise: Self) -> Self {
            Self(unsafe { _mm256_blendv_pd(otherwise.0, then.0, _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, bound.0)) })
        }

        #[inline(always)]
        fn are_normal(self) -> bool {
            unsafe {
                // Above the greatest subnormal number, so that one comparison keeps the zeros out too.
                let above = _mm256_cmp_pd::<_CMP_GT_OQ>(self.0, _mm256_set1_pd(f64::MIN_POSITIVE.next_down()));
                let finite = _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, _mm256_set1_pd(f64::MAX));
                _mm256_movemask_pd(_mm256_and_pd(above, finite)) == 0b1111
            }
        }

        #[inline(always)]
        fn each(self, function: fn(f64) -> f64) -> Self {
            Self::load(&self.store().map(function))
        }
    }

    impl Four for Avx2 {
        #[inline(always)]
        fn load(from: &[f64; 4]) -> Self {
            Self(unsafe { _mm256_loadu_pd(from.as_ptr()) })
        }

        #[inline(always)]
        fn store(self) -> [f64; 4] {
            let mut to = [0.0; 4];
            unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self.0) };
            to
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Kernel, Plain, run};

    /// Runs a kernel in both forms and compares: for tests of kernels.
    #[track_caller]
    pub fn check_forms<K: Kernel<Answer = [f64; N]> + Clone, const N: usize>(kernel: &K) {
        let (plain, suited) = (kernel.clone().run::<Plain>(), run(kernel.clone()));
        assert!(plain.iter().zip(suited).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()), "{plain:?} {suited:?}");
    }
}
