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
//! This is AVX2's way; AVX-512 cuts k too (avx512.rs), and other tiers widen a panel and go through `matmul`'s tiles. Every element is the
//! same chain over k in all of them. `vdpbf16ps` would round otherwise, and makes half as many products a second as f32 on an Emerald Rapids.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::cell::RefCell;
use std::ops::Range;

use super::tasks::{self, Span};
use super::{ROWS, filled};
use crate::disjoint::Disjoint;
use crate::error::Result;
use crate::isa::Isa;
use crate::matmul::{Buffer, Columns, PANEL, Strided, Target, multiply_block, panels};

pub(super) struct Panels<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
}

/// A stored weight.
pub(super) trait Weight: Copy + Default + Send + Sync {
    /// Weights that are f32 as they are.
    fn as_f32(weights: &[Self]) -> Option<&[f32]>;

    /// out = weights.
    fn widen(out: &mut [f32], weights: &[Self]);

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

    /// Sixteen weights as f32.
    ///
    /// # Safety
    /// There must be sixteen weights at `at`, and AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_wide(at: *const Self) -> std::arch::x86_64::__m512;
}

impl Weight for f32 {
    fn as_f32(weights: &[Self]) -> Option<&[f32]> {
        Some(weights)
    }

    fn widen(out: &mut [f32], weights: &[Self]) {
        out.copy_from_slice(weights);
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

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_wide(at: *const Self) -> std::arch::x86_64::__m512 {
        // SAFETY: sixteen weights, as the caller promises.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(at) }
    }
}

impl Weight for u16 {
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }

    fn widen(out: &mut [f32], weights: &[Self]) {
        crate::convert::from_bf16(out, weights).expect("equal lengths");
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

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_wide(at: *const Self) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::*;
        // SAFETY: sixteen weights, as the caller promises.
        let words = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(at.cast()) });
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
    }
}

thread_local! {
    /// Widened weights.
    static WIDE: RefCell<Buffer> = RefCell::default();
    /// Rows of a task, where they are given by index.
    static CHOSEN: RefCell<Buffer> = RefCell::default();
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

    /// out = x·Wᵀ for each span of rows and its expert; row r of x is row `index[r]` where there is an index.
    pub fn multiply(&self, isa: Isa, out: &mut [f32], x: &[f32], index: Option<&[i32]>, spans: &[Span]) {
        let size = self.columns * PANEL;
        let out = Disjoint::new(out);
        tasks::run(&tasks::cut(spans, ROWS, panels(self.rows), size), &|task| {
            for &span in task.spans() {
                with_rows(x, self.columns, span.start..span.end, index, |x| {
                    self.task(isa, &out, x, span, task.tiles.clone());
                });
            }
        });
    }

    /// Some rows, at most `ROWS`, by some panels.
    fn task(&self, isa: Isa, out: &Disjoint<'_, f32>, x: &[f32], span: Span, tiles: Range<usize>) {
        let (rows, columns) = (self.rows, self.columns);
        let size = columns * PANEL;
        let panels = &self.expert(span.expert)[tiles.start * size..tiles.end * size];
        #[cfg(target_arch = "x86_64")]
        {
            let (row, panel) = (span.start, tiles.start);
            match isa {
                Isa::Avx512 | Isa::Avx512Bf16 => {
                    // SAFETY: the tiers have AVX-512 F.
                    return unsafe { avx512::multiply(out, rows, row, panel, panels, x, columns) };
                }
                Isa::Avx2 => {
                    // SAFETY: the tier has AVX2 and FMA.
                    return unsafe { avx2::multiply(out, rows, row, panel, panels, x, columns) };
                }
                _ => {}
            }
        }
        let lanes = tiles.start * PANEL..rows.min(tiles.end * PANEL);
        for row in span.start..span.end {
            // SAFETY: every (row, tile) belongs to one task.
            unsafe { out.part(row * rows + lanes.start..row * rows + lanes.end) }.fill(0.0);
        }
        let height = span.end - span.start;
        let a = Strided::new(x, height, columns, false);
        let out = Target { values: out, first: span.start * rows, stride: rows };
        WIDE.with_borrow_mut(|scratch| {
            for (panel, values) in tiles.zip(panels.chunks_exact(size)) {
                let panels = T::as_f32(values).unwrap_or_else(|| {
                    let wide = scratch.first(size);
                    T::widen(wide, values);
                    wide
                });
                let b = Columns { panels, n: rows, depth: columns, first: panel };
                multiply_block(isa, out, a, b, 0..height, panel..panel + 1, columns);
            }
        });
    }
}

/// Hands some rows of x to `body`: those of the range, or those whose numbers the range of `index` gives, brought together.
fn with_rows(
    x: &[f32],
    columns: usize,
    range: Range<usize>,
    index: Option<&[i32]>,
    body: impl FnOnce(&[f32]),
) {
    let Some(index) = index else { return body(&x[range.start * columns..range.end * columns]) };
    CHOSEN.with_borrow_mut(|chosen| {
        let chosen = chosen.first(range.len() * columns);
        for (row, &from) in chosen.chunks_exact_mut(columns).zip(&index[range]) {
            row.copy_from_slice(&x[from as usize * columns..][..columns]);
        }
        body(chosen);
    });
}
