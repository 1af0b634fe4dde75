//! Scores and weighed sums in integers with AVX-512 VNNI: sixty-four products of bytes, four to a sum, in one instruction (`vpdpbusd`).

use std::arch::x86_64::*;

use super::super::ahead::STREAMS;
use super::super::pages::PageValue;
use super::{Ahead, Blocks, Keys, POSITIONS, SPAN, WEIGHT_LIMIT};
use crate::memory::{prefetch, prefetch_to_second_level};

/// Sums of a register.
const LANES: usize = 16;

/// Blocks whose scores are summed side by side: halves of four rows with two of them take half of the registers.
const SIDE_BY_SIDE: usize = 2;
/// Lines of a block of keys that are brought from the second-level cache into the first before their turn.
const LINES_AHEAD: usize = 8;
const LINE: usize = 64;
/// Words of keys between two looks at what is to be fetched.
const WORDS: usize = 2;

/// Four factors as `score_rows` wants them: two signed bytes of each, the upper ones of all before the lower.
pub fn split(word: &mut [i16; i8::PER_WORD]) {
    let [a, b, c, d] = word.map(|factor| {
        let lower = factor as i8;
        [((factor - i16::from(lower)) >> 8) as u8, lower.cast_unsigned()]
    });
    let pairs = [[a[0], b[0]], [c[0], d[0]], [a[1], b[1]], [c[1], d[1]]];
    *word = pairs.map(i16::from_le_bytes);
}

/// One, two or four rows of queries with four blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn score_rows(
    scores: &mut [i32],
    (queries, begin): (&[i16], &[i32]),
    keys: &Keys<'_, i8>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    keys.check(scores.len(), rows, width);
    ahead.begin(keys.words * STREAMS / SIDE_BY_SIDE);
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for first in (0..STREAMS).step_by(SIDE_BY_SIDE) {
        let tokens = &keys.tokens[first..first + SIDE_BY_SIDE];
        let whole = tokens.iter().all(|tokens| *tokens == POSITIONS);
        // SAFETY: as many rows of queries as `rows` and as long, and a score for each pair, by the check.
        unsafe {
            match (rows, whole) {
                (4, true) => blocks_of::<4, true>(scores, q, begin, keys, first, width, ahead),
                (4, false) => blocks_of::<4, false>(scores, q, begin, keys, first, width, ahead),
                (2, true) => blocks_of::<2, true>(scores, q, begin, keys, first, width, ahead),
                (2, false) => blocks_of::<2, false>(scores, q, begin, keys, first, width, ahead),
                (_, true) => blocks_of::<1, true>(scores, q, begin, keys, first, width, ahead),
                (_, false) => blocks_of::<1, false>(scores, q, begin, keys, first, width, ahead),
            }
        }
        let tokens: usize = tokens.iter().sum();
        scores = scores.wrapping_add(tokens);
    }
}

/// Scores of R rows of queries with the blocks from `first` on, sums of upper bytes and of lower ones. These may pass 2³¹ and wrap; what they
/// make together does not.
///
/// # Safety
/// Rows of `width` values, R at `q`; a score for each position at `scores` and at each multiple of SPAN behind, R in all; checked keys, their
/// blocks of sixteen positions where they are WHOLE.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn blocks_of<const R: usize, const WHOLE: bool>(
    scores: *mut i32,
    mut q: *const i16,
    begin: &[i32],
    keys: &Keys<'_, i8>,
    first: usize,
    width: usize,
    ahead: &mut Ahead,
) {
    const B: usize = SIDE_BY_SIDE;
    let tokens = [keys.tokens[first], keys.tokens[first + 1]];
    let seen = tokens.map(|tokens| ((1u32 << tokens) - 1) as __mmask16);
    let mut at = [keys.blocks[first].as_ptr(), keys.blocks[first + 1].as_ptr()];
    let zero = _mm512_setzero_si512();
    let (mut upper, mut lower) = ([[zero; B]; R], [[zero; B]; R]);
    for r in 0..R {
        lower[r] = [_mm512_set1_epi32(begin[r]); B];
    }
    let mut left = keys.words;
    while left > 0 {
        let count = left.min(WORDS);
        ahead.fetch(count, prefetch_to_second_level);
        for _ in 0..count {
            let mut words = [zero; B];
            for b in 0..B {
                // SAFETY: the words of the positions that are there, by the check.
                words[b] = unsafe {
                    // A mask takes a port that products need.
                    if WHOLE {
                        _mm512_loadu_si512(at[b].cast())
                    } else {
                        _mm512_maskz_loadu_epi32(seen[b], at[b].cast())
                    }
                };
                prefetch(at[b].wrapping_add(LINES_AHEAD * LINE));
                at[b] = at[b].wrapping_add(keys.stride);
            }
            for r in 0..R {
                // SAFETY: the caller's promise.
                let (of_upper, of_lower) = unsafe {
                    let pairs = q.add(r * width).cast::<i32>();
                    (pairs.read_unaligned(), pairs.add(1).read_unaligned())
                };
                let (of_upper, of_lower) = (_mm512_set1_epi32(of_upper), _mm512_set1_epi32(of_lower));
                for b in 0..B {
                    upper[r][b] = _mm512_dpbusd_epi32(upper[r][b], words[b], of_upper);
                    lower[r][b] = _mm512_dpbusd_epi32(lower[r][b], words[b], of_lower);
                }
            }
            q = q.wrapping_add(i8::PER_WORD);
        }
        left -= count;
    }
    for r in 0..R {
        let mut to = scores.wrapping_add(r * SPAN);
        for b in 0..B {
            let sum = _mm512_add_epi32(lower[r][b], _mm512_slli_epi32::<8>(upper[r][b]));
            // SAFETY: the caller's promise.
            unsafe { _mm512_mask_storeu_epi32(to, seen[b], sum) };
            to = to.wrapping_add(tokens[b]);
        }
    }
}

