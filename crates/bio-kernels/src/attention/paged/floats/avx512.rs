//! Scores and weighed sums in f32 with AVX-512: sixteen sums in registers, whatever the rows.

use std::arch::x86_64::*;

use super::{Ahead, Blocks, Float, PADDING, SPAN};
use crate::memory::prefetch_to_second_level;

/// Sums in registers: pairs of a row and a key, which make up one register of scores.
const SUMS: usize = 16;

/// One, two or four rows of queries, so many keys at a time that sixteen sums are in registers.
#[target_feature(enable = "avx512f,avx512bw")]
pub fn score_rows<P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: Blocks<'_, P>,
    width: usize,
    ahead: &mut Ahead,
) {
    let (rows, values) = (queries.len() / width, keys.iter().map(|keys| keys.len()).sum::<usize>());
    assert!(
        width.is_multiple_of(PADDING) && scores.len().saturating_sub((rows - 1) * SPAN) * width >= values
    );
    ahead.begin(values);
    let (mut scores, q) = (scores.as_mut_ptr(), queries.as_ptr());
    for keys in keys {
        // In values, not tokens: a division by the width costs as much as a key.
        let (mut k, mut left) = (keys.as_ptr(), keys.len());
        while left >= width {
            // SAFETY: rows of `width` values, as many of queries as `rows` and of keys as are left at least; a score for each pair, by the assertion.
            unsafe {
                let done = match rows {
                    4 if left >= 4 * width => keys_of::<P, 4, 4>(scores, q, k, width),
                    4 => keys_of::<P, 4, 1>(scores, q, k, width),
                    2 if left >= 8 * width => keys_of::<P, 2, 8>(scores, q, k, width),
                    2 => keys_of::<P, 2, 1>(scores, q, k, width),
                    _ if left >= 16 * width => keys_of::<P, 1, 16>(scores, q, k, width),
                    _ => keys_of::<P, 1, 1>(scores, q, k, width),
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
/// Rows of `width` values, a multiple of 16, R at `q` and T at `k`; T scores at `scores` and at each multiple of SPAN behind, R in all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn keys_of<P: Float, const R: usize, const T: usize>(
    scores: *mut f32,
    q: *const f32,
    k: *const P,
    width: usize,
) -> usize {
    let mut sums = [_mm512_setzero_ps(); SUMS];
    let mut d = 0;
    while d < width {
        // SAFETY: the caller's promise.
        unsafe {
            let mut rows = [_mm512_setzero_ps(); R];
            for r in 0..R {
                rows[r] = _mm512_loadu_ps(q.add(r * width + d));
            }
            for t in 0..T {
                let key = P::load_sixteen(k.add(t * width + d));
                for r in 0..R {
                    sums[r * T + t] = _mm512_fmadd_ps(rows[r], key, sums[r * T + t]);
                }
            }
        }
        d += PADDING;
    }
    let mut totals = [0.0f32; SUMS];
    // SAFETY: sixteen values there; room for T scores of each row is the caller's promise.
    unsafe {
        _mm512_storeu_ps(totals.as_mut_ptr(), totals_of(&sums));
        for r in 0..R {
            std::ptr::copy_nonoverlapping(totals.as_ptr().add(r * T), scores.add(r * SPAN), T);
        }
    }
    T
}

/// The totals of sixteen registers, each in the same order.
#[inline]
#[target_feature(enable = "avx512f")]
fn totals_of(sums: &[__m512; SUMS]) -> __m512 {
    // Of four registers each quarter's totals beside each other, then quarter upon quarter.
    let mut fours = [_mm512_setzero_ps(); 4];
    for i in 0..4 {
        let [a, b, c, d] = [sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]];
        let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        fours[i] = _mm512_add_ps(
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
        );
    }
    let [a, b, c, d] = fours;
    let ab = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b));
    let cd = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xee>(c, d));
    _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(ab, cd), _mm512_shuffle_f32x4::<0xdd>(ab, cd))
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
                (4, _) => mix_columns::<P, 4, 1>(sums, weights, values, width, d, ahead),
                (2, 4..) => mix_columns::<P, 2, 4>(sums, weights, values, width, d, ahead),
                (2, _) => mix_columns::<P, 2, 1>(sums, weights, values, width, d, ahead),
                (_, 8..) => mix_columns::<P, 1, 8>(sums, weights, values, width, d, ahead),
                (_, 4..) => mix_columns::<P, 1, 4>(sums, weights, values, width, d, ahead),
                _ => mix_columns::<P, 1, 1>(sums, weights, values, width, d, ahead),
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
                for u in 0..U {
                    let value = P::load_sixteen(at.add(u * PADDING));
                    for r in 0..R {
                        mixed[r][u] = _mm512_fmadd_ps(weight[r], value, mixed[r][u]);
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
