//! Some rows by one, two or four panels, with sixteen registers.

use std::arch::x86_64::*;

use super::super::{ROWS, side_by_side, store};
use super::{PANEL, Weight};
use crate::disjoint::Disjoint;
use crate::memory::prefetch;

/// Bytes between a read and the prefetch for a later one.
const AHEAD: usize = 2048;
/// Rows of x at a time: twelve of the sixteen registers are their sums.
const HEIGHT: usize = 6;

/// out [row…, 16·panel…] = x [rows, columns]·panelsᵀ, where `out` has rows of `width`.
#[target_feature(enable = "avx2,fma")]
pub fn multiply<T: Weight>(
    out: &Disjoint<'_, f32>,
    width: usize,
    row: usize,
    panel: usize,
    panels: &[T],
    x: &[f32],
    columns: usize,
) {
    let (rows, size) = (x.len() / columns, columns * PANEL);
    let step = side_by_side(rows);
    let mut sums = [[0.0f32; PANEL]; ROWS];
    for (index, panels) in panels.chunks(step * size).enumerate() {
        let sums = &mut sums[..panels.len() / size * rows];
        dots(sums, panels, x, columns);
        for (at, sums) in sums.chunks(rows).enumerate() {
            store(out, width, row, panel + index * step + at, sums, None);
        }
    }
}

/// sums [panels][rows][16] of several panels side by side, or of one.
#[target_feature(enable = "avx2,fma")]
fn dots<T: Weight>(sums: &mut [[f32; PANEL]], panels: &[T], x: &[f32], columns: usize) {
    let size = columns * PANEL;
    let rows = x.len() / columns;
    let panel = |index: usize| &panels[index * size..][..size];
    match (rows, panels.len() / size) {
        (1, 4) => return chains::<T, 4, 1>(sums, [panel(0), panel(1), panel(2), panel(3)], x),
        (2, 2) => return chains::<T, 2, 2>(sums, [panel(0), panel(1)], x),
        _ => {}
    }
    for (panel, sums) in panels.chunks_exact(size).zip(sums.chunks_mut(rows)) {
        for (x, sums) in x.chunks(HEIGHT * columns).zip(sums.chunks_mut(HEIGHT)) {
            match sums.len() {
                1 => chains::<T, 1, 1>(sums, [panel], x),
                2 => chains::<T, 1, 2>(sums, [panel], x),
                3 => chains::<T, 1, 3>(sums, [panel], x),
                4 => chains::<T, 1, 4>(sums, [panel], x),
                5 => chains::<T, 1, 5>(sums, [panel], x),
                _ => chains::<T, 1, HEIGHT>(sums, [panel], x),
            }
        }
    }
}

/// sums [panels][rows][16]
#[target_feature(enable = "avx2,fma")]
fn chains<T: Weight, const PANELS: usize, const ROWS: usize>(
    sums: &mut [[f32; PANEL]],
    panels: [&[T]; PANELS],
    x: &[f32],
) {
    let columns = x.len() / ROWS;
    assert!(sums.len() == PANELS * ROWS && panels.iter().all(|panel| panel.len() >= columns * PANEL));
    let mut totals = [[[_mm256_setzero_ps(); 2]; ROWS]; PANELS];
    // SAFETY: `columns` steps of each panel and of each row of x, by the assertion.
    unsafe {
        for k in 0..columns {
            for (panel, totals) in panels.iter().zip(&mut totals) {
                let weights = panel.as_ptr().add(k * PANEL);
                prefetch(weights.wrapping_byte_add(AHEAD));
                let weights = T::load(weights);
                for (i, total) in totals.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(*x.as_ptr().add(i * columns + k));
                    total[0] = _mm256_fmadd_ps(a, weights[0], total[0]);
                    total[1] = _mm256_fmadd_ps(a, weights[1], total[1]);
                }
            }
        }
        for (sums, total) in sums.iter_mut().zip(totals.as_flattened()) {
            let total = T::in_order(*total);
            _mm256_storeu_ps(sums.as_mut_ptr(), total[0]);
            _mm256_storeu_ps(sums.as_mut_ptr().add(8), total[1]);
        }
    }
}
