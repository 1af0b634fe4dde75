//! Operands in the order in which tiles read them.

use std::cell::RefCell;
use std::ops::Range;

use super::tile::Corner;
use crate::isa::Isa;
use crate::memory::prefetch;

/// Columns of B per panel: one AVX-512 register, two of AVX2.
pub(crate) const PANEL: usize = 16;

/// How many rows ahead a panel's are asked for.
const AHEAD: usize = 16;

/// How many panels n columns fill.
pub(crate) fn panels(n: usize) -> usize {
    n.div_ceil(PANEL)
}

/// A matrix whose rows or columns are contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Strided<'a> {
    /// [rows, columns], or its transpose stored.
    pub fn new(values: &'a [f32], rows: usize, columns: usize, transposed: bool) -> Self {
        let (row, column) = if transposed { (1, rows) } else { (columns, 1) };
        Self { values, row, column }
    }

    /// Contiguous rows, `stride` apart.
    pub fn rows_apart(values: &'a [f32], stride: usize) -> Self {
        Self { values, row: stride, column: 1 }
    }

    /// Contiguous columns, `stride` apart.
    pub fn columns_apart(values: &'a [f32], stride: usize) -> Self {
        Self { values, row: 1, column: stride }
    }

    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// The matrix without its first rows and columns.
    pub fn from(self, row: usize, column: usize) -> Self {
        Self { values: &self.values[row * self.row + column * self.column..], ..self }
    }

    pub fn rows_are_contiguous(self) -> bool {
        self.column == 1
    }

    /// Whether lines lie a multiple of 4 KiB apart, so that few sets of a cache hold all of them.
    pub fn lines_share_sets(self) -> bool {
        self.row.max(self.column).is_multiple_of(1024)
    }

    /// Rows, or columns, as they are contiguous: `length` values of the `index`th.
    pub fn line(self, index: usize, length: usize) -> &'a [f32] {
        &self.values[index * self.row.max(self.column)..][..length]
    }

    /// The first `length` values of `count` contiguous rows, and how far apart they are.
    pub(super) fn lines(self, count: usize, length: usize) -> (&'a [f32], usize) {
        assert!(self.rows_are_contiguous(), "rows that are not contiguous");
        (&self.values[..(count - 1) * self.row + length], self.row)
    }

    /// For reading `rows`×`columns` values without further checks.
    pub(super) fn corner(self, rows: usize, columns: usize) -> Corner {
        let needed = (rows - 1) * self.row + columns.saturating_sub(1) * self.column + columns.min(1);
        assert!(self.values.len() >= needed, "a tile outside of its matrix");
        Corner { first: self.values.as_ptr(), row: self.row, column: self.column }
    }
}

