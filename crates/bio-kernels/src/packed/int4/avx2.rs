//! `vpmaddubsw` multiplies unsigned by signed bytes and adds pairs in 16 bits, saturating. A pair is at most 2·15·127 = 3810, so that
//! eight of them, 32 columns, add up without loss before `vpmaddwd` by ones widens them.

use std::arch::x86_64::*;

use super::{Quantized, STEP, TILE, Tile};
use crate::memory::prefetch;

/// Steps whose products fit 16 bits.
const STEPS: usize = 4;
/// Bytes between a read and the prefetch for a later one.
const AHEAD: usize = 1024;

/// sums [tiles][rows][16], four rows of x or four tiles at a time: their sums are half of the sixteen registers.
#[target_feature(enable = "avx2,fma")]
pub fn dots(sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
    let rows = sums.len() / tiles.len();
    match (rows, tiles) {
        (1, &[a, b, c, d]) => return few::<4, 1>(sums, [a, b, c, d], x),
        (2, &[a, b]) => return few::<2, 2>(sums, [a, b], x),
        _ => {}
    }
    for (&tile, sums) in tiles.iter().zip(sums.chunks_mut(rows)) {
        for (four, sums) in sums.chunks_mut(4).enumerate() {
            let x = x.rows(4 * four..4 * four + sums.len());
            match sums.len() {
                1 => few::<1, 1>(sums, [tile], x),
                2 => few::<1, 2>(sums, [tile], x),
                3 => few::<1, 3>(sums, [tile], x),
                _ => few::<1, 4>(sums, [tile], x),
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn few<const TILES: usize, const ROWS: usize>(
    sums: &mut [[f32; TILE]],
    tiles: [Tile<'_>; TILES],
    x: Quantized<'_>,
) {
    let steps = tiles[0].group_size / 8;
    assert!(sums.len() == TILES * ROWS);
    assert!(tiles.iter().all(|tile| {
        tile.group_size == 8 * steps
            && tile.values.len() >= x.groups * steps * STEP
            && tile.scales.len() >= x.groups * TILE
    }));
    assert!(
        x.stride >= x.groups * steps * 8
            && x.values.len() >= ROWS * x.stride
            && x.scales.len() >= ROWS * x.groups
            && x.corrections.len() >= ROWS * x.groups
    );
    let mut outs = [[[_mm256_setzero_ps(); 2]; ROWS]; TILES];
    for group in 0..x.groups {
        for (tile, outs) in tiles.iter().zip(&mut outs) {
            // SAFETY: a group of the tile and of each row of x, by the assertions.
            unsafe { add_group(outs, *tile, x, group) };
        }
    }
    for (sums, out) in sums.iter_mut().zip(outs.as_flattened()) {
        // SAFETY: sixteen sums.
        unsafe {
            _mm256_storeu_ps(sums.as_mut_ptr(), out[0]);
            _mm256_storeu_ps(sums.as_mut_ptr().add(8), out[1]);
        }
    }
}

/// outs [rows][16] += the products of one group of columns.
///
/// # Safety
/// The tile and each row of x must have that group.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add_group<const ROWS: usize>(
    outs: &mut [[__m256; 2]; ROWS],
    tile: Tile<'_>,
    x: Quantized<'_>,
    group: usize,
) {
    let (size, steps) = (tile.group_size, tile.group_size / 8);
    let (low, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    let mut totals = [[_mm256_setzero_si256(); 2]; ROWS];
    // SAFETY: all reads are in the group, as the caller promises.
    unsafe {
        for (i, total) in totals.iter_mut().enumerate() {
            *total = [_mm256_set1_epi32(*x.corrections.as_ptr().add(i * x.groups + group)); 2];
        }
        let mut step = 0;
        while step < steps {
            let end = steps.min(step + STEPS);
            let mut pairs = [[_mm256_setzero_si256(); 2]; ROWS];
            while step < end {
                let bytes = tile.values.as_ptr().add((group * steps + step) * STEP);
                prefetch(bytes.wrapping_add(AHEAD));
                let a = x.values.as_ptr().add(group * size + step * 8).cast::<i32>();
                let bytes = [_mm256_loadu_si256(bytes.cast()), _mm256_loadu_si256(bytes.add(32).cast())];
                let first = bytes.map(|bytes| _mm256_and_si256(bytes, low));
                for (i, pair) in pairs.iter_mut().enumerate() {
                    let a = _mm256_set1_epi32(a.byte_add(i * x.stride).read_unaligned());
                    pair[0] = _mm256_add_epi16(pair[0], _mm256_maddubs_epi16(first[0], a));
                    pair[1] = _mm256_add_epi16(pair[1], _mm256_maddubs_epi16(first[1], a));
                }
                let second = bytes.map(|bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low));
                for (i, pair) in pairs.iter_mut().enumerate() {
                    let a = _mm256_set1_epi32(a.byte_add(i * x.stride + 4).read_unaligned());
                    pair[0] = _mm256_add_epi16(pair[0], _mm256_maddubs_epi16(second[0], a));
                    pair[1] = _mm256_add_epi16(pair[1], _mm256_maddubs_epi16(second[1], a));
                }
                step += 1;
            }
            for (total, pair) in totals.iter_mut().zip(pairs) {
                total[0] = _mm256_add_epi32(total[0], _mm256_madd_epi16(pair[0], ones));
                total[1] = _mm256_add_epi32(total[1], _mm256_madd_epi16(pair[1], ones));
            }
        }
        let scales = tile.scales.as_ptr().add(group * TILE);
        for (i, out) in outs.iter_mut().enumerate() {
            let scale = _mm256_set1_ps(*x.scales.as_ptr().add(i * x.groups + group));
            for half in 0..2 {
                let scale = _mm256_mul_ps(_mm256_loadu_ps(scales.add(8 * half)), scale);
                out[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(totals[i][half]), scale, out[half]);
            }
        }
    }
}
