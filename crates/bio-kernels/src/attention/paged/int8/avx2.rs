//! Scores and weighed sums in integers with AVX2.

use std::arch::x86_64::*;

use super::super::pages::{PADDING, PageValue};
use super::{Ahead, Blocks, Keys, POSITIONS, SPAN, score_block};
use crate::memory::prefetch;

/// Values of a register of sums.
const LANES: usize = 8;

/// One, two or four rows of queries, block by block.
#[target_feature(enable = "avx2")]
pub fn score_rows(
    scores: &mut [i32],
    (queries, begin): (&[i16], &[i32]),
    keys: &Keys<'_, i8>,
    width: usize,
    ahead: &mut Ahead,
) {
    let rows = queries.len() / width;
    keys.check(scores.len(), rows, width);
    assert!(begin.len() >= rows);
    ahead.begin(keys.blocks.len());
    let mut first = 0;
    for (block, &tokens) in keys.tokens.iter().enumerate() {
        ahead.fetch(1, prefetch);
        let (to, q) = (scores[first..].as_mut_ptr(), queries.as_ptr());
        // SAFETY: words of sixteen positions, as many rows of queries as `rows` and as long, and a score for each pair, by the check.
        unsafe {
            match rows {
                4 if tokens == POSITIONS => block_of::<4>(to, q, begin, keys, block, width),
                2 if tokens == POSITIONS => block_of::<2>(to, q, begin, keys, block, width),
                1 if tokens == POSITIONS => block_of::<1>(to, q, begin, keys, block, width),
                _ => score_block(&mut scores[first..], (queries, begin), keys, block, width),
            }
        }
        first += tokens;
    }
}

/// Scores of R rows of queries with sixteen positions.
///
/// # Safety
/// Rows of `width` values, R at `q`; sixteen scores at `scores` and at each multiple of SPAN behind, R in all; checked keys, whose block holds
/// sixteen positions.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn block_of<const R: usize>(
    scores: *mut i32,
    mut q: *const i16,
    begin: &[i32],
    keys: &Keys<'_, i8>,
    block: usize,
    width: usize,
) {
    let mut at = keys.blocks[block].as_ptr();
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for r in 0..R {
        sums[r] = [_mm256_set1_epi32(begin[r]); 2];
    }
    for _ in 0..keys.words {
        let (mut even, mut odd) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
        for n in 0..2 {
            // SAFETY: the caller's promise.
            let words = unsafe { _mm256_loadu_si256(at.cast::<__m256i>().add(n)) };
            (even[n], odd[n]) =
                (_mm256_and_si256(words, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(words));
        }
        for r in 0..R {
            // SAFETY: the caller's promise.
            let (of_even, of_odd) = unsafe {
                let pairs = q.add(r * width).cast::<i32>();
                (pairs.read_unaligned(), pairs.add(1).read_unaligned())
            };
            let (of_even, of_odd) = (_mm256_set1_epi32(of_even), _mm256_set1_epi32(of_odd));
            for n in 0..2 {
                let products =
                    _mm256_add_epi32(_mm256_madd_epi16(of_even, even[n]), _mm256_madd_epi16(of_odd, odd[n]));
                sums[r][n] = _mm256_add_epi32(sums[r][n], products);
            }
        }
        q = q.wrapping_add(i8::PER_WORD);
        at = at.wrapping_add(keys.stride);
    }
    for r in 0..R {
        for n in 0..2 {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_si256(scores.add(r * SPAN + n * LANES).cast(), sums[r][n]) };
        }
    }
}

/// The even and the odd values of each word, in 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn apart(words: __m256i) -> [__m256i; 2] {
    [_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(words)), _mm256_srai_epi16::<8>(words)]
}

/// Weighs values for one, two or four rows.
#[target_feature(enable = "avx2")]
pub fn mix_rows(sums: &mut [i32], weights: &[i16], values: Blocks<'_, i8>, width: usize, ahead: &mut Ahead) {
    let rows = sums.len() / width;
    let positions: usize = values.iter().map(|values| values.len() / width).sum();
    assert!(width.is_multiple_of(PADDING) && weights.len() >= (rows - 1) * SPAN + positions);
    ahead.begin(width / PADDING);
    for d in (0..width).step_by(PADDING) {
        ahead.fetch(1, prefetch);
        let (sums, weights) = (sums[d..].as_mut_ptr(), weights.as_ptr());
        // SAFETY: from here `width` − d values in each row, as many rows of sums as `rows`; a weight for each pair, by the assertion.
        unsafe {
            match rows {
                4 => mix_columns::<4>(sums, weights, values, width, d),
                2 => mix_columns::<2>(sums, weights, values, width, d),
                _ => mix_columns::<1>(sums, weights, values, width, d),
            }
        }
    }
}

/// R rows and sixteen dimensions, four positions at a time.
///
/// # Safety
/// Rows `width` apart, R of sixteen values at `sums`, the words of `values` with as many behind their first `d`; a weight for each of their
/// positions at `weights` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn mix_columns<const R: usize>(
    sums: *mut i32,
    mut weights: *const i16,
    values: Blocks<'_, i8>,
    width: usize,
    d: usize,
) {
    const PER_WORD: usize = i8::POSITIONS_PER_WORD;
    // SAFETY: the caller's promise.
    unsafe {
        let mut mixed = [[_mm256_setzero_si256(); 2]; R];
        for r in 0..R {
            for n in 0..2 {
                mixed[r][n] = _mm256_loadu_si256(sums.add(r * width + n * LANES).cast());
            }
        }
        for values in values {
            let (mut at, mut left) = (values.as_ptr().wrapping_add(PER_WORD * d), values.len());
            while left >= PER_WORD * width {
                let (mut even, mut odd) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
                for n in 0..2 {
                    [even[n], odd[n]] = apart(_mm256_loadu_si256(at.cast::<__m256i>().add(n)));
                }
                for r in 0..R {
                    let pairs = weights.add(r * SPAN).cast::<i32>();
                    let of_even = _mm256_set1_epi32(pairs.read_unaligned());
                    let of_odd = _mm256_set1_epi32(pairs.add(1).read_unaligned());
                    for n in 0..2 {
                        let products = _mm256_add_epi32(
                            _mm256_madd_epi16(of_even, even[n]),
                            _mm256_madd_epi16(of_odd, odd[n]),
                        );
                        mixed[r][n] = _mm256_add_epi32(mixed[r][n], products);
                    }
                }
                at = at.wrapping_add(PER_WORD * width);
                (weights, left) = (weights.add(PER_WORD), left - PER_WORD * width);
            }
        }
        for r in 0..R {
            for n in 0..2 {
                _mm256_storeu_si256(sums.add(r * width + n * LANES).cast(), mixed[r][n]);
            }
        }
    }
}
