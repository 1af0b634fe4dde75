//! Matrix products in f32.
//!
//! ```text
//! for each task: some rows and some columns of out
//!   for each 1024 columns ..................... WIDTH panels; 64 (NARROW) if all rows are one block, and B's columns contiguous
//!     for each 512 of k ....................... DEPTH: their B, 2 MB, is packed in panels [512, 16] of 32 kB for the L2 and L3
//!       for each 96 rows (AVX-512: 192) ....... ROWS: their A, 192 kB, stays in the L2; packed only if its columns are contiguous
//!         for each panel (up to three)
//!           for each tile of up to 6 rows (8)
//!             for p in 512: sums += a[p] ⊗ b[p] .... 6×16 sums (8×48) in registers
//! ```
//!
//! With AVX-512 every three panels are packed just before they are used; the tiles meanwhile copy the next ones:
//!
//! ```text
//!   for each 1024 columns
//!     for each 512 of k
//!       for each block of A, 384 kB .......... BLOCK: 192 rows of 512; stays in the L2
//!         for each three panels .............. their B, 96 kB, and that of the next ones, stay in the L2 as well
//!           for each tile of up to 8 rows
//!             for each 16 of 512 p ........... PACE: copy some rows of the next panels, or ask for them where they must be turned;
//!               sums += a[p] ⊗ b[p]            from the second block on, ask for what the first one's tiles copied
//! ```
//!
//! Every element is one chain of (fused) multiply-adds over k from 0 on; between stretches of k it rests in `out`. So its bits do not depend
//! on the rows beside it, the tile it fell into, or the thread.

mod blocks;
mod carry;
mod experts;
#[cfg(target_arch = "x86_64")]
mod few_rows;
mod grouped;
mod pack;
#[cfg(target_arch = "x86_64")]
mod skinny;
mod tile;
mod weight_gradient;
#[cfg(target_arch = "x86_64")]
mod zeros;

pub use experts::{ExpertGradients, Experts};
pub(crate) use grouped::{check_offsets, rows_of};
pub use grouped::{grouped_matmul, grouped_weight_gradient};

use std::ops::Range;

use crate::disjoint::Disjoint;
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, Isa};
use blocks::Operands;
pub(crate) use blocks::multiply_block;
pub(crate) use pack::{Buffer, PANEL, Strided, pack_panel, panels};
#[cfg(target_arch = "x86_64")]
use skinny::Grid;
#[cfg(target_arch = "x86_64")]
pub(crate) use tile::untracked;
pub use weight_gradient::WeightGradient;

/// Rows of a block of A.
pub(crate) const ROWS: usize = 96;
/// The same for AVX-512, whose L2 is larger: the fewer blocks, the less often B is read from the L3.
const MANY_ROWS: usize = 192;
/// Values of a block of A whose tiles fetch panels of B, 384 kB: with twice as many some shapes lose 3 to 8 %.
const BLOCK: usize = MANY_ROWS * DEPTH;
/// k per stretch.
const DEPTH: usize = 512;
/// k from which tiles fetch what comes next.
const LEAST_DEPTH: usize = 64;
/// Panels of B that are packed together.
const WIDTH: usize = 64;
/// The same where they serve one block of A only: they need not leave the L2 in between.
const NARROW: usize = 4;
/// Multiply-adds below which (about 10 µs) another thread costs more than it brings.
const WORTH_A_TASK: usize = 1 << 19;
/// The same for several tasks per thread, up to this number, of which the faster thread takes more. One thread takes all at once.
const WORTH_A_SHARE: usize = 1 << 21;
const MOST_SHARES: usize = 4;
/// Rows and panels of a share: with fewer, reading A and packing B take too much of its time.
const LEAST_ROWS: usize = 64;
const LEAST_PANELS: usize = 6;
/// Rows or columns that take as long as one, as their product is bound by the memory.
const FEW: usize = 16;

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

pub fn matmul(out: &mut [f32], a: &[f32], b: &[f32], shape: MatmulShape) -> Result<()> {
    product(out, a, b, shape, false)
}

/// `matmul` for an A that may have many zeros: where there are enough of them, by a sample, leaves out what they are multiplied with. The
/// bits are those of `matmul`, but that a sum which underflowed to −0 may keep its sign.
pub fn matmul_skipping_zeros(out: &mut [f32], a: &[f32], b: &[f32], shape: MatmulShape) -> Result<()> {
    product(out, a, b, shape, true)
}

