//! Scores and weighed sums in f32 with AVX2.

use std::arch::x86_64::*;

use super::{Ahead, Blocks, Float, LANES, PADDING, SPAN, total};
use crate::memory::prefetch;

/// One, two or four rows of queries, so many keys at a time that eight or twelve sums are in registers.
#[target_feature(enable = "avx2,fma")]
pub fn score_rows<P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: Blocks<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    let most = match rows {
        4 => P::KEYS,
        2 => 4,
        _ => 8,
    };
    let tokens = keys.map(|keys| keys.len() / width);
    assert!(
        width.is_multiple_of(PADDING) && scores.len() >= (rows - 1) * SPAN + tokens.iter().sum::<usize>()
    );
    ahead.begin(tokens.iter().map(|tokens| tokens.div_ceil(most)).sum());
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for (keys, tokens) in keys.into_iter().zip(tokens) {
        let (mut k, mut left) = (keys.as_ptr(), tokens);
        while left > 0 {
            ahead.fetch(1, prefetch);
            // SAFETY: rows of `width` values, as many of queries as `rows` and of keys as are left at least; a score for each pair, by the assertion.
            unsafe {
                let done = match (rows, left) {
                    // Not one key alone at the end: its chains are too few to keep the units busy.
                    (4, 3 | 5..) if P::KEYS == 3 => keys_of::<P, 4, 3>(scores, q, k, width),
                    (4, 2..) => keys_of::<P, 4, 2>(scores, q, k, width),
                    (4, _) => keys_of::<P, 4, 1>(scores, q, k, width),
                    (2, 4..) => keys_of::<P, 2, 4>(scores, q, k, width),
                    (2, _) => keys_of::<P, 2, 1>(scores, q, k, width),
                    (_, 8..) => keys_of::<P, 1, 8>(scores, q, k, width),
                    (_, 4..) => keys_of::<P, 1, 4>(scores, q, k, width),
                    _ => keys_of::<P, 1, 1>(scores, q, k, width),
                };
                (scores, k, left) = (scores.add(done), k.add(done * width), left - done);
            }
        }
    }
}

/// Scores of R rows of queries with T keys; returns T.
///
/// # Safety
/// Rows of `width` values, a multiple of 16, R at `q` and T at `k`; T scores at `scores` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn keys_of<P: Float, const R: usize, const T: usize>(
    scores: *mut f32,
    q: *const f32,
    k: *const P,
    width: usize,
) -> usize {
    let mut sums = [[_mm256_setzero_ps(); R]; T];
    let mut d = 0;
    while d < width {
        // SAFETY: the caller's promise.
        unsafe {
            step::<P, R, T, 0>(&mut sums, q.add(d), k.add(d), width);
            step::<P, R, T, 1>(&mut sums, q.add(d), k.add(d), width);
        }
        d += PADDING;
    }
    let sums = sums.as_flattened();
    let write = |pair: usize, score: f32| {
        // SAFETY: the caller's promise.
        unsafe { *scores.add(pair % R * SPAN + pair / R) = score };
    };
    let (fours, rest) = sums.as_chunks::<4>();
    for (i, [a, b, c, d]) in fours.iter().enumerate() {
        let totals = quad(*a, *b, *c, *d);
        for (j, total) in totals.into_iter().enumerate() {
            write(4 * i + j, total);
        }
    }
    for (j, sum) in rest.iter().enumerate() {
        let mut lanes = [0.0; LANES];
        // SAFETY: eight values.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), *sum) };
        write(4 * fours.len() + j, total(lanes));
    }
    T
}

/// # Safety
/// As `keys_of`, with sixteen dimensions left at least.
#[inline(always)]
unsafe fn step<P: Float, const R: usize, const T: usize, const HALF: usize>(
    sums: &mut [[__m256; R]; T],
    q: *const f32,
    k: *const P,
    width: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut keys = [_mm256_setzero_ps(); T];
        for t in 0..T {
            keys[t] = P::load::<HALF>(k.add(t * width));
        }
        for r in 0..R {
            let q = _mm256_loadu_ps(q.add(r * width + HALF * LANES));
            for t in 0..T {
                sums[t][r] = _mm256_fmadd_ps(q, keys[t], sums[t][r]);
            }
        }
    }
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

/// Weighs values for one, two or four rows.
#[target_feature(enable = "avx2,fma")]
pub fn mix_rows<P: Float>(
    sums: &mut [f32],
    weights: &[f32],
    values: Blocks<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = sums.len() / width;
    let tokens: usize = values.iter().map(|values| values.len() / width).sum();
    assert!(width.is_multiple_of(PADDING) && weights.len() >= (rows - 1) * SPAN + tokens);
    ahead.begin(width.div_ceil(4 / rows * PADDING));
    let mut d = 0;
    while d < width {
        ahead.fetch(1, prefetch);
        let (sums, weights) = (sums[d..].as_mut_ptr(), weights.as_ptr());
        // SAFETY: from here `width` − d values in each row, as many rows of sums as `rows`; a weight for each pair, by the assertion.
        d += unsafe {
            match (rows, (width - d) / PADDING) {
                (4, _) => mix_columns::<P, 4, 1>(sums, weights, values, width, d),
                (2, 2..) => mix_columns::<P, 2, 2>(sums, weights, values, width, d),
                (2, _) => mix_columns::<P, 2, 1>(sums, weights, values, width, d),
                (_, 4..) => mix_columns::<P, 1, 4>(sums, weights, values, width, d),
                _ => mix_columns::<P, 1, 1>(sums, weights, values, width, d),
            }
        };
    }
}

/// R rows and U times sixteen dimensions, each sum one chain over the positions; returns the dimensions.
///
/// # Safety
/// Rows `width` apart, R of 16·U values at `sums`, those of `values` with as many behind their first `d`; a weight for each of these rows at
/// `weights` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn mix_columns<P: Float, const R: usize, const U: usize>(
    sums: *mut f32,
    mut weights: *const f32,
    values: Blocks<'_, P>,
    width: usize,
    d: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut mixed = [[[_mm256_setzero_ps(); 2]; U]; R];
        for r in 0..R {
            for u in 0..U {
                for half in 0..2 {
                    mixed[r][u][half] = _mm256_loadu_ps(sums.add(r * width + u * PADDING + half * LANES));
                }
            }
        }
        for values in values {
            let mut at = values.as_ptr().wrapping_add(d);
            for _ in 0..values.len() / width {
                let mut weight = [_mm256_setzero_ps(); R];
                for r in 0..R {
                    weight[r] = _mm256_broadcast_ss(&*weights.add(r * SPAN));
                }
                for u in 0..U {
                    let value = [P::load::<0>(at.add(u * PADDING)), P::load::<1>(at.add(u * PADDING))];
                    for r in 0..R {
                        for half in 0..2 {
                            mixed[r][u][half] = _mm256_fmadd_ps(weight[r], value[half], mixed[r][u][half]);
                        }
                    }
                }
                (at, weights) = (at.wrapping_add(width), weights.add(1));
            }
        }
        for r in 0..R {
            for u in 0..U {
                for half in 0..2 {
                    _mm256_storeu_ps(sums.add(r * width + u * PADDING + half * LANES), mixed[r][u][half]);
                }
            }
        }
    }
    PADDING * U
}
