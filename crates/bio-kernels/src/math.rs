//! Elementary functions without branches, so that loops over them vectorise, and sums in a fixed order.

use crate::isa::mul_add;

pub(crate) const LANES: usize = 16;

const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it leaves the nearest integer in the low bits

/// eˣ within 2 ulp for results in f32's normal range; below it 0, above it infinity; NaN stays NaN.
///
/// Times 2ⁿ in two factors so that n = 128 does not overflow early.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    let (p, shifted) = reduced_exp::<FMA>(x.clamp(-87.5, 89.0));
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = exponent >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
    let y = p * power(half) * power(exponent.wrapping_sub(half));
    if x < -87.33 { 0.0 } else { y }
}

/// `exp` of what is not above 0, bit for bit: 2ⁿ is one factor, so that a quarter of the instructions is left out.
#[inline(always)]
pub(crate) fn exp_to_one<const FMA: bool>(x: f32) -> f32 {
    let (p, shifted) = reduced_exp::<FMA>(if x < -87.33 { -87.33 } else { x });
    // ROUND's own bits fall off to the left.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < -87.33 { 0.0 } else { p * power }
}

/// eʳ by Cephes' polynomial of degree 7, where x = n·ln 2 + r, and n + ROUND.
#[inline(always)]
fn reduced_exp<const FMA: bool>(x: f32) -> (f32, f32) {
    let shifted = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -0.693_359_4, x);
    let r = mul_add::<FMA>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    p = mul_add::<FMA>(p, r, 1.398_2e-3);
    p = mul_add::<FMA>(p, r, 8.333_452e-3);
    p = mul_add::<FMA>(p, r, 4.166_579_6e-2);
    p = mul_add::<FMA>(p, r, 1.666_666_5e-1);
    p = mul_add::<FMA>(p, r, 5.000_000_3e-1);
    (mul_add::<FMA>(p * r, r, r) + 1.0, shifted)
}

#[inline(always)]
pub(crate) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

/// tanh by its series near 0, by eˣ away from it: within 4 ulp.
#[inline(always)]
pub(crate) fn tanh<const FMA: bool>(x: f32) -> f32 {
    let square = x * x;
    let mut series = mul_add::<FMA>(square, 62.0 / 2835.0, -17.0 / 315.0);
    series = mul_add::<FMA>(series, square, 2.0 / 15.0);
    series = mul_add::<FMA>(series, square, -1.0 / 3.0);
    series = mul_add::<FMA>(series * square, x, x);
    let far = 1.0 - 2.0 / (exp::<FMA>(2.0 * x) + 1.0);
    if square < 0.06 { series } else { far }
}

/// Φ(x) of the normal distribution, within 1e-7: Abramowitz and Stegun 7.1.26.
#[inline(always)]
pub(crate) fn normal<const FMA: bool>(x: f32) -> f32 {
    let size = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / mul_add::<FMA>(size, 0.327_591_1, 1.0);
    let mut p = mul_add::<FMA>(t, 1.061_405_4, -1.453_152);
    p = mul_add::<FMA>(p, t, 1.421_413_7);
    p = mul_add::<FMA>(p, t, -0.284_496_74);
    p = mul_add::<FMA>(p, t, 0.254_829_6);
    let tail = 0.5 * p * t * exp::<FMA>(-size * size);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// Sixteen partial sums, one per lane, added as a tree: the order depends on the length alone.
#[inline(always)]
pub(crate) fn lanes_total(lanes: [f32; LANES]) -> f32 {
    let mut sums = lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// ⟨a, b⟩ of equal lengths.
#[inline(always)]
pub(crate) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = mul_add::<FMA>(x[i], y[i], lanes[i]);
        }
    }
    for (i, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[i] = mul_add::<FMA>(*x, *y, lanes[i]);
    }
    lanes_total(lanes)
}

/// Σ f(x) over a slice.
#[inline(always)]
pub(crate) fn sum_of(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += f(chunk[i]);
        }
    }
    for (i, value) in rest.iter().enumerate() {
        lanes[i] += f(*value);
    }
    lanes_total(lanes)
}

