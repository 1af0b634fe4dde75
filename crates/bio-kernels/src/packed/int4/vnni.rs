//! AVX-512 with VNNI: `vpdpbusd` adds the products of four unsigned by four signed bytes to each of sixteen sums of 32 bits.
//!
//! ```text
//! one to four rows of x: four tiles at once, whose streams fill the memory's channels
//!
//! more: for each two tiles
//!   for each stretch of about 512 columns .......... 8 KiB of nibbles and their scales stay in the L1
//!     for each block of up to 8 rows of x .......... meanwhile its share of the next two tiles is fetched
//!       for each group of columns .................. 16 integer sums of 32 registers
//!         for each step of eight columns ........... nibbles are split once for the block, x is broadcast once for both tiles
//!       out = fma(f32(sums), scale_w·scale_x, out) . out is in the L1: in registers it would leave room for half of the rows
//! ```
//!
//! By count a group of 32 columns takes eight products, three instructions for its scale and an eighth of twelve that split nibbles, two a
//! cycle: 0.64 of the peak at most; a group of 128 0.78.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{Quantized, STEP, TILE, Tile};
use crate::memory::prefetch;

/// Rows of x that meet two tiles at once: more would leave no registers for the weights.
const HEIGHT: usize = 8;
/// Rows that meet four tiles at once.
const FEW: usize = 4;
/// Columns that all rows of x meet before the next ones' turn, or one group where that is longer.
const STRETCH: usize = 512;

/// What is fetched of each tile while it is read.
#[derive(Clone, Copy)]
struct Ahead {
    /// Bytes after the first read, and on from there at each step.
    values: usize,
    pace: usize,
    /// Scales after those that are read.
    scales: usize,
}

pub fn side_by_side(rows: usize) -> usize {
    if rows <= FEW { 4 } else { 2 }
}

/// sums [tiles][rows][16]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub fn dots(sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
    let rows = sums.len() / tiles.len();
    sums.fill([0.0; TILE]);
    if let (1..=FEW, &[a, b, c, d]) = (rows, tiles) {
        let (tiles, groups) = ([a, b, c, d], 0..x.groups);
        let ahead = Ahead { values: 1024, pace: STEP, scales: 256 };
        return match rows {
            1 => products::<4, 1>(sums, rows, 0, tiles, x, groups, ahead),
            2 => products::<4, 2>(sums, rows, 0, tiles, x, groups, ahead),
            3 => products::<4, 3>(sums, rows, 0, tiles, x, groups, ahead),
            _ => products::<4, FEW>(sums, rows, 0, tiles, x, groups, ahead),
        };
    }
    for (tiles, sums) in tiles.chunks(2).zip(sums.chunks_mut(2 * rows)) {
        match *tiles {
            [a, b] => stretches(sums, rows, [a, b], x),
            _ => stretches(sums, rows, [tiles[0]], x),
        }
    }
}

/// Any number of rows, stretch after stretch.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn stretches<const TILES: usize>(
    sums: &mut [[f32; TILE]],
    rows: usize,
    tiles: [Tile<'_>; TILES],
    x: Quantized<'_>,
) {
    let at_once = (STRETCH / tiles[0].group_size).max(1);
    let blocks = rows.div_ceil(HEIGHT);
    for start in (0..x.groups).step_by(at_once) {
        let groups = start..x.groups.min(start + at_once);
        let mut first = 0;
        for block in 0..blocks {
            let (height, groups) = ((rows - first).div_ceil(blocks - block), groups.clone());
            let ahead = if blocks == 1 {
                Ahead { values: 4096, pace: STEP, scales: 1024 }
            } else {
                // Each block its share of the tiles whose turn is next: memory is busy while there are products to do.
                let bytes = groups.len() * tiles[0].group_size / 8 * STEP;
                Ahead {
                    values: TILES * tiles[0].values.len() + block * bytes / blocks,
                    pace: STEP.div_ceil(blocks),
                    scales: TILES * tiles[0].scales.len(),
                }
            };
            match height {
                1 => products::<TILES, 1>(sums, rows, first, tiles, x, groups, ahead),
                2 => products::<TILES, 2>(sums, rows, first, tiles, x, groups, ahead),
                3 => products::<TILES, 3>(sums, rows, first, tiles, x, groups, ahead),
                4 => products::<TILES, 4>(sums, rows, first, tiles, x, groups, ahead),
                5 => products::<TILES, 5>(sums, rows, first, tiles, x, groups, ahead),
                6 => products::<TILES, 6>(sums, rows, first, tiles, x, groups, ahead),
                7 => products::<TILES, 7>(sums, rows, first, tiles, x, groups, ahead),
                _ => products::<TILES, HEIGHT>(sums, rows, first, tiles, x, groups, ahead),
            }
            first += height;
        }
    }
}

/// sums [tiles][rows][16] += the products of rows `first` to `first + ROWS` in some groups of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn products<const TILES: usize, const ROWS: usize>(
    sums: &mut [[f32; TILE]],
    rows: usize,
    first: usize,
    tiles: [Tile<'_>; TILES],
    x: Quantized<'_>,
    groups: Range<usize>,
    ahead: Ahead,
) {
    let (x, sums) = (x.rows(first..first + ROWS), &mut sums[first..]);
    let (size, steps) = (tiles[0].group_size, tiles[0].group_size / 8);
    assert!(sums.len() >= (TILES - 1) * rows + ROWS && groups.end <= x.groups);
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
    let (low, first_step) = (_mm512_set1_epi8(15), groups.start * steps);
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
                    let values = tile.values.as_ptr();
                    let soon = first_step * STEP + ahead.values + (step - first_step) * ahead.pace;
                    prefetch(values.wrapping_add(soon));
                    let bytes = _mm512_loadu_si512(values.add(step * STEP).cast());
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
                prefetch(scales.wrapping_add(ahead.scales));
                let scales = _mm512_loadu_ps(scales);
                for (i, totals) in totals.iter().enumerate() {
                    let scale = _mm512_set1_ps(*x.scales.as_ptr().add(i * x.groups + group));
                    let sum = sums.as_mut_ptr().add(t * rows + i).cast::<f32>();
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
