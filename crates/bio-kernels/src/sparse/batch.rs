//! Many rows of x side by side: every weight that is read multiplies up to 32 of them.
//!
//! ```text
//! pack x once:   panels of 32 rows, each [columns, 32]
//! for each chunk of 512 weight rows ............ one task, or less; its sums [512, 32] are 64 kB: written to `out` when all is added
//!   for each panel
//!     for each stretch of columns .............. 1,024 of them: a panel's stretch is 128 kB, both fit the L2
//!       for each row block of the chunk ........ 4 rows at a time, or 1; weights stream by, each read from afar once per panel
//!         for each 16 rows of x ................ 4×16 sums stay in registers (AVX-512: 4×32)
//!           for each block: sums += values ⊗ panel[index]
//! ```

use std::cell::RefCell;
use std::ops::Range;

use super::blocks::{Blocks, Run};
use crate::disjoint::{Disjoint, for_ranges};
use crate::isa::{Isa, mul_add, per_isa};

/// Rows of x per panel.
const PANEL: usize = 32;
/// Weight rows per chunk, a multiple of every height.
const CHUNK: usize = 512;

thread_local! {
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static SUMS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// out [m, rows] = x [m, columns]·Wᵀ (+ bias).
pub(super) fn multiply(
    isa: Isa,
    out: &mut [f32],
    x: &[f32],
    blocks: &Blocks,
    m: usize,
    bias: Option<&[f32]>,
) {
    // Below about 20 µs of work another thread costs more than it brings.
    const WORTH_A_TASK: usize = 1 << 19;
    let wanted = (blocks.weights() * m / WORTH_A_TASK).clamp(1, 4 * crate::pool::threads());
    let tasks = blocks.tasks(wanted);
    PANELS.with_borrow_mut(|panels| {
        panels.resize(m.next_multiple_of(8) * blocks.columns, 0.0);
        pack_panels(panels, x, blocks.columns);
        let out = Disjoint::new(out);
        let panels = &panels[..];
        crate::pool::run(tasks.len(), &|task| {
            let Range { start, end } = tasks[task];
            for first in (start..end).step_by(CHUNK / blocks.height) {
                let chunk = first..(first + CHUNK / blocks.height).min(end);
                multiply_chunk(isa, &out, panels, blocks, &chunk, m, bias);
            }
        });
    });
}

/// The rows of a panel, filled up to whole registers.
fn width_of(rows: usize) -> usize {
    rows.next_multiple_of(8)
}

fn pack_panels(panels: &mut [f32], x: &[f32], columns: usize) {
    let size = PANEL * columns;
    let panels = Disjoint::new(panels);
    for_ranges(x.len().div_ceil(size), size, &|range| {
        for panel in range {
            let x = &x[panel * size..((panel + 1) * size).min(x.len())];
            let width = width_of(x.len() / columns);
            // SAFETY: each panel has a place of its own.
            pack_panel(
                unsafe { panels.part(panel * size..panel * size + width * columns) },
                x,
                columns,
                width,
            );
        }
    });
}

/// panel [columns, width] = xᵀ, in squares that keep both sides in the L1; zeros where x has no row.
fn pack_panel(panel: &mut [f32], x: &[f32], columns: usize, width: usize) {
    if x.len() < panel.len() {
        panel.fill(0.0);
    }
    for first in (0..columns).step_by(16) {
        for (j, row) in x.chunks_exact(columns).enumerate() {
            for (i, value) in row[first..(first + 16).min(columns)].iter().enumerate() {
                panel[(first + i) * width + j] = *value;
            }
        }
    }
}

/// out [m, the rows of the chunk], panel by panel.
fn multiply_chunk(
    isa: Isa,
    out: &Disjoint<'_, f32>,
    panels: &[f32],
    blocks: &Blocks,
    chunk: &Range<usize>,
    m: usize,
    bias: Option<&[f32]>,
) {
    let rows = blocks.rows_of(chunk);
    SUMS.with_borrow_mut(|sums| {
        for first in (0..m).step_by(PANEL) {
            let width = width_of(PANEL.min(m - first));
            sums.clear();
            sums.resize(chunk.len() * blocks.height * width, 0.0);
            let panel = &panels[first * blocks.columns..];
            for (stretch, columns) in blocks.stretches().enumerate() {
                let panel = &panel[columns.start * width..columns.end * width];
                multiply_stretch(isa, sums, panel, width, blocks, stretch, chunk.clone());
            }
            for i in first..(first + PANEL).min(m) {
                // SAFETY: chunks are different rows; this part is gone before the next is taken.
                let out = unsafe { out.part(i * blocks.rows + rows.start..i * blocks.rows + rows.end) };
                put(isa, out, &sums[i - first..], width, bias.map(|bias| &bias[rows.clone()]));
            }
        }
    });
}

per_isa! {
    /// out = every `width`th of the sums (+ bias).
    fn put(out: &mut [f32], sums: &[f32], width: usize, bias: Option<&[f32]>) {
        for (out, sum) in out.iter_mut().zip(sums.iter().step_by(width)) {
            *out = *sum;
        }
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(bias) {
                *out += bias;
            }
        }
    }
}

