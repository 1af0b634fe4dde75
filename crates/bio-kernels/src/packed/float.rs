//! f32 and bf16 weights: panels of 16 weight rows, [expert][panel][k][16], as `matmul` packs its second operand. bf16 is widened on the
//! way to the registers; products and sums are f32.

use super::{Span, filled, for_tasks};
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
}

impl Weight for f32 {
    fn widen<'a>(panels: &'a [Self], _: &'a mut Vec<f32>) -> &'a [f32] {
        panels
    }
}

impl Weight for u16 {
    fn widen<'a>(panels: &'a [Self], scratch: &'a mut Vec<f32>) -> &'a [f32] {
        scratch.resize(panels.len(), 0.0);
        crate::convert::from_bf16(scratch, panels).expect("equal lengths");
        scratch
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

    pub fn multiply(&self, isa: Isa, out: &mut [f32], x: &[f32], spans: &[Span]) {
        out.fill(0.0);
        let (rows, columns) = (self.rows, self.columns);
        let a = Strided::new(x, x.len() / columns, columns, false);
        let out = Disjoint::new(out);
        let out = Target { values: &out, first: 0, stride: rows };
        for_tasks(spans, panels(rows), columns * PANEL, &|span, tiles| {
            WIDE.with_borrow_mut(|scratch| {
                let size = columns * PANEL;
                let values =
                    T::widen(&self.expert(span.expert)[tiles.start * size..tiles.end * size], scratch);
                let b = Columns { panels: values, n: rows, depth: columns, first: tiles.start };
                multiply_block(isa, out, a, b, span.start..span.end, tiles, columns);
            });
        });
    }
}
