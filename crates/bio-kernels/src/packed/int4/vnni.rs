//! AVX-512 with VNNI: `vpdpbusd` adds the products of four unsigned by four signed bytes to each of sixteen sums of 32 bits.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{Quantized, STEP, TILE, Tile};
use crate::memory::prefetch;

/// Bytes between a read and the prefetch for a later one.
const AHEAD: usize = 1024;
/// Columns that all rows of x pass before the next ones' turn.
const STRETCH: usize = 512;

/// sums [tiles][rows][16]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn dots(sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
    let rows = sums.len() / tiles.len();
    sums.fill([0.0; TILE]);
    match (rows, tiles) {
        (1, &[a, b, c, d]) => return few::<4, 1>(sums, 1, [a, b, c, d], x, 0..x.groups),
        (2, &[a, b, c, d]) => return few::<4, 2>(sums, 2, [a, b, c, d], x, 0..x.groups),
        _ => {}
    }
    for (tiles, sums) in tiles.chunks(2).zip(sums.chunks_mut(2 * rows)) {
        match *tiles {
            [a, b] => stretches(sums, rows, [a, b], x),
            _ => stretches(sums, rows, [tiles[0]], x),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn stretches<const TILES: usize>(
    sums: &mut [[f32; TILE]],
    rows: usize,
    tiles: [Tile<'_>; TILES],
    x: Quantized<'_>,
) {
    let at_once = (STRETCH / tiles[0].group_size).max(1);
    for first in (0..x.groups).step_by(at_once) {
        let groups = first..x.groups.min(first + at_once);
        let mut row = 0;
        while row < rows {
            let (sums, x, groups) = (&mut sums[row..], x.rows(row..rows), groups.clone());
            let height = match rows - row {
                1 => 1,
                2 | 3 => 2,
                4..8 => 4,
                _ => 8,
            };
            match height {
                1 => few::<TILES, 1>(sums, rows, tiles, x, groups),
                2 => few::<TILES, 2>(sums, rows, tiles, x, groups),
                4 => few::<TILES, 4>(sums, rows, tiles, x, groups),
                _ => few::<TILES, 8>(sums, rows, tiles, x, groups),
            }
            row += height;
        }
    }
}

/// sums [tile·stride + row][16] += the products of some groups of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn few<const TILES: usize, const ROWS: usize>(
    sums: &mut [[f32; TILE]],
    stride: usize,
    tiles: [Tile<'_>; TILES],
    x: Quantized<'_>,
    groups: Range<usize>,
) {
    let (size, steps) = (tiles[0].group_size, tiles[0].group_size / 8);
    assert!(sums.len() >= (TILES - 1) * stride + ROWS && groups.end <= x.groups);
    assert!(tiles.iter().all(|tile| {
        tile.group_size == size
            && tile.values.len() >= x.groups * steps * STEP
            && tile.scales.len() >= x.groups * TILE
    }));
    assert!(
        x.stride >= x.groups * size
            && x.values.len() >= ROWS * x.stride
            && x.scales.len() >= ROWS * x.groups
            && x.corrections.len() >= ROWS * x.groups
    );
    let low = _mm512_set1_epi8(15);
    // SAFETY: all reads and writes are inside the slices, by the assertions.
    unsafe {
        for group in groups {
            let mut totals = [[_mm512_setzero_si512(); TILES]; ROWS];
            for (i, totals) in totals.iter_mut().enumerate() {
                *totals = [_mm512_set1_epi32(*x.corrections.as_ptr().add(i * x.groups + group)); TILES];
            }
            for step in group * steps..(group + 1) * steps {
                let mut halves = [[low; TILES]; 2];
                for (t, tile) in tiles.iter().enumerate() {
                    let bytes = tile.values.as_ptr().add(step * STEP);
                    prefetch(bytes.wrapping_add(AHEAD));
                    let bytes = _mm512_loadu_si512(bytes.cast());
                    halves[0][t] = _mm512_and_si512(bytes, low);
                    halves[1][t] = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low);
                }
                for (half, weights) in halves.iter().enumerate() {
                    for (i, totals) in totals.iter_mut().enumerate() {
                        let a = x.values.as_ptr().add(i * x.stride + step * 8 + 4 * half).cast::<i32>();
                        let a = _mm512_set1_epi32(a.read_unaligned());
                        for (total, weights) in totals.iter_mut().zip(weights) {
                            *total = _mm512_dpbusd_epi32(*total, *weights, a);
                        }
                    }
                }
            }
            for (t, tile) in tiles.iter().enumerate() {
                let scales = tile.scales.as_ptr().add(group * TILE);
                prefetch(scales.wrapping_add(AHEAD / 4));
                let scales = _mm512_loadu_ps(scales);
                for (i, totals) in totals.iter().enumerate() {
                    let scale = _mm512_set1_ps(*x.scales.as_ptr().add(i * x.groups + group));
                    let sum = sums.as_mut_ptr().add(t * stride + i).cast::<f32>();
                    let total = _mm512_cvtepi32_ps(totals[t]);
                    _mm512_storeu_ps(
                        sum,
                        _mm512_fmadd_ps(total, _mm512_mul_ps(scales, scale), _mm512_loadu_ps(sum)),
                    );
                }
            }
        }
    }
}