/// Adds to sums [rows of the chunk, width] what a stretch of columns brings.
fn multiply_stretch(
    isa: Isa,
    sums: &mut [f32],
    panel: &[f32],
    width: usize,
    blocks: &Blocks,
    stretch: usize,
    chunk: Range<usize>,
) {
    let wide = matches!(isa, Isa::Avx512 | Isa::Avx512Bf16);
    if blocks.height == 1 {
        stretch_by_ones(isa, sums, panel, width, blocks, stretch, chunk);
    } else {
        stretch_by_fours(isa, sums, panel, width, blocks, stretch, chunk, wide);
    }
}

per_isa! {
    fn stretch_by_ones(sums: &mut [f32], panel: &[f32], width: usize, blocks: &Blocks, stretch: usize, chunk: Range<usize>) {
        for (row_block, sums) in chunk.zip(sums.chunks_exact_mut(width)) {
            part::<FMA, 1>(sums, panel, width, blocks.run(stretch, row_block), 1, 0, true);
        }
    }
}

per_isa! {
    fn stretch_by_fours(sums: &mut [f32], panel: &[f32], width: usize, blocks: &Blocks, stretch: usize, chunk: Range<usize>, wide: bool) {
        let height = blocks.height;
        for (row_block, sums) in chunk.zip(sums.chunks_exact_mut(height * width)) {
            let run = blocks.run(stretch, row_block);
            for (at, sums) in sums.chunks_exact_mut(4 * width).enumerate() {
                part::<FMA, 4>(sums, panel, width, run, height, 4 * at, wide);
            }
        }
    }
}

/// `HEIGHT` rows of a row block from `row` on: sums [HEIGHT, width], as many columns at a time as registers hold.
#[inline(always)]
fn part<const FMA: bool, const HEIGHT: usize>(
    sums: &mut [f32],
    panel: &[f32],
    width: usize,
    run: Run<'_>,
    height: usize,
    row: usize,
    wide: bool,
) {
    let mut column = 0;
    while column < width {
        if wide && width - column >= 32 {
            tile::<FMA, HEIGHT, 32>(sums, panel, width, column, run, height, row);
            column += 32;
        } else if width - column >= 16 {
            tile::<FMA, HEIGHT, 16>(sums, panel, width, column, run, height, row);
            column += 16;
        } else {
            tile::<FMA, HEIGHT, 8>(sums, panel, width, column, run, height, row);
            column += 8;
        }
    }
}

#[inline(always)]
fn tile<const FMA: bool, const HEIGHT: usize, const WIDTH: usize>(
    sums: &mut [f32],
    panel: &[f32],
    width: usize,
    column: usize,
    run: Run<'_>,
    height: usize,
    row: usize,
) {
    assert!(
        row + HEIGHT <= height && run.values.len() == run.indices.len() * height && column + WIDTH <= width
    );
    let mut tile = [[0.0f32; WIDTH]; HEIGHT];
    for h in 0..HEIGHT {
        tile[h].copy_from_slice(&sums[h * width + column..][..WIDTH]);
    }
    for (at, &index) in run.indices.iter().enumerate() {
        // SAFETY: every block has `height` values, of which HEIGHT from `row` on exist; indices are columns of the stretch, as `Run`
        // promises, and the panel holds `width` values for each of them, of which WIDTH from `column` on exist.
        unsafe {
            let x = &*panel.as_ptr().add(index as usize * width + column).cast::<[f32; WIDTH]>();
            for h in 0..HEIGHT {
                let weight = *run.values.get_unchecked(at * height + row + h);
                for j in 0..WIDTH {
                    tile[h][j] = mul_add::<FMA>(weight, x[j], tile[h][j]);
                }
            }
        }
    }
    for h in 0..HEIGHT {
        sums[h * width + column..][..WIDTH].copy_from_slice(&tile[h]);
    }
}
