//! An AdamW step that divides without the divider, which takes a square root for each value too and is what the plain loop waits for:
//! about 12 cycles for each 16 square roots and 10 for as many quotients. Here a quotient is five multiplications.

use std::arch::x86_64::*;

use super::Numbers;

const LANES: usize = 16;

/// As `adam_w_step` of the other tiers.
#[target_feature(enable = "avx512f")]
pub(super) fn adam_w_step(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    n: Numbers,
) {
    let size = parameter.len();
    assert!(gradient.len() == size && first.len() == size && second.len() == size, "slices of one length");
    let (keep, step_size, epsilon) =
        (_mm512_set1_ps(n.keep), _mm512_set1_ps(n.step_size), _mm512_set1_ps(n.epsilon));
    let (rate, beta2, second_rate) =
        (_mm512_set1_ps(n.first), _mm512_set1_ps(n.beta2), _mm512_set1_ps(n.second));
    for at in (0..size).step_by(LANES) {
        let lanes = u16::MAX >> (LANES - LANES.min(size - at));
        // SAFETY: these lanes lie inside of the four slices, and what is masked is neither read nor written.
        unsafe {
            let [p, m, v] = [&mut *parameter, &mut *first, &mut *second].map(|x| x.as_mut_ptr().add(at));
            let load = |from: *const f32| _mm512_maskz_loadu_ps(lanes, from);
            let (old, g) = (load(m), load(gradient.as_ptr().add(at)));
            let mean = _mm512_fmadd_ps(rate, _mm512_sub_ps(g, old), old);
            let square = _mm512_fmadd_ps(_mm512_mul_ps(second_rate, g), g, _mm512_mul_ps(beta2, load(v)));
            let root = _mm512_add_ps(_mm512_sqrt_ps(square), epsilon);
            let quotient = divide(_mm512_mul_ps(step_size, mean), root);
            let next = _mm512_fmsub_ps(load(p), keep, quotient);
            _mm512_mask_storeu_ps(m, lanes, mean);
            _mm512_mask_storeu_ps(v, lanes, square);
            _mm512_mask_storeu_ps(p, lanes, next);
        }
    }
}

/// a / b by a reciprocal of 14 bits, corrected once, and a quotient, corrected by what it leaves: Markstein 1990. Where that could overflow,
/// lose bits or a sign, the divider does it: lane by lane, so that no quotient depends on its neighbours.
#[inline]
#[target_feature(enable = "avx512f")]
fn divide(a: __m512, b: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let guess = if cfg!(miri) { _mm512_div_ps(one, b) } else { _mm512_rcp14_ps(b) }; // Miri has no rcp14.
    let reciprocal = _mm512_fmadd_ps(guess, _mm512_fnmadd_ps(b, guess, one), guess);
    let quotient = _mm512_mul_ps(a, reciprocal);
    let quotient = _mm512_fmadd_ps(reciprocal, _mm512_fnmadd_ps(b, quotient, a), quotient);
    let others = is_extreme(a) | is_extreme(b);
    if others == 0 { quotient } else { _mm512_mask_div_ps(quotient, others, a, b) }
}

/// Which values are not of a size in 2⁻⁸⁰…2⁴⁰, as 0 and NaN are not.
#[inline]
#[target_feature(enable = "avx512f")]
fn is_extreme(x: __m512) -> __mmask16 {
    const LOW: i32 = (127 - 80) << 23;
    const SPAN: i32 = 120 << 23;
    let size = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MAX));
    _mm512_cmpge_epu32_mask(_mm512_sub_epi32(size, _mm512_set1_epi32(LOW)), _mm512_set1_epi32(SPAN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{self, Isa};

    /// Also of NaN, infinities, zeros, denormals, and where the reciprocal or the quotient overflows.
    #[test]
    fn quotients_have_the_bits_of_the_divider() {
        if !isa::available().contains(&Isa::Avx512) {
            return;
        }
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as u32
        };
        // Of usual sizes, 2⁻³²…1, at first, then any.
        let mut draw =
            |any: bool| f32::from_bits(if any { next() } else { 0x2f80_0000 + next() % 0x1000_0000 });
        for round in 0..if cfg!(miri) { 12 } else { 100_000 } {
            let a: [f32; LANES] = std::array::from_fn(|_| draw(round % 3 == 1));
            let b: [f32; LANES] = std::array::from_fn(|_| draw(round % 3 == 2));
            let mut quotients = [0.0f32; LANES];
            // SAFETY: the tier was asked for; sixteen values each.
            unsafe {
                let quotient = divide(_mm512_loadu_ps(a.as_ptr()), _mm512_loadu_ps(b.as_ptr()));
                _mm512_storeu_ps(quotients.as_mut_ptr(), quotient);
            }
            for i in 0..LANES {
                let (found, truth) = (quotients[i], a[i] / b[i]);
                let same = found.to_bits() == truth.to_bits() || found.is_nan() && truth.is_nan();
                assert!(same, "{:e} / {:e}: {found:e}, not {truth:e}", a[i], b[i]);
            }
        }
    }
}