/// The largest value; −∞ for none. NaN is left to the sums that follow.
#[inline(always)]
pub(crate) fn max_of(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
        }
    }
    for (i, value) in rest.iter().enumerate() {
        lanes[i] = lanes[i].max(*value);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// out = f(x), or f(out) in place. Nothing is copied first: where source and target differ by no multiple of 32 bytes, a large copy
/// (`rep movsb` on Zen 3) runs at 2 GB/s.
#[inline(always)]
pub(crate) fn each(out: &mut [f32], x: Option<&[f32]>, f: impl Fn(f32) -> f32) {
    match x {
        Some(x) => {
            for (out, x) in out.iter_mut().zip(x) {
                *out = f(*x);
            }
        }
        None => {
            for out in out {
                *out = f(*out);
            }
        }
    }
}

/// out = f(a, b), or f(out, b) in place.
#[inline(always)]
pub(crate) fn each_pair(out: &mut [f32], a: Option<&[f32]>, b: &[f32], f: impl Fn(f32, f32) -> f32) {
    match a {
        Some(a) => {
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = f(*a, *b);
            }
        }
        None => {
            for (out, b) in out.iter_mut().zip(b) {
                *out = f(*out, *b);
            }
        }
    }
}

/// y += a·x.
#[inline(always)]
pub(crate) fn axpy<const FMA: bool>(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA>(a, *x, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every argument of a range; few under Miri, which looks at memory and needs a millisecond for each.
    const STEP: usize = if cfg!(miri) { 4999 } else { 1 };

    /// Units in the last place between an f32 and the truth.
    fn ulps(found: f32, truth: f64) -> f64 {
        let unit =
            f64::from(f32::from_bits((truth as f32).abs().to_bits() + 1)) - f64::from((truth as f32).abs());
        (f64::from(found) - truth).abs() / unit
    }

    #[test]
    fn exp_is_within_2_ulp_over_its_whole_range() {
        for i in (-870_000..887_000).step_by(STEP) {
            let x = i as f32 * 1e-4;
            assert!(ulps(exp::<true>(x), f64::from(x).exp()) <= 2.0, "{x}");
        }
    }

    #[test]
    fn exp_to_one_has_the_bits_of_exp_up_to_zero() {
        let far = [f32::NEG_INFINITY, f32::MIN, -1e9, -265.0, -87.34, -87.33, -f32::MIN_POSITIVE, -0.0, 0.0];
        for x in (-880_000..=0).step_by(STEP).map(|i| i as f32 * 1e-4).chain(far) {
            assert_eq!(exp_to_one::<true>(x).to_bits(), exp::<true>(x).to_bits(), "{x}");
            assert_eq!(exp_to_one::<false>(x).to_bits(), exp::<false>(x).to_bits(), "{x}");
        }
        assert!(exp_to_one::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn exp_keeps_its_limits() {
        assert_eq!(exp::<true>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<true>(-200.0), 0.0);
        assert_eq!(exp::<true>(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp::<true>(89.0), f32::INFINITY);
        assert!(exp::<true>(f32::NAN).is_nan());
        assert_eq!(exp::<false>(0.0), 1.0);
    }

    #[test]
    fn tanh_is_within_8_ulp_and_odd() {
        for i in (0..200_000).step_by(STEP) {
            let x = i as f32 * 1e-4;
            assert!(ulps(tanh::<true>(x), f64::from(x).tanh()) <= 8.0, "{x}");
            assert!((tanh::<true>(-x) + tanh::<true>(x)).abs() <= 1e-6);
        }
    }

    #[test]
    fn normal_is_symmetric_and_known_at_known_places() {
        for (x, truth) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (-2.0, 0.022_750_131_948_179),
            (4.0, 0.999_968_328_758),
        ] {
            assert!((f64::from(normal::<true>(x)) - truth).abs() < 2e-7, "{x}");
        }
    }
}
