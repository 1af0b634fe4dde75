//! Scores and weighed sums in integers with AVX2.

use std::arch::x86_64::*;

use super::super::pages::PADDING;
use super::{Ahead, Blocks, SPAN};
use crate::memory::prefetch;

/// Values of a register of sums.
const LANES: usize = 8;

/// One, two or four rows of queries, so many keys at a time that eight sums are in registers.
#[target_feature(enable = "avx2")]
pub fn score_rows(
    scores: &mut [i32],
    queries: &[i16],
    keys: Blocks<'_, i8>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    let tokens = keys.map(|keys| keys.len() / width);
    assert!(
        width.is_multiple_of(PADDING) && scores.len() >= (rows - 1) * SPAN + tokens.iter().sum::<usize>()
    );
    ahead.begin(tokens.iter().map(|tokens| tokens.div_ceil(8 / rows)).sum());
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for (keys, tokens) in keys.into_iter().zip(tokens) {
        let (mut k, mut left) = (keys.as_ptr(), tokens);
        while left > 0 {
            ahead.fetch(1, prefetch);
            // SAFETY: rows of `width` values, as many of queries as `rows` and of keys as are left at least; a score for each pair, by the assertion.
            unsafe {
                let done = match (rows, left) {
                    (4, 2..) => keys_of::<4, 2>(scores, q, k, width),
                    (4, _) => keys_of::<4, 1>(scores, q, k, width),
                    (2, 4..) => keys_of::<2, 4>(scores, q, k, width),
                    (2, 2..) => keys_of::<2, 2>(scores, q, k, width),
                    (2, _) => keys_of::<2, 1>(scores, q, k, width),
                    (_, 8..) => keys_of::<1, 8>(scores, q, k, width),
                    (_, 4..) => keys_of::<1, 4>(scores, q, k, width),
                    _ => keys_of::<1, 1>(scores, q, k, width),
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
#[target_feature(enable = "avx2")]
unsafe fn keys_of<const R: usize, const T: usize>(
    scores: *mut i32,
    q: *const i16,
    k: *const i8,
    width: usize,
) -> usize {
    // Rows beside each other: four sums make up to four neighbouring scores.
    let mut sums = [[_mm256_setzero_si256(); T]; R];
    let mut d = 0;
    while d < width {
        let mut keys = [_mm256_setzero_si256(); T];
        for t in 0..T {
            // SAFETY: the caller's promise.
            keys[t] = unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(k.add(t * width + d).cast())) };
        }
        for r in 0..R {
            // SAFETY: the caller's promise.
            let q = unsafe { _mm256_loadu_si256(q.add(r * width + d).cast()) };
            for t in 0..T {
                sums[r][t] = _mm256_add_epi32(sums[r][t], _mm256_madd_epi16(q, keys[t]));
            }
        }
        d += PADDING;
    }
    let sums = sums.as_flattened();
    let write = |pair: usize, score: i32| {
        // SAFETY: the caller's promise.
        unsafe { *scores.add(pair / T * SPAN + pair % T) = score };
    };
    let (fours, rest) = sums.as_chunks::<4>();
    for (i, [a, b, c, d]) in fours.iter().enumerate() {
        for (j, total) in quad(*a, *b, *c, *d).into_iter().enumerate() {
            write(4 * i + j, total);
        }
    }
    for (j, sum) in rest.iter().enumerate() {
        let [total, ..] = quad(*sum, *sum, *sum, *sum);
        write(4 * fours.len() + j, total);
    }
    T
}

/// The totals of four registers.
#[inline]
#[target_feature(enable = "avx2")]
fn quad(a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> [i32; 4] {
    let halves = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
    let mut totals = [0; 4];
    // SAFETY: four values.
    unsafe { _mm_storeu_si128(totals.as_mut_ptr().cast(), sum) };
    totals
}

/// Weighs values for one, two or four rows.
#[target_feature(enable = "avx2")]
pub fn mix_rows(sums: &mut [i32], weights: &[i16], values: Blocks<'_, i8>, width: usize, ahead: &mut Ahead) {
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
                (4, _) => mix_columns::<4, 1>(sums, weights, values, width, d),
                (2, 2..) => mix_columns::<2, 2>(sums, weights, values, width, d),
                (2, _) => mix_columns::<2, 1>(sums, weights, values, width, d),
                (_, 4..) => mix_columns::<1, 4>(sums, weights, values, width, d),
                _ => mix_columns::<1, 1>(sums, weights, values, width, d),
            }
        };
    }
}

/// R rows and U times sixteen dimensions, two positions at a time; returns the dimensions.
///
/// # Safety
/// Rows `width` apart, R of 16·U values at `sums`, those of `values` with as many behind their first `d`; a weight for each of these rows at
/// `weights` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn mix_columns<const R: usize, const U: usize>(
    sums: *mut i32,
    mut weights: *const i16,
    values: Blocks<'_, i8>,
    width: usize,
    d: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut mixed = [[[_mm256_setzero_si256(); 2]; U]; R];
        for r in 0..R {
            for u in 0..U {
                for half in 0..2 {
                    let at = sums.add(r * width + u * PADDING + half * LANES);
                    mixed[r][u][half] = _mm256_loadu_si256(at.cast());
                }
            }
        }
        for values in values {
            let (mut at, tokens) = (values.as_ptr().wrapping_add(d), values.len() / width);
            let mut pair = [_mm256_setzero_si256(); R];
            for _ in 0..tokens / 2 {
                for r in 0..R {
                    let two = weights.add(r * SPAN).cast::<i32>().read_unaligned();
                    pair[r] = _mm256_set1_epi32(two);
                }
                add_pair(&mut mixed, &pair, at, at.add(width));
                (at, weights) = (at.wrapping_add(2 * width), weights.add(2));
            }
            if tokens % 2 == 1 {
                for r in 0..R {
                    let one = *weights.add(r * SPAN);
                    pair[r] = _mm256_set1_epi32(i32::from(one.cast_unsigned()));
                }
                // The second row's weight is 0.
                add_pair(&mut mixed, &pair, at, at);
                weights = weights.add(1);
            }
        }
        for r in 0..R {
            for u in 0..U {
                for half in 0..2 {
                    let at = sums.add(r * width + u * PADDING + half * LANES);
                    _mm256_storeu_si256(at.cast(), mixed[r][u][half]);
                }
            }
        }
    }
    PADDING * U
}

/// # Safety
/// 16·U values at each row.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_pair<const R: usize, const U: usize>(
    mixed: &mut [[[__m256i; 2]; U]; R],
    pair: &[__m256i; R],
    first: *const i8,
    second: *const i8,
) {
    for u in 0..U {
        // SAFETY: the caller's promise.
        let (first, second) = unsafe {
            (_mm_loadu_si128(first.add(u * PADDING).cast()), _mm_loadu_si128(second.add(u * PADDING).cast()))
        };
        let values = [
            _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)),
            _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second)),
        ];
        for r in 0..R {
            for half in 0..2 {
                mixed[r][u][half] =
                    _mm256_add_epi32(mixed[r][u][half], _mm256_madd_epi16(pair[r], values[half]));
            }
        }
    }
}
