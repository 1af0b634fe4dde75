//! Many rows of x side by side: every weight that is read multiplies up to 16 of them.
//!
//! ```text
//! for each panel of 16 rows of x ............... one task, where they are few one for each part of the weight rows
//!   for each stretch of columns ................ 4,096 of them: packed as [columns, 16] they are 256 kB, half of the L2
//!     for each strip of 16 weight rows ......... its sums [16, 16]: between stretches in a scratch, after the last turned and written
//!       for each row block ..................... 4 rows at a time, or 4 blocks of one row side by side: 8 registers of sums, so
//!         for each block: sums += values ⊗ panel[index]         that no addition waits for the one before (AVX-512: avx512.rs)
//! ```

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::cell::RefCell;
use std::ops::Range;

use super::blocks::{Blocks, Run};
use crate::disjoint::Disjoint;
use crate::isa::{Isa, mul_add, per_isa};
use crate::matmul::{Buffer, PANEL, Strided, pack_panel, panels};

/// Weight rows per strip: every height divides it, and their results fill a cache line of `out`.
const STRIP: usize = 16;

thread_local! {
    /// A stretch of a panel, and sums.
    static BUFFERS: RefCell<(Buffer, Buffer)> = RefCell::default();
}

/// The arguments of a call.
struct Product<'a> {
    isa: Isa,
    out: Disjoint<'a, f32>,
    x: &'a [f32],
    blocks: &'a Blocks,
    m: usize,
    bias: Option<&'a [f32]>,
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
    let parts = blocks.tasks(wanted.div_ceil(panels(m)), STRIP / blocks.height);
    let product = Product { isa, out: Disjoint::new(out), x, blocks, m, bias };
    crate::pool::run(panels(m) * parts.len(), &|task| {
        product.multiply_panel(task / parts.len(), parts[task % parts.len()].clone());
    });
}

impl Product<'_> {
    /// The outputs of 16 rows of x and some row blocks.
    fn multiply_panel(&self, panel: usize, row_blocks: Range<usize>) {
        let blocks = self.blocks;
        let (per_strip, stretches) = (STRIP / blocks.height, blocks.stretches().len());
        let width = if self.m - panel * PANEL > 8 { 16 } else { 8 };
        let x = Strided::new(self.x, blocks.columns, self.m, true);
        BUFFERS.with_borrow_mut(|(packed, sums)| {
            // With one stretch no strip is ever taken up again: one place serves all.
            let strips = if stretches == 1 { 1 } else { row_blocks.len().div_ceil(per_strip) };
            let sums = sums.first(strips * STRIP * PANEL);
            for (stretch, columns) in blocks.stretches().enumerate() {
                let packed = packed.first(columns.len() * PANEL);
                pack_panel(self.isa, packed, x, columns.start, panel, self.m);
                for (strip, first) in row_blocks.clone().step_by(per_strip).enumerate() {
                    let row_blocks = first..(first + per_strip).min(row_blocks.end);
                    let sums = &mut sums[strip % strips * STRIP * PANEL..][..STRIP * PANEL];
                    match self.isa {
                        #[cfg(target_arch = "x86_64")]
                        // SAFETY: these tiers have AVX-512 F.
                        Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                            avx512::multiply_strip(sums, packed, blocks, stretch, row_blocks.clone());
                        },
                        isa => multiply_strip(isa, sums, packed, width, blocks, stretch, row_blocks.clone()),
                    }
                    if stretch + 1 == stretches {
                        self.put(sums, panel * PANEL, blocks.rows_of(&row_blocks));
                    }
                }
            }
        });
    }

    /// out [rows of x from `first` on, rows] = sumsᵀ (+ bias).
    fn put(&self, sums: &[f32], first: usize, rows: Range<usize>) {
        let mut turned = [0.0; STRIP * PANEL];
        pack_panel(self.isa, &mut turned, Strided::new(sums, PANEL, STRIP, true), 0, 0, STRIP);
        let bias = self.bias.map(|bias| &bias[rows.clone()]);
        for (i, sums) in (first..self.m).zip(turned.chunks_exact(STRIP)) {
            let start = i * self.blocks.rows;
            // SAFETY: panels are different rows of x, parts different rows of the weights; this part is gone before the next is taken.
            let out = unsafe { self.out.part(start + rows.start..start + rows.end) };
            match <&mut [f32; STRIP]>::try_from(&mut *out) {
                Ok(out) => out.copy_from_slice(sums),
                Err(_) => out.copy_from_slice(&sums[..rows.len()]),
            }
            if let Some(bias) = bias {
                for (out, bias) in out.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
        }
    }
}

