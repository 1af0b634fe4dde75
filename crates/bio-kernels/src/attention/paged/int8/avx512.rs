//! Scores and weighed sums in integers with AVX-512 VNNI: sixty-four products of bytes, four to a sum, in one instruction (`vpdpbusd`), for
//! scores; thirty-two, two to a sum, for values (`vpdpwssd`).

use std::arch::x86_64::*;

use super::super::ahead::STREAMS;
use super::super::pages::PageValue;
use super::{Ahead, Blocks, Keys, SPAN};
use crate::memory::prefetch_to_second_level;

/// Values of a register of 16 bits.
pub const STEP: usize = 32;

/// Blocks whose scores are summed side by side: halves of four rows with two of them take half of the registers.
const SIDE_BY_SIDE: usize = 2;
/// Words of keys between two looks at what is to be fetched.
const WORDS: usize = 2;

/// Four factors as `score_rows` wants them: 2¹⁵ more, so that none is negative, the upper bytes of all before the lower.
pub fn split(word: &mut [i16; i8::PER_WORD]) {
    let [a, b, c, d] = word.map(|factor| (factor.cast_unsigned() ^ 0x8000).to_be_bytes());
    let pairs = [[a[0], b[0]], [c[0], d[0]], [a[1], b[1]], [c[1], d[1]]];
    *word = pairs.map(i16::from_le_bytes);
}

/// One, two or four rows of queries with four blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn score_rows(scores: &mut [i32], queries: &[i16], keys: &Keys<'_, i8>, width: usize, ahead: &mut Ahead) {
    let rows = queries.len() / width;
    keys.check(scores.len(), rows, width);
    ahead.begin(keys.words * STREAMS / SIDE_BY_SIDE);
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for first in (0..STREAMS).step_by(SIDE_BY_SIDE) {
        // SAFETY: as many rows of queries as `rows` and as long, and a score for each pair, by the check.
        unsafe {
            match rows {
                4 => blocks_of::<4>(scores, q, keys, first, width, ahead),
                2 => blocks_of::<2>(scores, q, keys, first, width, ahead),
                _ => blocks_of::<1>(scores, q, keys, first, width, ahead),
            }
        }
        let tokens: usize = keys.tokens[first..first + SIDE_BY_SIDE].iter().sum();
        scores = scores.wrapping_add(tokens);
    }
}

/// Scores of R rows of queries with the blocks from `first` on: Σ (q + 2¹⁵)·k of upper bytes and of lower ones, less 2¹⁵·Σ k. These may pass
/// 2³¹ and wrap; their sum does not.
///
/// # Safety
/// Rows of `width` values, R at `q`; a score for each position at `scores` and at each multiple of SPAN behind, R in all; checked keys.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn blocks_of<const R: usize>(
    scores: *mut i32,
    mut q: *const i16,
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
    let (mut upper, mut lower, mut plain) = ([[zero; B]; R], [[zero; B]; R], [zero; B]);
    let half = _mm512_set1_epi8(i8::MIN);
    let mut left = keys.words;
    while left > 0 {
        let count = left.min(WORDS);
        ahead.fetch(count, prefetch_to_second_level);
        for _ in 0..count {
            let mut words = [zero; B];
            for b in 0..B {
                // SAFETY: the words of the positions that are there, by the check.
                words[b] = unsafe { _mm512_maskz_loadu_epi32(seen[b], at[b].cast()) };
                at[b] = at[b].wrapping_add(keys.stride);
                plain[b] = _mm512_dpbusd_epi32(plain[b], half, words[b]);
            }
            for r in 0..R {
                // SAFETY: the caller's promise.
                let (of_upper, of_lower) = unsafe {
                    let pairs = q.add(r * width).cast::<i32>();
                    (pairs.read_unaligned(), pairs.add(1).read_unaligned())
                };
                let (of_upper, of_lower) = (_mm512_set1_epi32(of_upper), _mm512_set1_epi32(of_lower));
                for b in 0..B {
                    upper[r][b] = _mm512_dpbusd_epi32(upper[r][b], of_upper, words[b]);
                    lower[r][b] = _mm512_dpbusd_epi32(lower[r][b], of_lower, words[b]);
                }
            }
            q = q.wrapping_add(i8::PER_WORD);
        }
        left -= count;
    }
    for r in 0..R {
        let mut to = scores.wrapping_add(r * SPAN);
        for b in 0..B {
            let upper = _mm512_slli_epi32::<8>(_mm512_sub_epi32(upper[r][b], plain[b]));
            // SAFETY: the caller's promise.
            unsafe { _mm512_mask_storeu_epi32(to, seen[b], _mm512_add_epi32(upper, lower[r][b])) };
            to = to.wrapping_add(tokens[b]);
        }
    }
}

