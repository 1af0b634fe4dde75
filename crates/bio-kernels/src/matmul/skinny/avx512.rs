//! Up to 32 rows, in tiles of up to sixteen, by sixteen columns.

use std::arch::x86_64::*;

use super::super::pack::{Buffer, PANEL, Strided, pack_panel, transpose_wide};
use super::super::tile::Corner;
use crate::isa::Isa;
use crate::memory::prefetch;

/// Columns of a register, and values of a line of the cache.
pub(super) const LANES: usize = 16;
/// Rows up to which B is read in place.
pub(super) const MOST_ROWS: usize = 32;
/// Rows of a tile: their sums leave half of the registers free.
pub(super) const HEIGHT: usize = 16;
/// Rows up to which A is read in place: more streams, 4 kB apart, would not fit into a set of the L1.
const IN_PLACE: usize = 8;
/// Rows from which two groups of columns of B [k, n] at a time take less time: one is bound by the memory, which likes its lines one by one.
const LEAST_PAIRED: usize = 2;
/// How far ahead B is asked for, in values of each stream.
pub(super) const AHEAD: usize = 64;

/// A in tiles of equal heights.
pub(super) struct Tiles {
    pub each: [Tile; MOST_ROWS / HEIGHT],
    pub count: usize,
    rows: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub first_row: usize,
    pub height: usize,
    pub a: Corner,
}

impl Tiles {
    /// `turned` must stay as it is left while the tiles are used.
    pub fn new(isa: Isa, turned: &mut Buffer, a: Strided<'_>, rows: usize, k: usize) -> Self {
        assert!(rows <= MOST_ROWS, "more rows than are read in place");
        let turn = rows > IN_PLACE;
        let count = rows.div_ceil(HEIGHT);
        let packed = turned.first(if turn { count * k * PANEL } else { 0 });
        let mut each = [Tile { first_row: 0, height: rows, a: a.corner(rows, k) }; MOST_ROWS / HEIGHT];
        if turn {
            for (index, packed) in packed.chunks_exact_mut(k * PANEL).enumerate() {
                let (first_row, end) = (rows * index / count, rows * (index + 1) / count);
                let height = end - first_row;
                pack_panel(isa, packed, a.from(first_row, 0).transposed(), 0, 0, height);
                each[index] =
                    Tile { first_row, height, a: Strided::columns_apart(packed, PANEL).corner(height, k) };
            }
        }
        Self { each, count, rows }
    }
}

/// Adds the products of a chunk to its sums [groups][rows][16].
///
/// # Safety
/// `a` must hold `k` columns and still be where it was, `b` k×width values, contiguous along k if `along_k`, else along its columns; `sums` a
/// register per row and group.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add(sums: &mut [f32], a: &Tiles, b: Corner, width: usize, k: usize, along_k: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if !along_k && (LEAST_PAIRED..=IN_PLACE).contains(&a.rows) {
            add_groups::<2>(sums, a, b, width, k, along_k);
        } else {
            add_groups::<1>(sums, a, b, width, k, along_k);
        }
    }
}

/// `add` for so many groups of columns at a time; two only if not `along_k`.
///
/// # Safety
/// As for `add`.
#[target_feature(enable = "avx512f")]
unsafe fn add_groups<const GROUPS: usize>(
    sums: &mut [f32],
    a: &Tiles,
    b: Corner,
    width: usize,
    k: usize,
    along_k: bool,
) {
    // Streams lie `apart`, and sixteen of them are gone through together from end to end.
    let (apart, length) = if along_k { (b.column, k) } else { (b.row, width) };
    let wide = GROUPS * LANES;
    for from in (0..k).step_by(LANES) {
        let depth = LANES.min(k - from);
        for (index, sums) in sums.chunks_mut(a.rows * wide).enumerate() {
            let first = index * wide;
            let columns = wide.min(width - first);
            let at = if along_k { from } else { first };
            let block = b.first.wrapping_add(from * b.row + first * b.column);
            let soon = if at + AHEAD < length { AHEAD } else { (LANES * apart + AHEAD).wrapping_sub(length) };
            for line in 0..LANES {
                for group in 0..GROUPS {
                    prefetch(block.wrapping_add(line * apart + soon + group * LANES));
                }
            }
            // SAFETY: the block and the rows' values lie inside by the caller's promise, and there is a register of sums per row and group.
            unsafe {
                let turned;
                let rows = if along_k {
                    turned = transpose_wide(&load(block, b.column, columns, depth));
                    Rows { first: turned.as_ptr().cast(), apart: LANES, width: LANES }
                } else {
                    Rows { first: block, apart: b.row, width: columns }
                };
                for tile in &a.each[..a.count] {
                    let a = Corner { first: tile.a.first.add(from * tile.a.column), ..tile.a };
                    let sums = sums.as_mut_ptr().add(tile.first_row * LANES);
                    let chain = if columns > LANES {
                        PAIRS[tile.height - LEAST_PAIRED]
                    } else {
                        CHAINS[tile.height - 1]
                    };
                    chain(sums, a, rows, depth);
                }
            }
        }
    }
}