per_isa! {
    /// Adds to sums [16, 16] what a stretch of columns brings to a strip's row blocks.
    fn multiply_strip(
        sums: &mut [f32], panel: &[f32], width: usize, blocks: &Blocks, stretch: usize, row_blocks: Range<usize>,
    ) {
        match (blocks.height, width) {
            (1, 8) => strip::<FMA, 4, 1, 8>(sums, panel, blocks, stretch, row_blocks),
            (1, _) => strip::<FMA, 4, 1, 16>(sums, panel, blocks, stretch, row_blocks),
            (_, 8) => strip::<FMA, 1, 4, 8>(sums, panel, blocks, stretch, row_blocks),
            _ => strip::<FMA, 1, 4, 16>(sums, panel, blocks, stretch, row_blocks),
        }
    }
}

/// `LANES` parts side by side, each `HEIGHT` rows of a row block.
#[inline(always)]
fn strip<const FMA: bool, const LANES: usize, const HEIGHT: usize, const WIDTH: usize>(
    sums: &mut [f32],
    panel: &[f32],
    blocks: &Blocks,
    stretch: usize,
    row_blocks: Range<usize>,
) {
    let height = blocks.height;
    for (step, sums) in sums.chunks_exact_mut(LANES * HEIGHT * PANEL).enumerate() {
        let lanes = std::array::from_fn(|lane| {
            let row = (step * LANES + lane) * HEIGHT;
            let row_block = row_blocks.start + row / height;
            let run = if row_block < row_blocks.end { blocks.run(stretch, row_block) } else { Run::EMPTY };
            (run, row % height)
        });
        tile::<FMA, LANES, HEIGHT, WIDTH>(sums, stretch == 0, panel, lanes, height);
    }
}

/// sums [LANES·HEIGHT, 16], `WIDTH` columns of them, from 0 on if they `begin`: of each lane's blocks `HEIGHT` rows from its row on.
#[inline(always)]
fn tile<const FMA: bool, const LANES: usize, const HEIGHT: usize, const WIDTH: usize>(
    sums: &mut [f32],
    begin: bool,
    panel: &[f32],
    lanes: [(Run<'_>, usize); LANES],
    height: usize,
) {
    let mut tile = [[[0.0f32; WIDTH]; HEIGHT]; LANES];
    for (lane, (run, row)) in lanes.iter().enumerate() {
        assert!(run.values.len() == run.indices.len() * height && row + HEIGHT <= height);
        for h in 0..HEIGHT {
            if !begin {
                tile[lane][h].copy_from_slice(&sums[(lane * HEIGHT + h) * PANEL..][..WIDTH]);
            }
        }
    }
    let together = lanes.iter().map(|(run, _)| run.indices.len()).min().unwrap_or(0);
    for at in 0..together {
        for lane in 0..LANES {
            // SAFETY: within the run, whose values and rows are there by the assertion; indices are columns of the stretch, as `Run` promises.
            unsafe { add::<FMA, HEIGHT, WIDTH>(&mut tile[lane], panel, lanes[lane], height, at) };
        }
    }
    for lane in 0..LANES {
        for at in together..lanes[lane].0.indices.len() {
            // SAFETY: within the run, whose values and rows are there by the assertion; indices are columns of the stretch, as `Run` promises.
            unsafe { add::<FMA, HEIGHT, WIDTH>(&mut tile[lane], panel, lanes[lane], height, at) };
        }
    }
    for lane in 0..LANES {
        for h in 0..HEIGHT {
            sums[(lane * HEIGHT + h) * PANEL..][..WIDTH].copy_from_slice(&tile[lane][h]);
        }
    }
}

/// Not a closure: called twice, it would not be compiled into the function that has the instructions.
///
/// # Safety
/// The run has a block at `at`, with `height` values of which HEIGHT from `row` on exist; its index is a column of the panel.
#[inline(always)]
unsafe fn add<const FMA: bool, const HEIGHT: usize, const WIDTH: usize>(
    tile: &mut [[f32; WIDTH]; HEIGHT],
    panel: &[f32],
    (run, row): (Run<'_>, usize),
    height: usize,
    at: usize,
) {
    // SAFETY: the caller's promise; the panel holds 16 values for each column, at least WIDTH.
    unsafe {
        let index = *run.indices.get_unchecked(at) as usize;
        let x = &*panel.as_ptr().add(index * PANEL).cast::<[f32; WIDTH]>();
        for h in 0..HEIGHT {
            let weight = *run.values.get_unchecked(at * height + row + h);
            for j in 0..WIDTH {
                tile[h][j] = mul_add::<FMA>(weight, x[j], tile[h][j]);
            }
        }
    }
}
