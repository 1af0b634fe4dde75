//! Rows of x as int8, once per product.

use std::cell::RefCell;
use std::ops::Range;

use super::tasks::{MOST_SPANS, Span};
use crate::disjoint::{Disjoint, for_ranges};
use crate::isa::{Isa, per_isa};
use crate::quantize::quantize_row_body;

/// x [rows, columns] in int8 with a scale per row and group.
#[derive(Clone, Copy)]
pub(super) struct Quantized<'a> {
    /// Rows, each `stride` apart and filled up with zeros.
    pub values: &'a [i8],
    pub stride: usize,
    /// [rows, groups]
    pub scales: &'a [f32],
    /// −ZERO·Σ values per row and group, [rows, groups]: what unsigned weights add too much. With `pairs` (one group) also −Σ a₀·a₁ over
    /// neighbours.
    pub corrections: &'a [i32],
    pub groups: usize,
    /// The values in 16 bits, two in each: of every four the first and third, then the second and fourth. Empty unless asked for.
    pub pairs: &'a [i32],
}

#[derive(Default)]
struct Scratch {
    values: Vec<i8>,
    scales: Vec<f32>,
    corrections: Vec<i32>,
    pairs: Vec<i32>,
}

impl Scratch {
    fn resize(&mut self, rows: usize, stride: usize, groups: usize, pairs: bool) {
        self.values.resize(rows * stride, 0);
        self.scales.resize(rows * groups, 0.0);
        self.corrections.resize(rows * groups, 0);
        self.pairs.resize(if pairs { rows * stride / 2 } else { 0 }, 0);
    }

    fn view(&self, stride: usize, groups: usize) -> Quantized<'_> {
        let Self { values, scales, corrections, pairs } = self;
        Quantized { values, stride, scales, corrections, groups, pairs }
    }
}

thread_local! {
    /// All rows of a product.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    /// Rows of a task, where they are given by index.
    static CHOSEN: RefCell<Scratch> = RefCell::default();
}

impl Quantized<'_> {
    /// Quantizes x in groups of `group` columns, for weights whose stored `zero` stands for 0, and hands it to `body`.
    pub fn with(
        isa: Isa,
        x: &[f32],
        columns: usize,
        group: usize,
        zero: u8,
        pairs: bool,
        body: impl FnOnce(Quantized<'_>),
    ) {
        // An odd number of cache lines: rows that are read side by side stay out of each other's cache sets.
        let stride = (columns.div_ceil(64) | 1) * 64;
        let (rows, groups) = (x.len() / columns, columns / group);
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(rows, stride, groups, pairs);
            let parts = (
                Disjoint::new(&mut scratch.values),
                Disjoint::new(&mut scratch.scales),
                Disjoint::new(&mut scratch.corrections),
                Disjoint::new(&mut scratch.pairs),
            );
            for_ranges(rows, columns, &|range| {
                for row in range {
                    // SAFETY: each row has its own part of each.
                    let (values, scales, corrections) = unsafe {
                        (
                            parts.0.part(row * stride..(row + 1) * stride),
                            parts.1.part(row * groups..(row + 1) * groups),
                            parts.2.part(row * groups..(row + 1) * groups),
                        )
                    };
                    values[columns..].fill(0);
                    let x = &x[row * columns..(row + 1) * columns];
                    quantize_groups(isa, values, scales, corrections, x, group, zero);
                    if pairs {
                        // SAFETY: as above.
                        let pairs = unsafe { parts.3.part(row * stride / 2..(row + 1) * stride / 2) };
                        corrections[0] -= widen(isa, pairs, values);
                    }
                }
            });
            body(scratch.view(stride, groups));
        });
    }
}

impl<'a> Quantized<'a> {
    pub fn rows(self, rows: Range<usize>) -> Quantized<'a> {
        let groups = rows.start * self.groups..rows.end * self.groups;
        Quantized {
            values: &self.values[rows.start * self.stride..rows.end * self.stride],
            scales: &self.scales[groups.clone()],
            corrections: &self.corrections[groups],
            pairs: if self.pairs.is_empty() {
                self.pairs
            } else {
                &self.pairs[rows.start * self.stride / 2..rows.end * self.stride / 2]
            },
            ..self
        }
    }

    /// Hands the rows of some spans to `body`, as rows of what it gets first, and the first of each. Where there is an index its numbers say
    /// which rows they are, and they are brought together.
    pub fn with_spans(
        self,
        spans: &[Span],
        index: Option<&[i32]>,
        body: impl FnOnce(Quantized<'_>, [usize; MOST_SPANS]),
    ) {
        let mut firsts = [0; MOST_SPANS];
        let Some(index) = index else {
            for (first, span) in firsts.iter_mut().zip(spans) {
                *first = span.start;
            }
            return body(self, firsts);
        };
        let (stride, groups) = (self.stride, self.groups);
        CHOSEN.with_borrow_mut(|chosen| {
            let rows = spans.iter().map(|span| span.rows()).sum();
            chosen.resize(rows, stride, groups, !self.pairs.is_empty());
            let mut to = 0;
            for (first, span) in firsts.iter_mut().zip(spans) {
                *first = to;
                for &from in &index[span.start..span.end] {
                    let row = self.rows(from as usize..from as usize + 1);
                    chosen.values[to * stride..][..stride].copy_from_slice(row.values);
                    chosen.scales[to * groups..][..groups].copy_from_slice(row.scales);
                    chosen.corrections[to * groups..][..groups].copy_from_slice(row.corrections);
                    if !row.pairs.is_empty() {
                        chosen.pairs[to * stride / 2..][..stride / 2].copy_from_slice(row.pairs);
                    }
                    to += 1;
                }
            }
            body(chosen.view(stride, groups), firsts);
        });
    }
}

per_isa! {
    fn quantize_groups(values: &mut [i8], scales: &mut [f32], corrections: &mut [i32], x: &[f32], group: usize, zero: u8) {
        // Loops of a known length leave the compiler no remainder: half of the time in groups of 32.
        match group {
            32 => each_group(values, scales, corrections, x, 32, zero),
            64 => each_group(values, scales, corrections, x, 64, zero),
            128 => each_group(values, scales, corrections, x, 128, zero),
            _ => each_group(values, scales, corrections, x, group, zero),
        }
    }
}

#[inline(always)]
fn each_group(
    values: &mut [i8],
    scales: &mut [f32],
    corrections: &mut [i32],
    x: &[f32],
    group: usize,
    zero: u8,
) {
    let groups = x.chunks_exact(group).zip(values.chunks_exact_mut(group));
    for ((x, values), (scale, correction)) in groups.zip(scales.iter_mut().zip(corrections)) {
        let sum;
        (*scale, sum) = quantize_row_body(values, x);
        *correction = -i32::from(zero) * sum;
    }
}

per_isa! {
    /// Gives the sum of the products of neighbours.
    fn widen(pairs: &mut [i32], values: &[i8]) -> i32 {
        let mut products = 0;
        for (pairs, values) in pairs.chunks_exact_mut(2).zip(values.chunks_exact(4)) {
            let values = [0, 1, 2, 3].map(|at| i32::from(values[at]));
            pairs[0] = values[0] & 0xffff | values[2] << 16;
            pairs[1] = values[1] & 0xffff | values[3] << 16;
            products += values[0] * values[1] + values[2] * values[3];
        }
        products
    }
}
