//! Scores and weighed sums in integers with AVX-512 VNNI: thirty-two products, two to a sum, in one instruction (`vpdpwssd`).

use std::arch::x86_64::*;

use super::{Ahead, Blocks, SPAN};
use crate::memory::prefetch_to_second_level;

/// Values of a register of 16 bits.
pub const STEP: usize = 32;
/// Sums in registers: pairs of a row and a key, which make up one register of scores.
const SUMS: usize = 16;

/// One, two or four rows of queries, so many keys at a time that sixteen sums are in registers. Rows are of whole steps.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn score_rows(
    scores: &mut [i32],
    queries: &[i16],
    keys: Blocks<'_, i8>,
    width: usize,
    ahead: &mut Ahead,
) {
    let (rows, values) = (queries.len() / width, keys.iter().map(|keys| keys.len()).sum::<usize>());
    assert!(width.is_multiple_of(STEP) && scores.len().saturating_sub((rows - 1) * SPAN) * width >= values);
    ahead.begin(values);
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for keys in keys {
        // In values, not tokens: a division by the width costs as much as a key.
        let (mut k, mut left) = (keys.as_ptr(), keys.len());
        while left >= width {
            // SAFETY: rows of `width` values, as many of queries as `rows` and of keys as are left at least; a score for each pair, by the assertion.
            unsafe {
                let done = match rows {
                    4 if left >= 4 * width => keys_of::<4, 4>(scores, q, k, width),
                    4 => keys_of::<4, 1>(scores, q, k, width),
                    2 if left >= 8 * width => keys_of::<2, 8>(scores, q, k, width),
                    2 => keys_of::<2, 1>(scores, q, k, width),
                    _ if left >= 16 * width => keys_of::<1, 16>(scores, q, k, width),
                    _ => keys_of::<1, 1>(scores, q, k, width),
                };
                (scores, k, left) = (scores.add(done), k.add(done * width), left - done * width);
                ahead.fetch(done * width, prefetch_to_second_level);
            }
        }
    }
}

/// Scores of R rows of queries with T keys, R·T ≤ 16; returns T.
///
/// # Safety
/// Rows of `width` values, a multiple of 32, R at `q` and T at `k`; T scores at `scores` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn keys_of<const R: usize, const T: usize>(
    scores: *mut i32,
    q: *const i16,
    k: *const i8,
    width: usize,
) -> usize {
    let mut sums = [_mm512_setzero_si512(); SUMS];
    let mut d = 0;
    while d < width {
        // SAFETY: the caller's promise.
        unsafe {
            let mut rows = [_mm512_setzero_si512(); R];
            for r in 0..R {
                rows[r] = _mm512_loadu_si512(q.add(r * width + d).cast());
            }
            for t in 0..T {
                let key = _mm512_cvtepi8_epi16(_mm256_loadu_si256(k.add(t * width + d).cast()));
                for r in 0..R {
                    sums[r * T + t] = _mm512_dpwssd_epi32(sums[r * T + t], rows[r], key);
                }
            }
        }
        d += STEP;
    }
    let mut totals = [0i32; SUMS];
    // SAFETY: sixteen values there; room for T scores of each row is the caller's promise.
    unsafe {
        _mm512_storeu_si512(totals.as_mut_ptr().cast(), totals_of(&sums));
        for r in 0..R {
            std::ptr::copy_nonoverlapping(totals.as_ptr().add(r * T), scores.add(r * SPAN), T);
        }
    }
    T
}

/// The totals of sixteen registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn totals_of(sums: &[__m512i; SUMS]) -> __m512i {
    // Of four registers each quarter's totals beside each other, then quarter upon quarter.
    let mut fours = [_mm512_setzero_si512(); 4];
    for i in 0..4 {
        let [a, b, c, d] = [sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]];
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        fours[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    }
    let [a, b, c, d] = fours;
    let ab = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let cd = _mm512_add_epi32(_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(ab, cd), _mm512_shuffle_i32x4::<0xdd>(ab, cd))
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
