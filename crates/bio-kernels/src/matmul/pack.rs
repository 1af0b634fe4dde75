//! Operands in the order in which tiles read them.

use std::ops::Range;

use super::tile;
use crate::disjoint::Disjoint;

/// Columns of B per panel: two AVX-512 registers.
pub(crate) const PANEL: usize = 32;

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

    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> f32 {
        self.values[row * self.row + column * self.column]
    }
}

/// b [k, n] as panels [panel][k][32], the last filled up with zeros.
pub(crate) fn pack_panels(packed: &mut [f32], b: Strided<'_>, k: usize, n: usize) {
    let packed = Disjoint::new(packed);
    let pack = |panel: usize| {
        // SAFETY: each panel is its own task.
        pack_panel(unsafe { packed.part(panel * k * PANEL..(panel + 1) * k * PANEL) }, b, k, panel, n);
    };
    // Packing moves bytes: threads pay only for large ones.
    if k * n < 1 << 16 { (0..panels(n)).for_each(pack) } else { crate::pool::run(panels(n), &pack) }
}

pub(crate) fn pack_panel(packed: &mut [f32], b: Strided<'_>, k: usize, panel: usize, n: usize) {
    let first = panel * PANEL;
    let width = PANEL.min(n - first);
    if width < PANEL {
        packed.fill(0.0);
    }
    if b.column == 1 {
        for (p, row) in packed.chunks_exact_mut(PANEL).enumerate() {
            row[..width].copy_from_slice(&b.values[p * b.row + first..][..width]);
        }
    } else {
        // b is stored [n, k]: read along k, in squares of 16 that keep both sides in the L1.
        for p in (0..k).step_by(16) {
            let depth = 16.min(k - p);
            for j in 0..width {
                let column = &b.values[(first + j) * b.column + p..][..depth];
                for (i, value) in column.iter().enumerate() {
                    packed[(p + i) * PANEL + j] = *value;
                }
            }
        }
    }
}

/// Rows of a from column `from` on as tiles [tile][depth][height], the last tile as high as rows are left.
pub(super) fn pack_rows(packed: &mut [f32], a: Strided<'_>, rows: Range<usize>, from: usize, depth: usize) {
    let mut row = rows.start;
    while row < rows.end {
        let height = tile::ROWS.min(rows.end - row);
        let tile = &mut packed[(row - rows.start) * depth..][..height * depth];
        if a.column == 1 {
            for i in 0..height {
                let values = &a.values[(row + i) * a.row + from..][..depth];
                for (p, value) in values.iter().enumerate() {
                    tile[p * height + i] = *value;
                }
            }
        } else {
            for (p, to) in tile.chunks_exact_mut(height).enumerate() {
                for (i, to) in to.iter_mut().enumerate() {
                    *to = a.at(row + i, from + p);
                }
            }
        }
        row += height;
    }
}