/// Weighs values for one, two or four rows of whole steps.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn mix_rows(sums: &mut [i32], weights: &[i16], values: Blocks<'_, i8>, width: usize, ahead: &mut Ahead) {
    let (rows, count) = (sums.len() / width, values.iter().map(|values| values.len()).sum::<usize>());
    assert!(width.is_multiple_of(STEP) && weights.len().saturating_sub((rows - 1) * SPAN) * width >= count);
    ahead.begin(count);
    let mut d = 0;
    while d < width {
        let (sums, weights) = (sums[d..].as_mut_ptr(), weights.as_ptr());
        // SAFETY: from here `width` − d values in each row, as many rows of sums as `rows`; a weight for each pair, by the assertion.
        d += unsafe {
            match (rows, (width - d) / STEP) {
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

/// R rows and U times thirty-two dimensions, two positions at a time; returns the dimensions.
///
/// # Safety
/// Rows `width` apart, R of 32·U values at `sums`, those of `values` with as many behind their first `d`; a weight for each of these rows at
/// `weights` and at each multiple of SPAN behind, R in all.
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
    // SAFETY: the caller's promise.
    unsafe {
        let mut mixed = [[[_mm512_setzero_si512(); 2]; U]; R];
        for r in 0..R {
            for u in 0..U {
                let at = sums.add(r * width + u * STEP);
                mixed[r][u] = turned(_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(16).cast()));
            }
        }
        for values in values {
            let (mut at, mut left) = (values.as_ptr().wrapping_add(d), values.len());
            let mut pair = [_mm512_setzero_si512(); R];
            while left >= 2 * width {
                ahead.fetch(2 * STEP * U, prefetch_to_second_level);
                for r in 0..R {
                    let two = weights.add(r * SPAN).cast::<i32>().read_unaligned();
                    pair[r] = _mm512_set1_epi32(two);
                }
                add_pair(&mut mixed, &pair, at, at.add(width));
                (at, weights, left) = (at.wrapping_add(2 * width), weights.add(2), left - 2 * width);
            }
            if left >= width {
                for r in 0..R {
                    let one = *weights.add(r * SPAN);
                    pair[r] = _mm512_set1_epi32(i32::from(one.cast_unsigned()));
                }
                // The second row's weight is 0.
                add_pair(&mut mixed, &pair, at, at);
                weights = weights.add(1);
            }
        }
        for r in 0..R {
            for u in 0..U {
                let at = sums.add(r * width + u * STEP);
                let [first, second] = turned(mixed[r][u][0], mixed[r][u][1]);
                _mm512_storeu_si512(at.cast(), first);
                _mm512_storeu_si512(at.add(16).cast(), second);
            }
        }
    }
    STEP * U
}

/// Thirty-two sums between their order and that of `add_pair`, one way or the other: the two quarters in the middle change places.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(first: __m512i, second: __m512i) -> [__m512i; 2] {
    [_mm512_shuffle_i64x2::<0x44>(first, second), _mm512_shuffle_i64x2::<0xee>(first, second)]
}

/// # Safety
/// 32·U values at each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn add_pair<const R: usize, const U: usize>(
    mixed: &mut [[[__m512i; 2]; U]; R],
    pair: &[__m512i; R],
    first: *const i8,
    second: *const i8,
) {
    for u in 0..U {
        // SAFETY: the caller's promise.
        let (first, second) = unsafe {
            (_mm256_loadu_si256(first.add(u * STEP).cast()), _mm256_loadu_si256(second.add(u * STEP).cast()))
        };
        // Bytes are paired within each half of sixteen: dimensions 0–7 and 16–23, then 8–15 and 24–31.
        let values = [
            _mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(first, second)),
            _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(first, second)),
        ];
        for r in 0..R {
            for half in 0..2 {
                mixed[r][u][half] = _mm512_dpwssd_epi32(mixed[r][u][half], pair[r], values[half]);
            }
        }
    }
}
