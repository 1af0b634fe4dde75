//! A strip with AVX-512: a register holds one weight row's sums for all 16 rows of x.
//!
//! Written with intrinsics, as the compiler does not keep so many sums in registers by itself: blocks of 4 ran at a seventh of this (NOTES.md).

use std::arch::x86_64::*;
use std::ops::Range;

use super::super::blocks::{Blocks, Run};
use super::{PANEL, STRIP};
use crate::memory::prefetch;

/// Values of blocks that are asked for ahead of time.
const AHEAD: usize = 512;

/// Adds to sums [16, 16] what a stretch of columns brings to a strip's row blocks.
#[target_feature(enable = "avx512f")]
pub fn multiply_strip(
    sums: &mut [f32],
    panel: &[f32],
    blocks: &Blocks,
    stretch: usize,
    row_blocks: Range<usize>,
) {
    assert!(sums.len() == STRIP * PANEL);
    let strip = Strip { panel, blocks, stretch, row_blocks };
    match blocks.height {
        // Chains enough that additions wait for loads alone.
        1 => strip.multiply::<4, 1>(sums),
        4 => strip.multiply::<2, 4>(sums),
        _ => strip.multiply::<1, 16>(sums),
    }
}

struct Strip<'a> {
    panel: &'a [f32],
    blocks: &'a Blocks,
    stretch: usize,
    row_blocks: Range<usize>,
}

impl Strip<'_> {
    /// `LANES` row blocks of `HEIGHT` weight rows side by side.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn multiply<const LANES: usize, const HEIGHT: usize>(&self, sums: &mut [f32]) {
        for (step, sums) in sums.chunks_exact_mut(LANES * HEIGHT * PANEL).enumerate() {
            let mut lanes = [Run::EMPTY; LANES];
            let mut together = usize::MAX;
            for lane in 0..LANES {
                let row_block = self.row_blocks.start + step * LANES + lane;
                if row_block < self.row_blocks.end {
                    lanes[lane] = self.blocks.run(self.stretch, row_block);
                }
                assert!(lanes[lane].values.len() == lanes[lane].indices.len() * HEIGHT);
                together = together.min(lanes[lane].indices.len());
            }
            let mut tile = [[_mm512_setzero_ps(); HEIGHT]; LANES];
            if self.stretch > 0 {
                for (tile, sums) in tile.as_flattened_mut().iter_mut().zip(sums.chunks_exact(PANEL)) {
                    // SAFETY: sixteen values.
                    *tile = unsafe { _mm512_loadu_ps(sums.as_ptr()) };
                }
            }
            // SAFETY: blocks within their runs, whose values are there by the assertion.
            unsafe {
                for at in 0..together {
                    for lane in 0..LANES {
                        add(&mut tile[lane], self.panel, lanes[lane], at);
                    }
                }
                for lane in 0..LANES {
                    for at in together..lanes[lane].indices.len() {
                        add(&mut tile[lane], self.panel, lanes[lane], at);
                    }
                }
            }
            for (tile, sums) in tile.as_flattened().iter().zip(sums.chunks_exact_mut(PANEL)) {
                // SAFETY: sixteen values.
                unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), *tile) };
            }
        }
    }
}

/// # Safety
/// The run has a block at `at`, with HEIGHT values; its index is a column of the panel.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn add<const HEIGHT: usize>(tile: &mut [__m512; HEIGHT], panel: &[f32], run: Run<'_>, at: usize) {
    // SAFETY: the caller's promise; the panel holds 16 values for each column.
    unsafe {
        let index = *run.indices.get_unchecked(at) as usize;
        let x = _mm512_loadu_ps(panel.as_ptr().add(index * PANEL));
        let values = run.values.as_ptr().add(at * HEIGHT);
        if HEIGHT > 1 {
            prefetch(values.wrapping_add(AHEAD));
        }
        for h in 0..HEIGHT {
            tile[h] = _mm512_fmadd_ps(_mm512_set1_ps(*values.add(h)), x, tile[h]);
        }
    }
}