/// weights = round(x·inverse), 0 where that is negative or no number; of each word of four positions the upper bytes, then the lower.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn round_weights(weights: &mut [i16; SPAN], x: &[f32; SPAN], inverse: f32) {
    const PAIR: usize = 2 * LANES;
    let (inverse, limit) = (_mm512_set1_ps(inverse), _mm512_set1_ps(WEIGHT_LIMIT));
    // In each lane one word of the first sixteen positions and one of the others: then all of the first, and of the others.
    let apart = _mm512_broadcast_i32x4(_mm_setr_epi8(1, 3, 5, 7, 0, 2, 4, 6, 9, 11, 13, 15, 8, 10, 12, 14));
    let in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let pairs = weights.as_chunks_mut::<PAIR>().0.iter_mut().zip(x.as_chunks::<PAIR>().0);
    for (to, x) in pairs {
        let mut whole = [_mm512_setzero_si512(); 2];
        for half in 0..2 {
            // SAFETY: thirty-two values.
            let x = unsafe { _mm512_loadu_ps(x.as_ptr().add(half * LANES)) };
            // Where the product is no number, so is the smaller one, and the integer is the least of all.
            whole[half] = _mm512_cvtps_epi32(_mm512_min_ps(limit, _mm512_mul_ps(x, inverse)));
        }
        let words = _mm512_shuffle_epi8(_mm512_packus_epi32(whole[0], whole[1]), apart);
        // SAFETY: thirty-two weights.
        unsafe {
            _mm512_storeu_si512(to.as_mut_ptr().cast(), _mm512_permutexvar_epi64(in_order, words));
        }
    }
}

/// Weighs values for one, two or four rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn mix_rows(sums: &mut [i32], weights: &[i16], values: Blocks<'_, i8>, width: usize, ahead: &mut Ahead) {
    let (rows, count) = (sums.len() / width, values.iter().map(|values| values.len()).sum::<usize>());
    assert!(width.is_multiple_of(LANES) && weights.len().saturating_sub((rows - 1) * SPAN) * width >= count);
    ahead.begin(STREAMS * width / LANES);
    let mut d = 0;
    while d < width {
        let (sums, weights) = (sums[d..].as_mut_ptr(), weights.as_ptr());
        // SAFETY: from here `width` − d values in each row, as many rows of sums as `rows`; a weight for each pair, by the assertion.
        d += unsafe {
            match (rows, (width - d) / LANES) {
                (4, 2..) => mix_columns::<4, 2>(sums, weights, values, width, d, ahead),
                (4, _) => mix_columns::<4, 1>(sums, weights, values, width, d, ahead),
                (2, 2..) => mix_columns::<2, 2>(sums, weights, values, width, d, ahead),
                (2, _) => mix_columns::<2, 1>(sums, weights, values, width, d, ahead),
                (_, 4..) => mix_columns::<1, 4>(sums, weights, values, width, d, ahead),
                (_, 2..) => mix_columns::<1, 2>(sums, weights, values, width, d, ahead),
                _ => mix_columns::<1, 1>(sums, weights, values, width, d, ahead),
            }
        };
    }
}

/// R rows and U times sixteen dimensions, four positions at a time; returns the dimensions.
///
/// # Safety
/// Rows `width` apart, R of 16·U values at `sums`, the words of `values` with as many behind their first `d`; a weight for each of their
/// positions at `weights` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn mix_columns<const R: usize, const U: usize>(
    sums: *mut i32,
    mut weights: *const i16,
    values: Blocks<'_, i8>,
    width: usize,
    d: usize,
    ahead: &mut Ahead,
) -> usize {
    const PER_WORD: usize = i8::POSITIONS_PER_WORD;
    // SAFETY: the caller's promise.
    unsafe {
        let zero = _mm512_setzero_si512();
        let (mut upper, mut lower) = ([[zero; U]; R], [[zero; U]; R]);
        for r in 0..R {
            for u in 0..U {
                lower[r][u] = _mm512_loadu_si512(sums.add(r * width + u * LANES).cast());
            }
        }
        for values in values {
            ahead.fetch(U, prefetch_to_second_level);
            let (mut at, mut left) = (values.as_ptr().wrapping_add(PER_WORD * d), values.len());
            while left >= PER_WORD * width {
                let mut words = [zero; U];
                for u in 0..U {
                    words[u] = _mm512_loadu_si512(at.add(u * PER_WORD * LANES).cast());
                    // The next columns of this word, from the second-level cache into the first.
                    prefetch(at.wrapping_add((U + u) * PER_WORD * LANES));
                }
                for r in 0..R {
                    let halves = weights.add(r * SPAN).cast::<i32>();
                    let of_upper = _mm512_set1_epi32(halves.read_unaligned());
                    let of_lower = _mm512_set1_epi32(halves.add(1).read_unaligned());
                    for u in 0..U {
                        upper[r][u] = _mm512_dpbusd_epi32(upper[r][u], of_upper, words[u]);
                        lower[r][u] = _mm512_dpbusd_epi32(lower[r][u], of_lower, words[u]);
                    }
                }
                at = at.wrapping_add(PER_WORD * width);
                (weights, left) = (weights.add(PER_WORD), left - PER_WORD * width);
            }
        }
        for r in 0..R {
            for u in 0..U {
                let sum = _mm512_add_epi32(lower[r][u], _mm512_slli_epi32::<8>(upper[r][u]));
                _mm512_storeu_si512(sums.add(r * width + u * LANES).cast(), sum);
            }
        }
    }
    LANES * U
}