/// Values that begin on a cache line, so that no register of them lies across two.
#[derive(Default)]
pub(crate) struct Buffer(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

impl Buffer {
    /// The first `length` values, whatever they were.
    pub fn first(&mut self, length: usize) -> &mut [f32] {
        let lines = length.div_ceil(16);
        if self.0.len() < lines {
            self.0.reserve(lines - self.0.len());
            crate::memory::prefer_huge_pages(&mut self.0);
            self.0.resize(lines, Line([0.0; 16]));
        }
        // SAFETY: a line is sixteen f32 and nothing else, and there are enough of them.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast::<f32>(), length) }
    }
}

thread_local! {
    /// A stretch of B in panels, and a block of A in tiles.
    pub(super) static BUFFERS: RefCell<(Buffer, Buffer)> = RefCell::default();
}

/// `depth` rows of b from `from` on, columns of a panel: [depth][16], filled up with zeros.
pub(crate) fn pack_panel(isa: Isa, packed: &mut [f32], b: Strided<'_>, from: usize, panel: usize, n: usize) {
    let first = panel * PANEL;
    let width = PANEL.min(n - first);
    let b = b.from(from, first);
    if width < PANEL {
        packed.fill(0.0);
    }
    if b.column == 1 {
        for (p, row) in packed.chunks_exact_mut(PANEL).enumerate() {
            // Rows lie far apart: nothing but this asks for them early.
            prefetch(b.values.as_ptr().wrapping_add((p + AHEAD) * b.row));
            let from = &b.values[p * b.row..][..width];
            // A length that is known is a register or two, not a call.
            match from.first_chunk::<PANEL>() {
                Some(from) => row.copy_from_slice(from),
                None => row[..width].copy_from_slice(from),
            }
        }
    } else {
        interleave(isa, packed, b.transposed(), width);
    }
}

/// Rows of a whose columns are contiguous, from column `from` on, as tiles [depth][height], one after the other.
pub(super) fn pack_rows(
    packed: &mut [f32],
    a: Strided<'_>,
    tiles: impl Iterator<Item = Range<usize>>,
    from: usize,
    depth: usize,
) {
    let mut at = 0;
    for rows in tiles {
        let a = a.from(rows.start, from);
        let tile = &mut packed[at..at + rows.len() * depth];
        // A height known at compile time copies in registers: tiles are 8 and 7 high (AVX-512), 6 and 5 (AVX2), mostly.
        match rows.len() {
            8 => pack_tile::<8>(tile, a),
            7 => pack_tile::<7>(tile, a),
            6 => pack_tile::<6>(tile, a),
            5 => pack_tile::<5>(tile, a),
            height => {
                for (p, to) in tile.chunks_exact_mut(height).enumerate() {
                    to.copy_from_slice(&a.values[p * a.column..][..height]);
                }
            }
        }
        at += rows.len() * depth;
    }
}

fn pack_tile<const HEIGHT: usize>(tile: &mut [f32], a: Strided<'_>) {
    for (p, to) in tile.as_chunks_mut::<HEIGHT>().0.iter_mut().enumerate() {
        to.copy_from_slice(&a.values[p * a.column..][..HEIGHT]);
    }
}

/// packed[p·16 + i] = a[i, p] for up to 16 contiguous rows of a.
fn interleave(isa: Isa, packed: &mut [f32], a: Strided<'_>, rows: usize) {
    let depth = packed.len() / PANEL;
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if isa.has_avx2() {
        // SAFETY: these tiers have AVX2.
        done = unsafe { x86::interleave(packed, a, rows) };
    }
    for p in (done..depth).step_by(16) {
        for i in 0..rows {
            for (q, value) in a.line(i, depth)[p..depth.min(p + 16)].iter().enumerate() {
                packed[(p + q) * PANEL + i] = *value;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{transpose, transpose_wide};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, Strided};

    /// Eight values of p at a time; returns how many are done.
    #[target_feature(enable = "avx2")]
    pub fn interleave(packed: &mut [f32], a: Strided<'_>, rows: usize) -> usize {
        let blocks = packed.len() / PANEL / 8;
        for group in (0..if blocks == 0 { 0 } else { rows }).step_by(8) {
            let height = 8.min(rows - group);
            let corner = a.from(group, 0).corner(height, blocks * 8);
            for (block, packed) in packed.chunks_exact_mut(8 * PANEL).enumerate() {
                // SAFETY: a line of the corner has eight values for every block.
                let line =
                    |i: usize| unsafe { _mm256_loadu_ps(corner.first.add(i * corner.row + block * 8)) };
                let mut eight = [_mm256_setzero_ps(); 8];
                // A count known at compile time keeps them in registers.
                if height == 8 {
                    for i in 0..8 {
                        eight[i] = line(i);
                    }
                } else {
                    for i in 0..height {
                        eight[i] = line(i);
                    }
                }
                for (to, values) in packed.chunks_exact_mut(PANEL).zip(transpose(eight)) {
                    // SAFETY: `to` has sixteen places and the group is the first or the second half of them.
                    unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(group), values) };
                }
            }
        }
        blocks * 8
    }

    /// Eight rows of eight to eight columns.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub fn transpose(rows: [__m256; 8]) -> [__m256; 8] {
        let [a, b, c, d, e, f, g, h] = rows;
        let (ab, cd) = (
            (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)),
            (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)),
        );
        let (ef, gh) = (
            (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f)),
            (_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h)),
        );
        let upper = [
            _mm256_shuffle_ps::<0x44>(ab.0, cd.0),
            _mm256_shuffle_ps::<0xee>(ab.0, cd.0),
            _mm256_shuffle_ps::<0x44>(ab.1, cd.1),
            _mm256_shuffle_ps::<0xee>(ab.1, cd.1),
        ];
        let lower = [
            _mm256_shuffle_ps::<0x44>(ef.0, gh.0),
            _mm256_shuffle_ps::<0xee>(ef.0, gh.0),
            _mm256_shuffle_ps::<0x44>(ef.1, gh.1),
            _mm256_shuffle_ps::<0xee>(ef.1, gh.1),
        ];
        [
            _mm256_permute2f128_ps::<0x20>(upper[0], lower[0]),
            _mm256_permute2f128_ps::<0x20>(upper[1], lower[1]),
            _mm256_permute2f128_ps::<0x20>(upper[2], lower[2]),
            _mm256_permute2f128_ps::<0x20>(upper[3], lower[3]),
            _mm256_permute2f128_ps::<0x31>(upper[0], lower[0]),
            _mm256_permute2f128_ps::<0x31>(upper[1], lower[1]),
            _mm256_permute2f128_ps::<0x31>(upper[2], lower[2]),
            _mm256_permute2f128_ps::<0x31>(upper[3], lower[3]),
        ]
    }

    /// Sixteen rows of sixteen to sixteen columns.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn transpose_wide(rows: &[__m512; 16]) -> [__m512; 16] {
        let zero = _mm512_setzero_ps();
        let mut pairs = [zero; 16];
        for i in 0..8 {
            pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        // quads[4·i + j] has in its four parts the rows 4·i… of the columns j, 4 + j, 8 + j and 12 + j.
        let mut quads = [zero; 16];
        for i in 0..4 {
            for half in 0..2 {
                let (left, right) =
                    (_mm512_castps_pd(pairs[4 * i + half]), _mm512_castps_pd(pairs[4 * i + 2 + half]));
                quads[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(left, right));
                quads[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(left, right));
            }
        }
        let mut columns = [zero; 16];
        for j in 0..4 {
            let (a, b, c, d) = (quads[j], quads[4 + j], quads[8 + j], quads[12 + j]);
            let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
            let (even_below, odd_below) =
                (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
            columns[j] = _mm512_shuffle_f32x4::<0x88>(even, even_below);
            columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd_below);
            columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even_below);
            columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_below);
        }
        columns
    }
}
