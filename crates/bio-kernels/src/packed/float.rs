//! f32 and bf16 weights: panels of 16 weight rows, [expert][panel][k][16], as `matmul` packs its second operand. bf16 is widened on the
//! way to the registers; products and sums are f32.
//!
//! ```text
//! for each stretch of up to 64 rows of x and some panels .. one task
//!   for each panel (few rows: two or four panels) ......... comes from memory once; 256 kB of f32 at 4096 columns stay in the L2
//!     for each 6 rows of x
//!       for k: sums += x[k] ⊗ panel[k] .................... 6×16 sums, in registers from the first k to the last
//!     out = sums
//! ```
//!
//! This is the way of AVX2, and of AVX-512 while reading bounds it; other products widen a panel and go through `matmul`'s tiles. Every
//! element is the same chain over k in both.

use super::{ROWS, Span, filled, for_tasks};
use crate::disjoint::Disjoint;
use crate::error::Result;
use crate::isa::Isa;
use crate::matmul::{Columns, PANEL, Strided, Target, multiply_block, panels};

pub(super) struct Panels<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
}

/// A stored weight.
pub(super) trait Weight: Copy + Default + Send + Sync {
    /// Panels as f32, widened into `scratch` unless they are.
    fn widen<'a>(panels: &'a [Self], scratch: &'a mut Vec<f32>) -> &'a [f32];

    /// Sixteen weights as f32, in an order that `in_order` undoes.
    ///
    /// # Safety
    /// There must be sixteen weights at `at`, and AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load(at: *const Self) -> [std::arch::x86_64::__m256; 2];

    /// # Safety
    /// There must be AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn in_order(sums: [std::arch::x86_64::__m256; 2]) -> [std::arch::x86_64::__m256; 2];
}

impl Weight for f32 {
    fn widen<'a>(panels: &'a [Self], _: &'a mut Vec<f32>) -> &'a [f32] {
        panels
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load(at: *const Self) -> [std::arch::x86_64::__m256; 2] {
        use std::arch::x86_64::*;
        // SAFETY: sixteen weights, as the caller promises.
        unsafe { [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))] }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn in_order(sums: [std::arch::x86_64::__m256; 2]) -> [std::arch::x86_64::__m256; 2] {
        sums
    }
}

impl Weight for u16 {
    fn widen<'a>(panels: &'a [Self], scratch: &'a mut Vec<f32>) -> &'a [f32] {
        scratch.resize(panels.len(), 0.0);
        crate::convert::from_bf16(scratch, panels).expect("equal lengths");
        scratch
    }

    /// A bf16 is the upper half of an f32: the even weights are shifted there, the odd ones are there already.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load(at: *const Self) -> [std::arch::x86_64::__m256; 2] {
        use std::arch::x86_64::*;
        // SAFETY: sixteen weights, as the caller promises.
        let pairs = unsafe { _mm256_loadu_si256(at.cast()) };
        let upper = _mm256_set1_epi32(0xffff_0000_u32 as i32);
        [
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, upper)),
        ]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn in_order([even, odd]: [std::arch::x86_64::__m256; 2]) -> [std::arch::x86_64::__m256; 2] {
        use std::arch::x86_64::*;
        let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
        [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
    }
}

thread_local! {
    static WIDE: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl<T: Weight> Panels<T> {
    pub fn zeros(experts: usize, rows: usize, columns: usize) -> Result<Self> {
        Ok(Self { values: filled(T::default(), &[experts, panels(rows), columns, PANEL])?, rows, columns })
    }

    /// Row `row` of all experts' rows becomes `weights` [columns].
    pub fn set_row(&mut self, row: usize, weights: &[f32], narrow: impl Fn(f32) -> T) {
        let (expert, row) = (row / self.rows, row % self.rows);
        let panel = (expert * panels(self.rows) + row / PANEL) * self.columns * PANEL;
        for (k, weight) in weights.iter().enumerate() {
            self.values[panel + k * PANEL + row % PANEL] = narrow(*weight);
        }
    }

    fn expert(&self, expert: usize) -> &[T] {
        let size = panels(self.rows) * self.columns * PANEL;
        &self.values[expert * size..][..size]
    }

    pub fn unpack(&self, out: &mut [f32], expert: usize, widen: impl Fn(T) -> f32) {
        let values = self.expert(expert);
        for (row, out) in out.chunks_exact_mut(self.columns).enumerate() {
            let panel = row / PANEL * self.columns * PANEL;
            for (k, out) in out.iter_mut().enumerate() {
                *out = widen(values[panel + k * PANEL + row % PANEL]);
            }
        }
    }

    /// out = x·Wᵀ for each span of rows and its expert.
    pub fn multiply(&self, isa: Isa, out: &mut [f32], x: &[f32], spans: &[Span]) {
        let (rows, columns) = (self.rows, self.columns);
        let size = columns * PANEL;
        let out = Disjoint::new(out);
        for_tasks(spans, ROWS, panels(rows), size, &|span, tiles| {
            let panels = &self.expert(span.expert)[tiles.start * size..tiles.end * size];
            #[cfg(target_arch = "x86_64")]
            if avx2::suits(isa, span.end - span.start) {
                let x = &x[span.start * columns..span.end * columns];
                // SAFETY: the tiers that suit have AVX2 and FMA.
                return unsafe { avx2::multiply(&out, rows, span.start, tiles.start, panels, x, columns) };
            }
            let lanes = tiles.start * PANEL..rows.min(tiles.end * PANEL);
            for row in span.start..span.end {
                // SAFETY: every (row, tile) belongs to one task.
                unsafe { out.part(row * rows + lanes.start..row * rows + lanes.end) }.fill(0.0);
            }
            let a = Strided::new(x, x.len() / columns, columns, false);
            let out = Target { values: &out, first: 0, stride: rows };
            WIDE.with_borrow_mut(|scratch| {
                for (panel, values) in tiles.zip(panels.chunks_exact(size)) {
                    let panels = T::widen(values, scratch);
                    let b = Columns { panels, n: rows, depth: columns, first: panel };
                    multiply_block(isa, out, a, b, span.start..span.end, panel..panel + 1, columns);
                }
            });
        });
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::super::{ROWS, side_by_side, store};
    use super::{PANEL, Weight};
    use crate::disjoint::Disjoint;
    use crate::isa::Isa;
    use crate::memory::prefetch;

    /// Bytes between a read and the prefetch for a later one.
    const AHEAD: usize = 2048;
    /// Rows of x at a time: twelve of the sixteen registers are their sums.
    const HEIGHT: usize = 6;

    /// AVX-512 has tiles of its own for what reading does not bound.
    pub fn suits(isa: Isa, rows: usize) -> bool {
        isa == Isa::Avx2 || matches!(isa, Isa::Avx512 | Isa::Avx512Bf16) && rows <= HEIGHT
    }

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
}
