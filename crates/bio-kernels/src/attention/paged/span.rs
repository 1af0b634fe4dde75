//! The arithmetic of one span of positions: scores, their exponentials, the mix of values, and how spans add up.
//!
//! Every sum has one order: a score adds eight chains over the dimensions as a tree; weights and values are added by position.

use super::ahead::Ahead;
use crate::isa::{Isa, mul_add, per_isa};
use crate::math::{exp, max_of, sum_of};

/// Values that are summed side by side. Rows are padded to twice as many.
const LANES: usize = 8;
/// Rows of queries, keys and values are padded to a multiple of this.
pub(super) const PADDING: usize = 2 * LANES;
/// Positions whose exponentials share a maximum: their keys and values stay within L2, and a merge of spans costs little beside them.
pub(super) const SPAN: usize = 256;

type Lane = [f32; LANES];

/// What a row of queries knows of some positions, w = exp(score − high): [width] Σ w·v, then high, then Σ w.
pub(super) const fn state_size(width: usize) -> usize {
    width + 2
}

per_isa! {
    /// to [rows, width] = from·scale, zeros behind.
    pub(super) fn scale_queries(to: &mut [f32], from: &[f32], head_dim: usize, width: usize, scale: f32) {
        for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(head_dim)) {
            let (to, padding) = to.split_at_mut(head_dim);
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from * scale;
            }
            padding.fill(0.0);
        }
    }
}

/// scores[r·SPAN + s] = ⟨q_r, k_s⟩, for q [rows, width] and keys [tokens, width]: `scores` starts at the first of these positions.
pub(super) fn score(
    isa: Isa,
    scores: &mut [f32],
    q: &[f32],
    keys: &[f32],
    width: usize,
    ahead: &mut Ahead<'_>,
) {
    let (q, keys) = (q.as_chunks::<LANES>().0, keys.as_chunks::<LANES>().0);
    let step = width / LANES;
    let rows = q.len() / step;
    let mut r = 0;
    while r < rows {
        let scores = &mut scores[r * SPAN..];
        let rows = match rows - r {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let q = &q[r * step..(r + rows) * step];
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these tiers have AVX2 and FMA.
            Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                x86::score_rows(scores, q, keys, step, ahead);
            },
            Isa::Neon => score_rows::<true>(scores, q, keys, step),
            _ => score_rows::<false>(scores, q, keys, step),
        }
        r += rows;
    }
}

fn score_rows<const FMA: bool>(scores: &mut [f32], q: &[Lane], keys: &[Lane], step: usize) {
    for (scores, q) in scores.chunks_mut(SPAN).zip(q.chunks_exact(step)) {
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(step)) {
            let mut sums = [0.0; LANES];
            for (q, key) in q.iter().zip(key) {
                for i in 0..LANES {
                    sums[i] = mul_add::<FMA>(q[i], key[i], sums[i]);
                }
            }
            *score = total(sums);
        }
    }
}

