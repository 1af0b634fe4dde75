//! Matrix products in f32.
//!
//! ```text
//! pack B once:   panels of 32 columns, each [k, 32]
//! for each block of ROWS rows of A ............ one task; its A block and one B panel share the L2
//!   for each stretch of DEPTH of k ............ A's stretch is packed as [DEPTH, tile rows]
//!     for each panel of B
//!       for each tile of up to 12 rows ........ 12×32 sums stay in registers (24 of AVX-512's 32)
//!         for p in stretch: sums += a[p] ⊗ b[p]
//! ```
//!
//! Every element is one chain of (fused) multiply-adds over k from 0 on; between stretches it rests in `out`. So its bits do not depend on
//! the rows beside it, the tile it fell into, or the thread.

mod grouped;
mod pack;
mod tile;

pub(crate) use grouped::{check_offsets, rows_of};
pub use grouped::{grouped_matmul, grouped_weight_gradient};

use std::cell::RefCell;

use crate::disjoint::Disjoint;
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, Isa};
pub(crate) use pack::{PANEL, Strided, pack_panel, pack_panels, panels};

/// Rows of A per task: 96·384 values are 147 kB.
pub(crate) const ROWS: usize = 96;
/// k per stretch: a panel's stretch is 48 kB.
const DEPTH: usize = 384;

/// out [m, n] (+)= op(a) [m, k] · op(b) [k, n].
#[derive(Clone, Copy, Debug)]
pub struct MatmulShape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// a is stored [k, m].
    pub transpose_a: bool,
    /// b is stored [n, k].
    pub transpose_b: bool,
    /// Add to out instead of overwriting it.
    pub accumulate: bool,
}

thread_local! {
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static BLOCK: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

pub fn matmul(out: &mut [f32], a: &[f32], b: &[f32], shape: MatmulShape) -> Result<()> {
    let MatmulShape { m, n, k, transpose_a, transpose_b, accumulate } = shape;
    check_len("matmul", "out", out.len(), checked_product("matmul", &[m, n])?)?;
    check_len("matmul", "a", a.len(), checked_product("matmul", &[m, k])?)?;
    check_len("matmul", "b", b.len(), checked_product("matmul", &[k, n])?)?;
    let a = Strided::new(a, m, k, transpose_a);
    let b = Strided::new(b, k, n, transpose_b);
    PANELS.with_borrow_mut(|packed| {
        packed.resize(panels(n) * k * PANEL, 0.0);
        pack_panels(packed, b, k, n);
        multiply(isa::current(), out, a, Columns { panels: packed, n, depth: k, first: 0 }, m, k, accumulate);
    });
    Ok(())
}

/// B in panels, f32.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub panels: &'a [f32],
    pub n: usize,
    /// Rows of each panel: all of B's, of which a product may use the first ones.
    pub depth: usize,
    /// The panel that `panels` begins with.
    pub first: usize,
}

/// Where the rows of a product go: row i starts at `first + i·stride`.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub values: &'a Disjoint<'a, f32>,
    pub first: usize,
    pub stride: usize,
}

/// The product itself, B packed already.
pub(crate) fn multiply(
    isa: Isa,
    out: &mut [f32],
    a: Strided<'_>,
    b: Columns<'_>,
    m: usize,
    k: usize,
    accumulate: bool,
) {
    if !accumulate {
        out.fill(0.0);
    }
    let blocks = Blocks::new(m, b.n, k);
    let out = Disjoint::new(out);
    let out = Target { values: &out, first: 0, stride: b.n };
    crate::pool::run(blocks.tasks(), &|task| {
        let (rows, columns) = blocks.of(task);
        multiply_block(isa, out, a, b, rows, columns, k);
    });
}

/// How rows and panels are cut into tasks: rows first, panels too where the rows are few.
pub(crate) struct Blocks {
    rows: usize,
    row_cuts: usize,
    m: usize,
    panels: usize,
    panel_cuts: usize,
}

impl Blocks {
    pub fn new(m: usize, n: usize, k: usize) -> Self {
        // Below about 20 µs of work another thread costs more than it brings.
        const WORTH_A_TASK: usize = 1 << 20;
        let wanted = (m * n * k / WORTH_A_TASK).clamp(1, 4 * crate::pool::threads());
        let rows = m.div_ceil(wanted).next_multiple_of(tile::ROWS).min(ROWS);
        let row_cuts = m.div_ceil(rows.max(1));
        let panels = panels(n);
        let panel_cuts = wanted.div_ceil(row_cuts.max(1)).clamp(1, panels.max(1));
        Self { rows, row_cuts, m, panels, panel_cuts }
    }

    pub fn tasks(&self) -> usize {
        self.row_cuts * self.panel_cuts
    }

    /// The rows and the panels of a task.
    pub fn of(&self, task: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (row_block, panel_block) = (task / self.panel_cuts, task % self.panel_cuts);
        let size = self.panels.div_ceil(self.panel_cuts);
        let rows = row_block * self.rows..((row_block + 1) * self.rows).min(self.m);
        (rows, (panel_block * size).min(self.panels)..((panel_block + 1) * size).min(self.panels))
    }
}

/// Adds the product of some rows, 96 at most, and some panels to `out`.
pub(crate) fn multiply_block(
    isa: Isa,
    out: Target<'_>,
    a: Strided<'_>,
    b: Columns<'_>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    k: usize,
) {
    BLOCK.with_borrow_mut(|block| {
        block.resize(ROWS * DEPTH, 0.0);
        let mut from = 0;
        while from < k {
            let depth = DEPTH.min(k - from);
            pack::pack_rows(block, a, rows.clone(), from, depth);
            for panel in columns.clone() {
                let panel_rows = &b.panels[((panel - b.first) * b.depth + from) * PANEL..][..depth * PANEL];
                let width = PANEL.min(b.n - panel * PANEL);
                let mut row = rows.start;
                while row < rows.end {
                    let height = tile::ROWS.min(rows.end - row);
                    let a = &block[(row - rows.start) * depth..][..height * depth];
                    let at = out.first + row * out.stride + panel * PANEL;
                    tile::tile(isa, out.values, at, out.stride, a, panel_rows, height, width, depth);
                    row += height;
                }
            }
            from += depth;
        }
    });
}
