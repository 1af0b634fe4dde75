//! Up to twelve rows by two panels, or four by four, with 32 registers.
//!
//! ```text
//! for each two panels (four for up to 4 rows) .. as many streams of weights
//!   for each 512 of k .......................... DEPTH: 64 kB of f32 in the L2, however many columns there are
//!     more than 24 rows: bf16 is widened to f32, in a scratch
//!     for each tile of up to 12 rows of x
//!       for k: sums += x[k] ⊗ panels[k] ........ 12×2 sums (4×4) in registers; weights that come next are asked for
//! ```

use std::arch::x86_64::*;

use super::super::{ROWS, store};
use super::{PANEL, WIDE, Weight};
use crate::disjoint::Disjoint;
use crate::matmul::untracked;
use crate::memory::prefetch;

/// k per stretch.
const DEPTH: usize = 512;
/// Rows of a tile.
const HEIGHT: usize = 12;
/// Bytes between a read and the prefetch for a later one, where every weight is read once.
const AHEAD: usize = 2048;

/// out [row…, 16·panel…] = x [rows, columns]·panelsᵀ, where `out` has rows of `width`; at most `ROWS` rows.
#[target_feature(enable = "avx512f")]
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
    let step = if rows <= 4 { 4 } else { 2 };
    let tiles = rows.div_ceil(HEIGHT);
    let line = PANEL * size_of::<T>();
    let mut sums = [[0.0f32; PANEL]; 2 * ROWS];
    WIDE.with_borrow_mut(|scratch| {
        for (index, panels) in panels.chunks(step * size).enumerate() {
            let count = panels.len() / size;
            let sums = &mut sums[..count * rows];
            sums.fill([0.0; PANEL]);
            for from in (0..columns).step_by(DEPTH) {
                let depth = DEPTH.min(columns - from);
                let stretch = |panel: usize| &panels[(panel * columns + from) * PANEL..][..depth * PANEL];
                // Of all panels: of the first one's values it could not be followed to the others.
                let weights = panels[from * PANEL..].as_ptr();
                let wide = if let Some(panels) = T::as_f32(&panels[from * PANEL..]) {
                    Some((panels.as_ptr(), columns))
                } else if tiles > 2 {
                    let wide = scratch.first(2 * DEPTH * PANEL);
                    for (panel, wide) in wide.chunks_exact_mut(DEPTH * PANEL).take(count).enumerate() {
                        T::widen(&mut wide[..depth * PANEL], stretch(panel));
                    }
                    Some((wide.as_ptr(), DEPTH))
                } else {
                    None
                };
                // The next stretch of these panels, or the first of the next ones.
                let next = if from + depth < columns { depth } else { (count - 1) * columns + depth };
                for tile in 0..tiles {
                    let (first, end) = (rows * tile / tiles, rows * (tile + 1) / tiles);
                    // Several tiles share the work of asking for it.
                    let rate = line.div_ceil(tiles);
                    let ahead = if tiles == 1 { AHEAD } else { next * line + tile * depth * rate };
                    let part = Part {
                        sums: sums[first..].as_mut_ptr(),
                        rows,
                        x: x[first * columns + from..].as_ptr(),
                        columns,
                        depth,
                        soon: weights.cast::<u8>().wrapping_add(ahead),
                        rate,
                        apart: columns * line,
                    };
                    // SAFETY: rows first…end and k from…from + depth lie inside x, as they do in the panels or their widened copy, and there
                    // is a sum for each row and panel.
                    unsafe {
                        match wide {
                            Some((panels, apart)) => dots(part, panels, apart, end - first, count),
                            None => dots(part, weights, columns, end - first, count),
                        }
                    }
                }
            }
            for (at, sums) in sums.chunks(rows).enumerate() {
                store(out, width, row, panel + index * step + at, sums, None);
            }
        }
    });
}

/// A stretch of k of some rows, and what is asked for meanwhile.
#[derive(Clone, Copy)]
struct Part {
    /// [panels][rows], of which the tile takes the first ones of each panel.
    sums: *mut [f32; PANEL],
    rows: usize,
    /// The first row; the others lie `columns` values apart.
    x: *const f32,
    columns: usize,
    depth: usize,
    /// Of the first panel, `rate` bytes per step; the others' lie `apart` bytes from there.
    soon: *const u8,
    rate: usize,
    apart: usize,
}