/// As AVX's horizontal additions take it.
fn total(l: Lane) -> f32 {
    ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Ahead, LANES, Lane, SPAN, total};

    /// One, two or four rows of queries, so many keys at a time that eight sums are in registers.
    #[target_feature(enable = "avx2,fma")]
    pub fn score_rows(scores: &mut [f32], q: &[Lane], keys: &[Lane], step: usize, ahead: &mut Ahead<'_>) {
        match q.len() / step {
            4 => score_keys::<4, 2>(scores, q, keys, step, ahead),
            2 => score_keys::<2, 4>(scores, q, keys, step, ahead),
            _ => score_keys::<1, 8>(scores, q, keys, step, ahead),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn score_keys<const R: usize, const T: usize>(
        scores: &mut [f32],
        q: &[Lane],
        keys: &[Lane],
        step: usize,
        ahead: &mut Ahead<'_>,
    ) {
        let tokens = keys.len() / step;
        let mut s = 0;
        while s + T <= tokens {
            ahead.fetch((tokens - s) / T);
            let sums = sums::<R, T>(q, &keys[s * step..(s + T) * step], step);
            let flat = sums.as_flattened();
            let totals = [quad(flat[0], flat[1], flat[2], flat[3]), quad(flat[4], flat[5], flat[6], flat[7])];
            for (r, totals) in totals.as_flattened().chunks_exact(T).enumerate() {
                scores[r * SPAN + s..][..T].copy_from_slice(totals);
            }
            s += T;
        }
        while s < tokens {
            for (r, [sum]) in sums::<R, 1>(q, &keys[s * step..(s + 1) * step], step).into_iter().enumerate() {
                let mut lanes = [0.0; LANES];
                // SAFETY: eight values.
                unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
                scores[r * SPAN + s] = total(lanes);
            }
            s += 1;
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn sums<const R: usize, const T: usize>(q: &[Lane], keys: &[Lane], step: usize) -> [[__m256; T]; R] {
        assert!(q.len() >= R * step && keys.len() >= T * step);
        let mut sums = [[_mm256_setzero_ps(); T]; R];
        for d in 0..step {
            for r in 0..R {
                // SAFETY: rows of `step` registers, R of queries and T of keys, by the assertion.
                let q = unsafe { _mm256_loadu_ps(q.as_ptr().add(r * step + d).cast()) };
                for s in 0..T {
                    // SAFETY: as above.
                    let key = unsafe { _mm256_loadu_ps(keys.as_ptr().add(s * step + d).cast()) };
                    sums[r][s] = _mm256_fmadd_ps(q, key, sums[r][s]);
                }
            }
        }
        sums
    }

    /// The totals of four registers.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn quad(a: __m256, b: __m256, c: __m256, d: __m256) -> [f32; 4] {
        let halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let sum = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
        let mut totals = [0.0; 4];
        // SAFETY: four values.
        unsafe { _mm_storeu_ps(totals.as_mut_ptr(), sum) };
        totals
    }
}

per_isa! {
    /// Turns scores into w = exp(score − high) and returns high and Σ w. Where all are −∞, so is high, and every w is 0.
    pub(super) fn weigh(scores: &mut [f32]) -> (f32, f32) {
        let high = max_of(scores);
        let shift = finite_or_zero(high);
        for score in scores.iter_mut() {
            *score = exp::<FMA>(*score - shift);
        }
        (high, sum_of(scores, |score| score))
    }
}

/// What is subtracted from scores: −∞ less itself would be NaN.
#[inline(always)]
fn finite_or_zero(high: f32) -> f32 {
    if high == f32::NEG_INFINITY { 0.0 } else { high }
}

per_isa! {
    /// mixed_r += Σ_s weights[r·SPAN + s]·v_s for all rows r: states [rows, state], values [tokens, width].
    pub(super) fn mix(states: &mut [f32], weights: &[f32], values: &[f32], width: usize, rows: usize, ahead: &mut Ahead<'_>) {
        let values = values.as_chunks::<LANES>().0;
        let size = state_size(width);
        match rows {
            4 => mix_rows::<FMA, 4, 2>(states, size, weights, values, width / LANES, ahead),
            2 => mix_rows::<FMA, 2, 4>(states, size, weights, values, width / LANES, ahead),
            _ => mix_rows::<FMA, 1, 8>(states, size, weights, values, width / LANES, ahead),
        }
    }
}

/// R rows, C registers of dimensions at a time, each sum one chain over the positions.
#[inline(always)]
fn mix_rows<const FMA: bool, const R: usize, const C: usize>(
    states: &mut [f32],
    size: usize,
    weights: &[f32],
    values: &[Lane],
    step: usize,
    ahead: &mut Ahead<'_>,
) {
    let mut c = 0;
    while c + C <= step {
        ahead.fetch((step - c) / C);
        mix_columns::<FMA, R, C>(states, size, weights, values, step, c);
        c += C;
    }
    while c < step {
        mix_columns::<FMA, R, 2>(states, size, weights, values, step, c);
        c += 2;
    }
}

#[inline(always)]
fn mix_columns<const FMA: bool, const R: usize, const C: usize>(
    states: &mut [f32],
    size: usize,
    weights: &[f32],
    values: &[Lane],
    step: usize,
    c: usize,
) {
    let tokens = values.len() / step;
    let mut sums = [[[0.0; LANES]; C]; R];
    for (r, sums) in sums.iter_mut().enumerate() {
        for (j, sum) in sums.iter_mut().enumerate() {
            sum.copy_from_slice(&states[r * size + (c + j) * LANES..][..LANES]);
        }
    }
    let weights = &weights[..(R - 1) * SPAN + tokens];
    for (s, row) in values.chunks_exact(step).enumerate() {
        let row: &[Lane; C] = row[c..c + C].try_into().expect("some registers");
        for r in 0..R {
            let weight = weights[r * SPAN + s];
            for j in 0..C {
                for i in 0..LANES {
                    sums[r][j][i] = mul_add::<FMA>(weight, row[j][i], sums[r][j][i]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (j, sum) in sums.iter().enumerate() {
            states[r * size + (c + j) * LANES..][..LANES].copy_from_slice(sum);
        }
    }
}

per_isa! {
    /// scores[s] *= scales[s]
    pub(super) fn scale_by(scores: &mut [f32], scales: &[f32]) {
        for (score, scale) in scores.iter_mut().zip(scales) {
            *score *= scale;
        }
    }
}

per_isa! {
    /// Adds a span to the spans before it, both brought to the larger of their maxima.
    pub(super) fn merge(state: &mut [f32], span: &[f32]) {
        let (mixed, rest) = state.split_at_mut(span.len() - 2);
        let (of_span, span_rest) = span.split_at(mixed.len());
        let high = if span_rest[0] > rest[0] { span_rest[0] } else { rest[0] };
        let shift = finite_or_zero(high);
        let (keep, add) = (exp::<FMA>(rest[0] - shift), exp::<FMA>(span_rest[0] - shift));
        for (mixed, of_span) in mixed.iter_mut().zip(of_span) {
            *mixed = mul_add::<FMA>(*of_span, add, *mixed * keep);
        }
        rest[1] = mul_add::<FMA>(span_rest[1], add, rest[1] * keep);
        rest[0] = high;
    }
}
