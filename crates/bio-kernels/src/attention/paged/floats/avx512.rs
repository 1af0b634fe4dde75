//! Scores and weighed sums in f32 with AVX-512.

use std::arch::x86_64::*;

use super::super::ahead::STREAMS;
use super::super::pages::PageValue;
use super::{Ahead, Blocks, Float, Keys, PADDING, POSITIONS, SPAN};
use crate::memory::prefetch_to_second_level;

/// Words of keys between two looks at what is to be fetched.
const STEP: usize = 4;

/// One, two or four rows of queries with four blocks.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn score_rows<P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: &Keys<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    keys.check(scores.len(), rows, width);
    ahead.begin(keys.words);
    let (scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    // SAFETY: as many rows of queries as `rows` and as long, and a score for each pair, by the check.
    unsafe {
        match (rows, keys.tokens == [POSITIONS; STREAMS]) {
            (4, true) => blocks_of::<P, 4, true>(scores, q, keys, width, ahead),
            (4, false) => blocks_of::<P, 4, false>(scores, q, keys, width, ahead),
            (2, true) => blocks_of::<P, 2, true>(scores, q, keys, width, ahead),
            (2, false) => blocks_of::<P, 2, false>(scores, q, keys, width, ahead),
            (_, true) => blocks_of::<P, 1, true>(scores, q, keys, width, ahead),
            (_, false) => blocks_of::<P, 1, false>(scores, q, keys, width, ahead),
        }
    }
}

/// Scores of R rows of queries, a register of them for each block.
///
/// # Safety
/// Rows of `width` values, R at `q`; a score for each position at `scores` and at each multiple of SPAN behind, R in all; checked keys, their
/// blocks of sixteen positions where they are WHOLE.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn blocks_of<P: Float, const R: usize, const WHOLE: bool>(
    scores: *mut f32,
    mut q: *const f32,
    keys: &Keys<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let seen: [__mmask16; STREAMS] = keys.tokens.map(|tokens| ((1u32 << tokens) - 1) as __mmask16);
    let mut at = keys.blocks.map(<[P]>::as_ptr);
    let mut sums = [[_mm512_setzero_ps(); STREAMS]; R];
    let mut left = keys.words;
    while left > 0 {
        let count = left.min(STEP);
        ahead.fetch(count, prefetch_to_second_level);
        for _ in 0..count {
            let mut words = [_mm512_setzero_si512(); STREAMS];
            for b in 0..STREAMS {
                // SAFETY: the words of the positions that are there, by the check.
                words[b] = unsafe {
                    // A mask takes a port that products need.
                    if WHOLE {
                        _mm512_loadu_si512(at[b].cast())
                    } else {
                        _mm512_maskz_loadu_epi32(seen[b], at[b].cast())
                    }
                };
                at[b] = at[b].wrapping_add(keys.stride);
            }
            for part in 0..P::PER_WORD {
                let mut values = [_mm512_setzero_ps(); STREAMS];
                for b in 0..STREAMS {
                    // SAFETY: AVX-512 F.
                    values[b] = unsafe { P::part_of_sixteen(words[b], part) };
                }
                for r in 0..R {
                    // SAFETY: the caller's promise.
                    let factor = _mm512_set1_ps(unsafe { *q.add(r * width + part) });
                    for b in 0..STREAMS {
                        sums[r][b] = _mm512_fmadd_ps(factor, values[b], sums[r][b]);
                    }
                }
            }
            q = q.wrapping_add(P::PER_WORD);
        }
        left -= count;
    }
    for r in 0..R {
        let mut to = scores.wrapping_add(r * SPAN);
        for b in 0..STREAMS {
            // SAFETY: the caller's promise.
            unsafe { _mm512_mask_storeu_ps(to, seen[b], sums[r][b]) };
            to = to.wrapping_add(keys.tokens[b]);
        }
    }
}

/// Weighs values for one, two or four rows.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn mix_rows<P: Float>(
    sums: &mut [f32],
    weights: &[f32],
    values: Blocks<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let (rows, count) = (sums.len() / width, values.iter().map(|values| values.len()).sum::<usize>());
    assert!(
        width.is_multiple_of(PADDING) && weights.len().saturating_sub((rows - 1) * SPAN) * width >= count
    );
    ahead.begin(count);
    let mut d = 0;
    while d < width {
        let (sums, weights) = (sums[d..].as_mut_ptr(), weights.as_ptr());
        // SAFETY: from here `width` − d values in each row, as many rows of sums as `rows`; a weight for each pair, by the assertion.
        d += unsafe {
            match (rows, (width - d) / PADDING) {
                (4, 4..) => mix_columns::<P, 4, 4>(sums, weights, values, width, d, ahead),
                (4, 2..) => mix_columns::<P, 4, 2>(sums, weights, values, width, d, ahead),
                (4, _) => mix_columns::<P, 4, 1>(sums, weights, values, width, d, ahead),
                (2, 4..) => mix_columns::<P, 2, 4>(sums, weights, values, width, d, ahead),
                (2, 2..) => mix_columns::<P, 2, 2>(sums, weights, values, width, d, ahead),
                (2, _) => mix_columns::<P, 2, 1>(sums, weights, values, width, d, ahead),
                (_, 8..) => mix_columns::<P, 1, 8>(sums, weights, values, width, d, ahead),
                (_, 4..) => mix_columns::<P, 1, 4>(sums, weights, values, width, d, ahead),
                (_, 2..) => mix_columns::<P, 1, 2>(sums, weights, values, width, d, ahead),
                _ => mix_columns::<P, 1, 1>(sums, weights, values, width, d, ahead),
            }
        };
    }
}

/// R rows and U times sixteen dimensions, U even or 1, each sum one chain over the positions; returns the dimensions.
///
/// # Safety
/// Rows `width` apart, R of 16·U values at `sums`, those of `values` with as many behind their first `d`; a weight for each of these rows at
/// `weights` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn mix_columns<P: Float, const R: usize, const U: usize>(
    sums: *mut f32,
    mut weights: *const f32,
    values: Blocks<'_, P>,
    width: usize,
    d: usize,
    ahead: &mut Ahead,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        let mut mixed = [[_mm512_setzero_ps(); U]; R];
        for r in 0..R {
            for u in 0..U {
                mixed[r][u] = _mm512_loadu_ps(sums.add(r * width + u * PADDING));
            }
        }
        for values in values {
            let (mut at, mut left) = (values.as_ptr().wrapping_add(d), values.len());
            while left >= width {
                ahead.fetch(PADDING * U, prefetch_to_second_level);
                let mut weight = [_mm512_setzero_ps(); R];
                for r in 0..R {
                    weight[r] = _mm512_set1_ps(*weights.add(r * SPAN));
                }
                let mut value = [_mm512_setzero_ps(); U];
                if U == 1 {
                    value[0] = P::load_sixteen(at);
                }
                for u in 0..U / 2 {
                    [value[2 * u], value[2 * u + 1]] = P::load_pair(at.add(2 * u * PADDING));
                }
                for u in 0..U {
                    for r in 0..R {
                        mixed[r][u] = _mm512_fmadd_ps(weight[r], value[u], mixed[r][u]);
                    }
                }
                (at, weights, left) = (at.wrapping_add(width), weights.add(1), left - width);
            }
        }
        for r in 0..R {
            for u in 0..U {
                _mm512_storeu_ps(sums.add(r * width + u * PADDING), mixed[r][u]);
            }
        }
    }
    PADDING * U
}