/// Up to sixteen lines of up to sixteen values, filled up with zeros.
///
/// # Safety
/// The values must be there.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn load(first: *const f32, apart: usize, lines: usize, length: usize) -> [__m512; LANES] {
    let mut registers = [_mm512_setzero_ps(); LANES];
    // SAFETY: the caller's promise; what is masked is not read.
    unsafe {
        if lines == LANES && length == LANES {
            for line in 0..LANES {
                registers[line] = _mm512_loadu_ps(first.add(line * apart));
            }
        } else {
            for line in 0..lines {
                registers[line] = _mm512_maskz_loadu_ps(first_lanes(length), first.add(line * apart));
            }
        }
    }
    registers
}

fn first_lanes(count: usize) -> __mmask16 {
    u16::MAX >> (LANES - count)
}

/// Rows of B: `width` values, `apart` from row to row.
#[derive(Clone, Copy)]
struct Rows {
    first: *const f32,
    apart: usize,
    width: usize,
}

type Chain = unsafe fn(*mut f32, Corner, Rows, usize);

/// One body per height, so that its sums are registers.
const CHAINS: [Chain; HEIGHT] = [
    chain::<1, 1>,
    chain::<2, 1>,
    chain::<3, 1>,
    chain::<4, 1>,
    chain::<5, 1>,
    chain::<6, 1>,
    chain::<7, 1>,
    chain::<8, 1>,
    chain::<9, 1>,
    chain::<10, 1>,
    chain::<11, 1>,
    chain::<12, 1>,
    chain::<13, 1>,
    chain::<14, 1>,
    chain::<15, 1>,
    chain::<16, 1>,
];

/// The same for two groups of columns, which share what is loaded of A: a load for each multiply-add is more than there are ports for, and few
/// chains are not enough to hide their latency.
const PAIRS: [Chain; IN_PLACE + 1 - LEAST_PAIRED] =
    [chain::<2, 2>, chain::<3, 2>, chain::<4, 2>, chain::<5, 2>, chain::<6, 2>, chain::<7, 2>, chain::<8, 2>];

/// `depth` steps of every row's chains: sums[group][i] += a[i, p]·b[p, group].
///
/// # Safety
/// `a` must hold rows×depth values, `b` as many rows, all groups but the last one whole, `sums` a register per row and group.
#[target_feature(enable = "avx512f")]
unsafe fn chain<const ROWS: usize, const GROUPS: usize>(sums: *mut f32, a: Corner, b: Rows, depth: usize) {
    // Strides that the compiler knows leave it registers enough.
    let (row, column) = if ROWS > IN_PLACE { (1, PANEL) } else { (a.row, a.column) };
    // SAFETY: the caller's promise; what is masked is not read. `Tiles` has these strides for more rows than are read in place. Where there
    // are two groups there is one tile.
    unsafe {
        let place = |i: usize, group: usize| sums.add((group * ROWS + i) * LANES);
        let mut registers = [[_mm512_setzero_ps(); GROUPS]; ROWS];
        for i in 0..ROWS {
            for group in 0..GROUPS {
                registers[i][group] = _mm512_loadu_ps(place(i, group));
            }
        }
        let last = first_lanes(b.width - (GROUPS - 1) * LANES);
        for p in 0..depth {
            let b = b.first.add(p * b.apart);
            let mut columns = [_mm512_setzero_ps(); GROUPS];
            for group in 0..GROUPS - 1 {
                columns[group] = _mm512_loadu_ps(b.add(group * LANES));
            }
            columns[GROUPS - 1] = _mm512_maskz_loadu_ps(last, b.add((GROUPS - 1) * LANES));
            for i in 0..ROWS {
                let value = _mm512_set1_ps(*a.first.add(i * row + p * column));
                for group in 0..GROUPS {
                    registers[i][group] = _mm512_fmadd_ps(value, columns[group], registers[i][group]);
                }
            }
        }
        for i in 0..ROWS {
            for group in 0..GROUPS {
                _mm512_storeu_ps(place(i, group), registers[i][group]);
            }
        }
    }
}