/// One body per size, so that its sums are registers.
///
/// # Safety
/// `part` must hold `height` rows of `depth` values and a sum for each of them and of `wide` panels; those must have `depth` steps, each
/// `apart` steps behind the one before. `height` is at most `HEIGHT`.
#[target_feature(enable = "avx512f")]
unsafe fn dots<T: Weight>(part: Part, panels: *const T, apart: usize, height: usize, wide: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match (height, wide) {
            (1, 4) => chains::<T, 1, 4>(part, panels, apart),
            (2, 4) => chains::<T, 2, 4>(part, panels, apart),
            (3, 4) => chains::<T, 3, 4>(part, panels, apart),
            (4, 4) => chains::<T, 4, 4>(part, panels, apart),
            (5, 2) => chains::<T, 5, 2>(part, panels, apart),
            (6, 2) => chains::<T, 6, 2>(part, panels, apart),
            (7, 2) => chains::<T, 7, 2>(part, panels, apart),
            (8, 2) => chains::<T, 8, 2>(part, panels, apart),
            (9, 2) => chains::<T, 9, 2>(part, panels, apart),
            (10, 2) => chains::<T, 10, 2>(part, panels, apart),
            (11, 2) => chains::<T, 11, 2>(part, panels, apart),
            (12, 2) => chains::<T, 12, 2>(part, panels, apart),
            (1, 1) => chains::<T, 1, 1>(part, panels, apart),
            (2, 1) => chains::<T, 2, 1>(part, panels, apart),
            (3, 1) => chains::<T, 3, 1>(part, panels, apart),
            (4, 1) => chains::<T, 4, 1>(part, panels, apart),
            (5, 1) => chains::<T, 5, 1>(part, panels, apart),
            (6, 1) => chains::<T, 6, 1>(part, panels, apart),
            (7, 1) => chains::<T, 7, 1>(part, panels, apart),
            (8, 1) => chains::<T, 8, 1>(part, panels, apart),
            (9, 1) => chains::<T, 9, 1>(part, panels, apart),
            (10, 1) => chains::<T, 10, 1>(part, panels, apart),
            (11, 1) => chains::<T, 11, 1>(part, panels, apart),
            (_, 1) => chains::<T, HEIGHT, 1>(part, panels, apart),
            // The last panels, fewer than stand side by side elsewhere.
            _ => {
                for panel in 0..wide {
                    let part = Part { sums: part.sums.add(panel * part.rows), ..part };
                    dots(part, panels.add(panel * apart * PANEL), apart, height, 1);
                }
            }
        }
    }
}

/// # Safety
/// As for `dots`, for `ROWS` rows and `PANELS` panels.
#[target_feature(enable = "avx512f")]
unsafe fn chains<T: Weight, const ROWS: usize, const PANELS: usize>(
    part: Part,
    panels: *const T,
    apart: usize,
) {
    let Part { sums, rows, x, columns, depth, .. } = part;
    // SAFETY: the caller's promise.
    unsafe {
        let mut totals = [[_mm512_setzero_ps(); PANELS]; ROWS];
        for i in 0..ROWS {
            for panel in 0..PANELS {
                totals[i][panel] = _mm512_loadu_ps(sums.add(panel * rows + i).cast());
            }
        }
        // Every third row, from which a register holds the distance of the others.
        let mut thirds = [x; HEIGHT / 3];
        for third in 1..ROWS.div_ceil(3) {
            thirds[third] = x.wrapping_add(untracked(3 * third * columns));
        }
        let columns = untracked(columns);
        for k in 0..depth {
            let mut weights = [_mm512_setzero_ps(); PANELS];
            for panel in 0..PANELS {
                prefetch(part.soon.wrapping_add(panel * part.apart + k * part.rate));
                weights[panel] = T::load_wide(panels.add((panel * apart + k) * PANEL));
            }
            for i in 0..ROWS {
                let value = _mm512_set1_ps(*thirds[i / 3].wrapping_add(i % 3 * columns));
                for panel in 0..PANELS {
                    totals[i][panel] = _mm512_fmadd_ps(value, weights[panel], totals[i][panel]);
                }
            }
            for row in &mut thirds {
                *row = row.wrapping_add(1);
            }
        }
        for i in 0..ROWS {
            for panel in 0..PANELS {
                _mm512_storeu_ps(sums.add(panel * rows + i).cast(), totals[i][panel]);
            }
        }
    }
}