fn product(out: &mut [f32], a: &[f32], b: &[f32], shape: MatmulShape, skip_zeros: bool) -> Result<()> {
    let MatmulShape { m, n, k, transpose_a, transpose_b, accumulate } = shape;
    check_len("matmul", "out", out.len(), checked_product("matmul", &[m, n])?)?;
    check_len("matmul", "a", a.len(), checked_product("matmul", &[m, k])?)?;
    check_len("matmul", "b", b.len(), checked_product("matmul", &[k, n])?)?;
    if out.is_empty() {
        return Ok(());
    }
    if k == 0 && !accumulate {
        out.fill(0.0);
    }
    let isa = isa::current();
    #[cfg(target_arch = "x86_64")]
    let skip_zeros = skip_zeros && zeros::pay(isa, a, m);
    let a = Strided::new(a, m, k, transpose_a);
    let b = Strided::new(b, k, n, transpose_b);
    let out = Disjoint::new(out);
    let out = Target { values: &out, first: 0, stride: n };
    #[cfg(target_arch = "x86_64")]
    if skip_zeros {
        let tasks = crate::pool::threads().min(m * n * k / WORTH_A_TASK).clamp(1, m);
        crate::pool::run(tasks, &|task| {
            zeros::multiply(isa, out, a, b, n, part(0..m, task, tasks), k, !accumulate);
        });
        return Ok(());
    }
    let _ = skip_zeros;
    let cut = Cut::new(m, n, k);
    crate::pool::run(cut.tasks(), &|task| {
        let (rows, columns) = cut.of(task);
        multiply(isa, out, a, b, n, rows, columns, k, accumulate);
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

/// How rows and panels are cut into tasks.
pub(crate) struct Cut {
    m: usize,
    row_cuts: usize,
    panels: usize,
    panel_cuts: usize,
}

impl Cut {
    pub fn new(m: usize, n: usize, k: usize) -> Self {
        let (threads, panels) = (crate::pool::threads(), panels(n));
        let worth = (m * n * k / WORTH_A_TASK).clamp(1, threads);
        let shares = m.max(FEW) * n.max(FEW) * k / WORTH_A_SHARE / threads;
        let most = if threads > 1 && worth == threads { shares.clamp(1, MOST_SHARES) } else { 0 };
        let cuts = (1..=most).rev().find_map(|shares| even_cuts(m, panels, shares * threads));
        let (row_cuts, panel_cuts) = cuts.unwrap_or_else(|| {
            let panel_cuts = worth.min(panels.div_ceil(4)).max(1);
            ((worth / panel_cuts).min(m.div_ceil(24)).max(1), panel_cuts)
        });
        Self { m, row_cuts, panels, panel_cuts }
    }

    pub fn tasks(&self) -> usize {
        self.row_cuts * self.panel_cuts
    }

    /// The rows and the panels of a task.
    pub fn of(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let (row, panel) = (task / self.panel_cuts, task % self.panel_cuts);
        (part(0..self.m, row, self.row_cuts), part(0..self.panels, panel, self.panel_cuts))
    }
}

/// How to cut rows and panels into so many tasks that are large enough, and read the least of A and B.
fn even_cuts(m: usize, panels: usize, tasks: usize) -> Option<(usize, usize)> {
    (1..=tasks)
        .filter(|row_cuts| tasks.is_multiple_of(*row_cuts))
        .map(|row_cuts| (row_cuts, tasks / row_cuts))
        .filter(|&(rows, _)| rows == 1 || m / rows >= LEAST_ROWS)
        .filter(|&(_, columns)| columns == 1 || panels / columns >= LEAST_PANELS)
        .min_by_key(|&(rows, columns)| columns * m + rows * panels * PANEL)
}

/// The `index`th of `count` parts of a range, equal within one, the larger ones first.
fn part(range: Range<usize>, index: usize, count: usize) -> Range<usize> {
    let (size, larger) = (range.len() / count, range.len() % count);
    let start = |index: usize| range.start + index * size + index.min(larger);
    start(index)..start(index + 1)
}

/// The fewest parts of a range that have at most `size` values, equal within one.
fn parts(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let count = range.len().div_ceil(size);
    (0..count).map(move |index| part(range.clone(), index, count))
}

/// A range in pieces of `size`, of which the last may be shorter.
fn pieces(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    range.clone().step_by(size).map(move |start| start..range.end.min(start + size))
}

/// A task of `matmul`: packs its part of B stretch by stretch, unless so few rows or columns use it that packing costs more.
fn multiply(
    isa: Isa,
    out: Target<'_>,
    a: Strided<'_>,
    b: Strided<'_>,
    n: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    k: usize,
    accumulate: bool,
) {
    #[cfg(target_arch = "x86_64")]
    {
        let places = columns.start * PANEL..n.min(columns.end * PANEL);
        let (height, width) = (rows.len(), places.len());
        let Target { values, first, stride } = out;
        let first = first + rows.start * stride + places.start;
        if skinny::suits(isa, b, height, width, k) {
            let out = Grid { values, first, row: stride, column: 1 };
            let (a, b) = (a.from(rows.start, 0), b.from(0, places.start));
            return skinny::multiply(isa, out, a, b, height, width, k, !accumulate);
        }
        // outᵀ = bᵀ·aᵀ
        if skinny::suits(isa, a.transposed(), width, height, k) {
            let out = Grid { values, first, row: 1, column: stride };
            let (a, b) = (a.from(rows.start, 0).transposed(), b.from(0, places.start).transposed());
            return skinny::multiply(isa, out, b, a, width, height, k, !accumulate);
        }
    }
    if rows.is_empty() || columns.is_empty() {
        return;
    }
    let operands = Operands { a, b, n, k };
    // A few of k give the tiles no time for others.
    if carry::carries(isa) && k >= LEAST_DEPTH {
        blocks::multiply_in_turn(isa, out, operands, rows, columns, accumulate);
    } else {
        blocks::multiply_packed(isa, out, operands, rows, columns, accumulate);
    }
}
