//! Scores and weighed sums in f32 with AVX2.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::super::pages::PageValue;
use super::{Ahead, Blocks, Float, Keys, LANES, PADDING, POSITIONS, SPAN, score_block};
use crate::memory::prefetch;

/// One, two or four rows of queries: as many blocks at a time that eight sums are in registers, or four of one row.
#[target_feature(enable = "avx2,fma")]
pub fn score_rows<P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: &Keys<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    keys.check(scores.len(), rows, width);
    ahead.begin(keys.blocks.len());
    let (mut block, mut first) = (0, 0);
    while block < keys.blocks.len() {
        let whole = |block: usize| keys.tokens.get(block) == Some(&POSITIONS);
        let two = rows < 4 && whole(block) && whole(block + 1);
        let blocks = if two { 2 } else { 1 };
        ahead.fetch(blocks, prefetch);
        let at = from_fn(|i| keys.blocks[block + i % blocks].as_ptr());
        let (to, q) = (scores[first..].as_mut_ptr(), queries.as_ptr());
        // SAFETY: words of sixteen positions in each of `at`, as many rows of queries as `rows` and as long, and a score for each pair, by the check.
        unsafe {
            match rows {
                4 if whole(block) => registers_of::<P, 4, 2>(to, q, at, keys, width),
                2 if two => registers_of::<P, 2, 4>(to, q, at, keys, width),
                2 if whole(block) => registers_of::<P, 2, 2>(to, q, at, keys, width),
                1 if two => registers_of::<P, 1, 4>(to, q, at, keys, width),
                1 if whole(block) => registers_of::<P, 1, 2>(to, q, at, keys, width),
                _ => score_block::<true, P>(&mut scores[first..], queries, keys, block, width),
            }
        }
        first += keys.tokens[block..block + blocks].iter().sum::<usize>();
        block += blocks;
    }
}

/// Scores of R rows of queries with N times eight positions, two registers of each block.
///
/// # Safety
/// Rows of `width` values, R at `q`; N/2 blocks at `at` with all words of sixteen positions; 8·N scores at `scores` and at each multiple of
/// SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn registers_of<P: Float, const R: usize, const N: usize>(
    scores: *mut f32,
    mut q: *const f32,
    mut at: [*const P; 2],
    keys: &Keys<'_, P>,
    width: usize,
) {
    let mut sums = [[_mm256_setzero_ps(); N]; R];
    for _ in 0..keys.words {
        let mut words = [_mm256_setzero_si256(); N];
        for n in 0..N {
            // SAFETY: the caller's promise.
            words[n] = unsafe { _mm256_loadu_si256(at[n / 2].cast::<__m256i>().add(n % 2)) };
        }
        for part in 0..P::PER_WORD {
            let mut values = [_mm256_setzero_ps(); N];
            for n in 0..N {
                // SAFETY: AVX2.
                values[n] = unsafe { P::part_of_eight(words[n], part) };
            }
            for r in 0..R {
                // SAFETY: the caller's promise.
                let factor = unsafe { _mm256_broadcast_ss(&*q.add(r * width + part)) };
                for n in 0..N {
                    sums[r][n] = _mm256_fmadd_ps(factor, values[n], sums[r][n]);
                }
            }
        }
        q = q.wrapping_add(P::PER_WORD);
        at = [at[0].wrapping_add(keys.stride), at[1].wrapping_add(keys.stride)];
    }
    for r in 0..R {
        for n in 0..N {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(scores.add(r * SPAN + n * LANES), sums[r][n]) };
        }
    }
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
