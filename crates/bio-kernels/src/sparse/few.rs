//! One row of x: the weights are read once, so bytes decide, and how many chains run side by side.
//!
//! ```text
//! for each range of row blocks ................. one task
//!   for each stretch of columns ................ 4 kB of x stay in the L1
//!     for each row block ....................... four at a time, each with its own sums: an output is one chain, and a chain alone
//!       for each block: sums += values · x[index]    waits for itself; the lane that ends first takes the next row block
//! ```

use std::ops::Range;

use super::blocks::{Blocks, Run};
use crate::disjoint::Disjoint;
use crate::isa::{Isa, mul_add, per_isa};
use crate::memory::prefetch;

/// Row blocks side by side.
const LANES: usize = 4;

/// out [rows] = x [columns]·Wᵀ (+ bias).
pub(super) fn multiply(isa: Isa, out: &mut [f32], x: &[f32], blocks: &Blocks, bias: Option<&[f32]>) {
    // Below about 20 µs of work another thread costs more than it brings.
    const WORTH_A_TASK: usize = 1 << 17;
    let wanted = (blocks.weights() / WORTH_A_TASK).clamp(1, 4 * crate::pool::threads());
    let tasks = blocks.tasks(wanted);
    let out = Disjoint::new(out);
    crate::pool::run(tasks.len(), &|task| {
        let rows = blocks.rows_of(&tasks[task]);
        // SAFETY: the ranges of tasks do not overlap.
        let out = unsafe { out.part(rows.clone()) };
        multiply_rows(isa, out, x, blocks, tasks[task].clone());
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(&bias[rows]) {
                *out += bias;
            }
        }
    });
}

per_isa! {
    fn multiply_rows(out: &mut [f32], x: &[f32], blocks: &Blocks, row_blocks: Range<usize>) {
        match blocks.height {
            1 => of_height::<FMA, 1>(out, x, blocks, row_blocks),
            4 => of_height::<FMA, 4>(out, x, blocks, row_blocks),
            _ => of_height::<FMA, 16>(out, x, blocks, row_blocks),
        }
    }
}

#[inline(always)]
fn of_height<const FMA: bool, const HEIGHT: usize>(
    out: &mut [f32],
    x: &[f32],
    blocks: &Blocks,
    row_blocks: Range<usize>,
) {
    for (stretch, columns) in blocks.stretches().enumerate() {
        let x = &x[columns];
        let mut waiting = row_blocks.clone();
        let mut lanes = [Lane::<HEIGHT>::EMPTY; LANES];
        'together: loop {
            for lane in &mut lanes {
                while lane.run.indices.is_empty() {
                    lane.put(out);
                    let Some(row_block) = waiting.next() else { break 'together };
                    let first = (row_block - row_blocks.start) * HEIGHT;
                    *lane = Lane::take(blocks.run(stretch, row_block), out, first, stretch == 0);
                }
            }
            let steps = lanes.iter().map(|lane| lane.run.indices.len()).min().unwrap_or(0);
            advance::<FMA, HEIGHT, LANES>(&mut lanes, x, steps);
        }
        for lane in &mut lanes {
            let steps = lane.run.indices.len();
            advance::<FMA, HEIGHT, 1>(std::array::from_mut(lane), x, steps);
            lane.put(out);
        }
    }
}

/// What is left of a row block in a stretch, and its sums so far.
#[derive(Clone)]
struct Lane<'a, const HEIGHT: usize> {
    run: Run<'a>,
    sums: [f32; HEIGHT],
    /// Their places in `out`.
    rows: (usize, usize),
}

impl<'a, const HEIGHT: usize> Lane<'a, HEIGHT> {
    const EMPTY: Self = Self { run: Run { indices: &[], values: &[] }, sums: [0.0; HEIGHT], rows: (0, 0) };

    #[inline(always)]
    fn take(run: Run<'a>, out: &[f32], first: usize, begin: bool) -> Self {
        let rows = (first, (first + HEIGHT).min(out.len()));
        let mut sums = [0.0; HEIGHT];
        if !begin {
            sums[..rows.1 - rows.0].copy_from_slice(&out[rows.0..rows.1]);
        }
        Self { run, sums, rows }
    }

    #[inline(always)]
    fn put(&self, out: &mut [f32]) {
        out[self.rows.0..self.rows.1].copy_from_slice(&self.sums[..self.rows.1 - self.rows.0]);
    }
}

/// The next `steps` blocks of every lane.
#[inline(always)]
fn advance<const FMA: bool, const HEIGHT: usize, const LANES: usize>(
    lanes: &mut [Lane<'_, HEIGHT>; LANES],
    x: &[f32],
    steps: usize,
) {
    /// Values that are asked for ahead of time. Lanes change place too often for the processor to guess.
    const AHEAD: usize = 1024;
    let mut sums = [[0.0f32; HEIGHT]; LANES];
    let mut indices = [std::ptr::null(); LANES];
    let mut values = [std::ptr::null(); LANES];
    for (l, lane) in lanes.iter_mut().enumerate() {
        let run = lane.run;
        assert!(run.indices.len() >= steps && run.values.len() >= steps * HEIGHT);
        sums[l] = lane.sums;
        (indices[l], values[l]) = (run.indices.as_ptr(), run.values.as_ptr());
        lane.run = Run { indices: &run.indices[steps..], values: &run.values[steps * HEIGHT..] };
    }
    let mut at = 0;
    while at + 4 <= steps {
        for l in 0..LANES {
            for line in 0..HEIGHT.div_ceil(4) {
                prefetch(values[l].wrapping_add(at * HEIGHT + 16 * line + AHEAD));
            }
            prefetch(indices[l].wrapping_add(at + AHEAD / HEIGHT));
        }
        for _ in 0..4 {
            // SAFETY: `at` is below `steps`, which every lane has by the assertion.
            unsafe { step::<FMA, HEIGHT, LANES>(&mut sums, &indices, &values, at, x) };
            at += 1;
        }
    }
    while at < steps {
        // SAFETY: as above.
        unsafe { step::<FMA, HEIGHT, LANES>(&mut sums, &indices, &values, at, x) };
        at += 1;
    }
    for (lane, sums) in lanes.iter_mut().zip(sums) {
        lane.sums = sums;
    }
}

/// # Safety
/// Every lane has a block at `at`, whose index is one of x.
#[inline(always)]
unsafe fn step<const FMA: bool, const HEIGHT: usize, const LANES: usize>(
    sums: &mut [[f32; HEIGHT]; LANES],
    indices: &[*const u16; LANES],
    values: &[*const f32; LANES],
    at: usize,
    x: &[f32],
) {
    for l in 0..LANES {
        // SAFETY: the caller's promise.
        unsafe {
            let x = *x.get_unchecked(*indices[l].add(at) as usize);
            let block = values[l].add(at * HEIGHT);
            for h in 0..HEIGHT {
                sums[l][h] = mul_add::<FMA>(*block.add(h), x, sums[l][h]);
            }
        }
    }
}
