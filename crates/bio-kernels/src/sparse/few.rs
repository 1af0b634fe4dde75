//! One row of x: the weights are read once, so bytes decide, and how many chains run side by side.
//!
//! ```text
//! for each range of row blocks ................. one task
//!   for each stretch of columns ................ 16 kB of x stay in the L1
//!     four lanes, a quarter of the blocks each . an output is one chain, and a chain alone waits for itself; four streams far apart
//!       for each block: sums += values · x[index]    are read faster than one
//! ```

use std::ops::Range;

use super::blocks::{Blocks, LANES, Stretch};
use crate::disjoint::Disjoint;
use crate::isa::{Isa, mul_add, per_isa};
use crate::memory::prefetch;

/// out [rows] = x [columns]·Wᵀ (+ bias).
pub(super) fn multiply(isa: Isa, out: &mut [f32], x: &[f32], blocks: &Blocks, bias: Option<&[f32]>) {
    // Below about 20 µs of work another thread costs more than it brings.
    const WORTH_A_TASK: usize = 1 << 17;
    let wanted = (blocks.weights() / WORTH_A_TASK).clamp(1, 4 * crate::pool::threads());
    let tasks = blocks.tasks(wanted, 1);
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
    out.fill(0.0);
    for (stretch, columns) in blocks.stretches().enumerate() {
        let stored = blocks.stretch(stretch);
        let mut rows = Rows::<HEIGHT> { out, stored, x: &x[columns], row_blocks: row_blocks.clone() };
        let cuts = stored.cuts(&row_blocks);
        let mut lanes = std::array::from_fn(|lane| rows.lane(cuts[lane]));
        let ended = |lane: &Lane<HEIGHT>, l: usize| lane.row_block == cuts[l + 1];
        while !(0..LANES).any(|l| ended(&lanes[l], l)) {
            rows.advance::<FMA, LANES>(&mut lanes);
        }
        for (l, lane) in lanes.iter_mut().enumerate() {
            while !ended(lane, l) {
                rows.advance::<FMA, 1>(std::array::from_mut(lane));
            }
        }
    }
}

/// One row block after another: the one in hand, its sums, and the place of its next block.
struct Lane<const HEIGHT: usize> {
    row_block: usize,
    at: usize,
    sums: [f32; HEIGHT],
}

struct Rows<'a, const HEIGHT: usize> {
    out: &'a mut [f32],
    stored: Stretch<'a>,
    x: &'a [f32],
    /// Those of `out`.
    row_blocks: Range<usize>,
}

impl<const HEIGHT: usize> Rows<'_, HEIGHT> {
    #[inline(always)]
    fn lane(&self, row_block: usize) -> Lane<HEIGHT> {
        Lane { row_block, at: self.stored.starts[row_block] as usize, sums: self.sums(row_block) }
    }

    /// The rows of `out` that a row block fills, all but at the end of the matrix `HEIGHT` of them.
    #[inline(always)]
    fn place(&self, row_block: usize) -> Range<usize> {
        let first = (row_block - self.row_blocks.start) * HEIGHT;
        first.min(self.out.len())..(first + HEIGHT).min(self.out.len())
    }

    #[inline(always)]
    fn sums(&self, row_block: usize) -> [f32; HEIGHT] {
        let values = &self.out[self.place(row_block)];
        values.try_into().unwrap_or_else(|_| {
            let mut sums = [0.0; HEIGHT];
            sums[..values.len()].copy_from_slice(values);
            sums
        })
    }

    /// Every lane goes on by as many blocks as all of them have left in their row blocks, and to its next row block where that was its end.
    #[inline(always)]
    fn advance<const FMA: bool, const LANES: usize>(&mut self, lanes: &mut [Lane<HEIGHT>; LANES]) {
        let Stretch { starts, indices, values } = self.stored;
        let left = |lane: &Lane<HEIGHT>| starts[lane.row_block + 1] as usize - lane.at;
        let steps = lanes.iter().map(left).min().unwrap_or(0);
        add::<FMA, HEIGHT, LANES>(lanes, indices, values, self.x, steps);
        for lane in lanes {
            // Without a branch, which would be guessed wrong: sums that are not complete are written and read again.
            let place = self.place(lane.row_block);
            match <&mut [f32; HEIGHT]>::try_from(&mut self.out[place.clone()]) {
                Ok(out) => *out = lane.sums,
                Err(_) => self.out[place.clone()].copy_from_slice(&lane.sums[..place.len()]),
            }
            lane.row_block += usize::from(left(lane) == 0);
            lane.sums = self.sums(lane.row_block);
        }
    }
}

/// The next `steps` blocks of every lane.
#[inline(always)]
fn add<const FMA: bool, const HEIGHT: usize, const LANES: usize>(
    lanes: &mut [Lane<HEIGHT>; LANES],
    indices: &[u16],
    values: &[f32],
    x: &[f32],
    steps: usize,
) {
    /// Values that are asked for ahead of time.
    const AHEAD: usize = 512;
    let mut sums = [[0.0f32; HEIGHT]; LANES];
    let mut from = [(std::ptr::null(), std::ptr::null()); LANES];
    for (l, lane) in lanes.iter_mut().enumerate() {
        sums[l] = lane.sums;
        from[l] =
            (indices[lane.at..][..steps].as_ptr(), values[lane.at * HEIGHT..][..steps * HEIGHT].as_ptr());
        lane.at += steps;
    }
    let whole = steps / 4 * 4;
    for at in (0..whole).step_by(4) {
        for l in 0..LANES {
            for line in 0..HEIGHT.div_ceil(4) {
                prefetch(from[l].1.wrapping_add(at * HEIGHT + 16 * line + AHEAD));
            }
            prefetch(from[l].0.wrapping_add(at + AHEAD / HEIGHT));
        }
        for at in at..at + 4 {
            // SAFETY: `at` is below `steps`, which every lane has as the slices above checked; indices are columns of the stretch.
            unsafe { step::<FMA, HEIGHT, LANES>(&mut sums, &from, x, at) };
        }
    }
    for at in whole..steps {
        // SAFETY: `at` is below `steps`, which every lane has as the slices above checked; indices are columns of the stretch.
        unsafe { step::<FMA, HEIGHT, LANES>(&mut sums, &from, x, at) };
    }
    for (lane, sums) in lanes.iter_mut().zip(sums) {
        lane.sums = sums;
    }
}

/// Not a closure: called twice, it would not be compiled into the function that has the instructions.
///
/// # Safety
/// Every lane has a block at `at`, whose index is one of x.
#[inline(always)]
unsafe fn step<const FMA: bool, const HEIGHT: usize, const LANES: usize>(
    sums: &mut [[f32; HEIGHT]; LANES],
    from: &[(*const u16, *const f32); LANES],
    x: &[f32],
    at: usize,
) {
    for l in 0..LANES {
        // SAFETY: the caller's promise.
        unsafe {
            let x = *x.get_unchecked(*from[l].0.add(at) as usize);
            let block = from[l].1.add(at * HEIGHT);
            for h in 0..HEIGHT {
                sums[l][h] = mul_add::<FMA>(*block.add(h), x, sums[l][h]);
            }
        }
    }
}
