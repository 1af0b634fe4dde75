//! Ten to 32 rows and sixteen columns of B [n, k] at a time, all rows in the lanes of a register or two: B is not turned, which would take
//! sixty-four shuffles for 256 of its values, on a port that the multiply-adds want.
//!
//! ```text
//! for each 16 columns (8 beside 8, if they share sets of the L1 or the rows take two registers) .. their sums in 16 registers, turned
//!   for each 16 of k ...................................... a line of the cache of each column; its next ones are asked for
//!     for each 4 of k ..................................... STEPS: the rows' values, one or two registers each
//!       for each column
//!         for p in 4: sums[column] += b[p, column] · a[.., p] .. b as a broadcast
//! ```
//!
//! The chains are those of the other bodies, so the bits are too. A row less does not save time, so few rows are better off there.

use std::arch::x86_64::*;

use super::super::pack::{PANEL, transpose_wide};
use super::super::tile::Corner;
use super::avx512::{AHEAD, HEIGHT, LANES, MOST_ROWS, Tiles, load};
use crate::memory::prefetch;

/// Rows from which this takes less time. Tiles are turned then.
pub(super) const FEWEST: usize = 10;
/// Steps of k that one column takes before the next one does, so that it needs one address for all of them.
const STEPS: usize = 4;
const TILES: usize = MOST_ROWS / HEIGHT;

/// Adds the products of all rows and sixteen columns of B to their sums [rows][16].
///
/// # Safety
/// `a` must be turned, hold `k` columns and still be where it was, `b` have sixteen columns of `k` contiguous values, `sums` a register per row.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add(sums: &mut [f32], a: &Tiles, b: Corner, k: usize) {
    let tiles = &a.each[..a.count];
    let mut turned = [[_mm512_setzero_ps(); LANES]; TILES];
    // SAFETY: the caller's promise.
    unsafe {
        for (tile, turned) in tiles.iter().zip(&mut turned) {
            let rows = sums.as_ptr().add(tile.first_row * LANES);
            *turned = transpose_wide(&load(rows, LANES, tile.height, LANES));
        }
        let rows = [tiles[0].a.first, tiles[a.count - 1].a.first];
        match (a.count, b.column.is_multiple_of(1024)) {
            (1, false) => chains::<16, 1>(&mut turned, 0, rows, b, k),
            (1, true) => {
                chains::<8, 1>(&mut turned, 0, rows, b, k);
                chains::<8, 1>(&mut turned, 8, rows, b, k);
            }
            (_, _) => {
                chains::<8, 2>(&mut turned, 0, rows, b, k);
                chains::<8, 2>(&mut turned, 8, rows, b, k);
            }
        }
        for (tile, turned) in tiles.iter().zip(&turned) {
            for (i, row) in transpose_wide(turned)[..tile.height].iter().enumerate() {
                _mm512_storeu_ps(sums.as_mut_ptr().add((tile.first_row + i) * LANES), *row);
            }
        }
    }
}

/// All of k for `COLUMNS` columns from the `first` on, of which `sums` has a register per tile.
///
/// # Safety
/// As for `add`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn chains<const COLUMNS: usize, const TILES_USED: usize>(
    sums: &mut [[__m512; LANES]; TILES],
    first: usize,
    a: [*const f32; TILES],
    b: Corner,
    k: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut registers = [[_mm512_setzero_ps(); TILES_USED]; COLUMNS];
        for j in 0..COLUMNS {
            for tile in 0..TILES_USED {
                registers[j][tile] = sums[tile][first + j];
            }
        }
        let b = Corner { first: b.first.add(first * b.column), ..b };
        for from in (0..k).step_by(LANES) {
            // At the end of these columns, the start of those sixteen further on.
            let soon = if from + AHEAD < k {
                from + AHEAD
            } else {
                (LANES * b.column + from + AHEAD).wrapping_sub(k)
            };
            for j in 0..COLUMNS {
                prefetch(b.first.wrapping_add(j * b.column + soon));
            }
            let end = k.min(from + LANES);
            let whole = end - (end - from) % STEPS;
            for p in (from..whole).step_by(STEPS) {
                steps::<COLUMNS, TILES_USED, STEPS>(&mut registers, a, b, p);
            }
            for p in whole..end {
                steps::<COLUMNS, TILES_USED, 1>(&mut registers, a, b, p);
            }
        }
        for j in 0..COLUMNS {
            for tile in 0..TILES_USED {
                sums[tile][first + j] = registers[j][tile];
            }
        }
    }
}

/// # Safety
/// As for `add`; `p + COUNT` at most k.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn steps<const COLUMNS: usize, const TILES_USED: usize, const COUNT: usize>(
    registers: &mut [[__m512; TILES_USED]; COLUMNS],
    a: [*const f32; TILES],
    b: Corner,
    p: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut rows = [[_mm512_setzero_ps(); TILES_USED]; COUNT];
        for q in 0..COUNT {
            for tile in 0..TILES_USED {
                rows[q][tile] = _mm512_loadu_ps(a[tile].add((p + q) * PANEL));
            }
        }
        for j in 0..COLUMNS {
            let column = b.first.add(j * b.column + p);
            for q in 0..COUNT {
                let value = _mm512_set1_ps(*column.add(q));
                for tile in 0..TILES_USED {
                    registers[j][tile] = _mm512_fmadd_ps(value, rows[q][tile], registers[j][tile]);
                }
            }
        }
    }
}
