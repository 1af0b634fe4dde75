//! A mixture's SwiGLU experts, each with its layers one after the other, so that what goes from one to the next is still in the L2.
//!
//! ```text
//! forward, for each piece of an expert's rows ... on any thread, the largest piece first
//!   gate_up = x·W_gate_upᵀ; inner = silu(gate)⊙up; out = inner·W_downᵀ
//! backward, for each piece
//!   for 256 of its rows at a time (BLOCK): d_inner = dy·W_down, in one place; d_gate_up = swiglu's gradient of that
//!   dW_down = dyᵀ·inner ......................... if the piece is a whole expert
//!   dx = d_gate_up·W_gate_up
//!   dW_gate_up = d_gate_upᵀ·x ................... likewise
//! for experts in several pieces: the gradients of their weights, cut for the threads
//! ```
//!
//! An expert is cut where it has so many rows that other threads would wait for it. 128 rows of 256 by 512 are 0.5 MB of `d_gate_up`,
//! which dx and dW read. The products are those of `matmul`, and so are the bits.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::ops::Range;

use super::grouped::{Product, check_offsets, grouped_matmul, multiply_all, rows_of, weight_gradient};
use super::pack::{Buffer, Strided};
use super::{LEAST_ROWS, parts};
use crate::activation::{swiglu, swiglu_rows, swiglu_rows_backward};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len, checked_product};
use crate::isa;

/// y = W_down·(silu(gate)⊙up) with [gate; up] = W_gate_up·x, for experts of which each has some rows. Shazeer 2020.
#[derive(Clone, Copy, Debug)]
pub struct Experts<'a> {
    /// [experts, 2·hidden, dim], the gate's rows first.
    pub gate_up: &'a [f32],
    /// [experts, dim, hidden].
    pub down: &'a [f32],
    /// Expert e has the rows from offsets[e] to offsets[e + 1].
    pub offsets: &'a [i32],
    pub dim: usize,
    pub hidden: usize,
}

/// What the backward pass writes; gradients that are not asked for are not computed.
#[derive(Debug)]
pub struct ExpertGradients<'a> {
    /// [rows, dim].
    pub x: Option<&'a mut [f32]>,
    /// As the weights; 0 for experts without rows.
    pub gate_up_weights: Option<&'a mut [f32]>,
    pub down_weights: Option<&'a mut [f32]>,
    /// [rows, 2·hidden], of what the forward pass kept: the others come from it.
    pub gate_up: &'a mut [f32],
}

/// Rows of which the gradient of `inner` is in the caches, at the same place for all of them: from the L3 its lines cost a tenth of the step.
const BLOCK: usize = 256;

thread_local! {
    static D_INNER: RefCell<Buffer> = RefCell::default();
}

/// Rows of an expert that a thread takes through all layers.
struct Piece {
    expert: usize,
    rows: Range<usize>,
    whole: bool,
}

impl Experts<'_> {
    /// out [rows, dim] from x [rows, dim]; `gate_up` [rows, 2·hidden] and `inner` [rows, hidden] are what the backward pass will read.
    pub fn forward(&self, out: &mut [f32], gate_up: &mut [f32], inner: &mut [f32], x: &[f32]) -> Result<()> {
        const OPERATION: &str = "swiglu_experts";
        let Self { dim, hidden, .. } = *self;
        let rows = self.check(OPERATION, x)?;
        check_len(OPERATION, "out", out.len(), x.len())?;
        check_len(OPERATION, "gate_up", gate_up.len(), checked_product(OPERATION, &[rows, 2, hidden])?)?;
        check_len(OPERATION, "inner", inner.len(), gate_up.len() / 2)?;
        if rows == 0 || hidden == 0 {
            out.fill(0.0);
            return Ok(());
        }
        let pieces = self.pieces(rows);
        if pieces.len() < crate::pool::threads() {
            // A product at a time has columns for all threads.
            grouped_matmul(gate_up, x, self.gate_up, self.offsets, 2 * hidden, dim, true)?;
            swiglu(inner, gate_up, rows, hidden)?;
            return grouped_matmul(out, inner, self.down, self.offsets, dim, hidden, true);
        }
        let isa = isa::current();
        let (out, gate_up, inner) = (Disjoint::new(out), Disjoint::new(gate_up), Disjoint::new(inner));
        crate::pool::run(pieces.len(), &|task| {
            let Piece { expert, rows, .. } = &pieces[task];
            let (w_gate_up, w_down) = self.weights_of(*expert);
            let w_gate_up = Strided::new(w_gate_up, dim, 2 * hidden, true);
            layer(rows, &x[places(rows, dim)], w_gate_up, 2 * hidden, dim).alone(isa, &gate_up);
            // SAFETY: pieces have rows of their own, and these are written by now.
            let gate_up = unsafe { gate_up.part(places(rows, 2 * hidden)) };
            // SAFETY: likewise, and no other part of them is alive.
            let inner = unsafe { inner.part(places(rows, hidden)) };
            swiglu_rows(isa, inner, gate_up, hidden);
            layer(rows, inner, Strided::new(w_down, hidden, dim, true), dim, hidden).alone(isa, &out);
        });
        Ok(())
    }

    /// Gradients from dy [rows, dim] and what the forward pass read and kept.
    pub fn backward(
        &self,
        gradients: ExpertGradients<'_>,
        dy: &[f32],
        x: &[f32],
        gate_up: &[f32],
        inner: &[f32],
    ) -> Result<()> {
        const OPERATION: &str = "swiglu_experts_backward";
        let Self { dim, hidden, .. } = *self;
        let rows = self.check(OPERATION, x)?;
        let ExpertGradients {
            x: dx,
            gate_up_weights: mut d_w_gate_up,
            down_weights: mut d_w_down,
            gate_up: d_gate_up,
        } = gradients;
        check_len(OPERATION, "dy", dy.len(), x.len())?;
        check_len(OPERATION, "gate_up", gate_up.len(), checked_product(OPERATION, &[rows, 2, hidden])?)?;
        check_len(OPERATION, "d_gate_up", d_gate_up.len(), gate_up.len())?;
        check_len(OPERATION, "inner", inner.len(), gate_up.len() / 2)?;
        for (name, gradient, size) in [
            ("dx", &dx, x.len()),
            ("gradients of gate_up's weights", &d_w_gate_up, self.gate_up.len()),
            ("gradients of down's weights", &d_w_down, self.down.len()),
        ] {
            if let Some(gradient) = gradient {
                check_len(OPERATION, name, gradient.len(), size)?;
            }
        }
        let experts = self.offsets.len() - 1;
        for weights in [&mut d_w_gate_up, &mut d_w_down].into_iter().flatten() {
            let size = weights.len() / experts.max(1);
            for expert in (0..experts).filter(|&expert| rows_of(self.offsets, expert).is_empty()) {
                weights[expert * size..(expert + 1) * size].fill(0.0);
            }
        }
        if rows == 0 || hidden == 0 {
            if let Some(dx) = dx {
                dx.fill(0.0);
            }
            return Ok(());
        }
        let isa = isa::current();
        let pieces = self.pieces(rows);
        {
            let (dx, d_gate_up) = (dx.map(Disjoint::new), Disjoint::new(&mut *d_gate_up));
            let d_w_gate_up = d_w_gate_up.as_deref_mut().map(Disjoint::new);
            let d_w_down = d_w_down.as_deref_mut().map(Disjoint::new);
            crate::pool::run(pieces.len(), &|task| {
                let Piece { expert, rows, whole } = &pieces[task];
                let (w_gate_up, w_down) = self.weights_of(*expert);
                let w_down = Strided::new(w_down, dim, hidden, false);
                for block in parts(rows.clone(), BLOCK) {
                    // SAFETY: pieces have rows of their own, and no other part of these is alive.
                    let slopes = unsafe { d_gate_up.part(places(&block, 2 * hidden)) };
                    D_INNER.with_borrow_mut(|buffer| {
                        let d_inner = buffer.first(block.len() * hidden);
                        let product = layer(&(0..block.len()), &dy[places(&block, dim)], w_down, hidden, dim);
                        product.alone(isa, &Disjoint::new(d_inner));
                        swiglu_rows_backward(
                            isa,
                            slopes,
                            d_inner,
                            &gate_up[places(&block, 2 * hidden)],
                            hidden,
                        );
                    });
                }
                // SAFETY: as above, and these are written by now.
                let slopes = unsafe { d_gate_up.part(places(rows, 2 * hidden)) };
                if let (Some(gradient), true) = (&d_w_down, whole) {
                    weight_gradient(*expert, rows, dy, inner, dim, hidden).alone(isa, gradient);
                }
                if let Some(dx) = &dx {
                    let w_gate_up = Strided::new(w_gate_up, 2 * hidden, dim, false);
                    layer(rows, slopes, w_gate_up, dim, 2 * hidden).alone(isa, dx);
                }
                if let (Some(gradient), true) = (&d_w_gate_up, whole) {
                    let x = &x[places(rows, dim)];
                    let product = weight_gradient(0, &(0..rows.len()), slopes, x, 2 * hidden, dim);
                    Product { first: expert * 2 * hidden * dim, ..product }.alone(isa, gradient);
                }
            });
        }
        let in_pieces: Vec<usize> = (0..experts)
            .filter(|&expert| pieces.iter().any(|piece| piece.expert == expert && !piece.whole))
            .collect();
        let gradients = [(d_w_down, dy, inner, dim, hidden), (d_w_gate_up, &*d_gate_up, x, 2 * hidden, dim)];
        for (weights, dy, x, n, k) in gradients {
            if let (Some(weights), false) = (weights, in_pieces.is_empty()) {
                let product =
                    |&expert: &usize| weight_gradient(expert, &rows_of(self.offsets, expert), dy, x, n, k);
                multiply_all(isa, weights, &in_pieces.iter().map(product).collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    /// The number of rows.
    fn check(&self, operation: &'static str, x: &[f32]) -> Result<usize> {
        let Self { gate_up, down, offsets, dim, hidden } = *self;
        let rows = x.len() / dim.max(1);
        check_offsets(operation, offsets, rows)?;
        let size = checked_product(operation, &[offsets.len() - 1, dim, hidden, 2])?;
        check_len(operation, "x", x.len(), rows * dim)?;
        check_len(operation, "weights of gate and up", gate_up.len(), size)?;
        check_len(operation, "weights of down", down.len(), size / 2)?;
        Ok(rows)
    }

    fn weights_of(&self, expert: usize) -> (&[f32], &[f32]) {
        let size = self.dim * self.hidden;
        (
            &self.gate_up[2 * expert * size..2 * (expert + 1) * size],
            &self.down[expert * size..(expert + 1) * size],
        )
    }

    /// The rows of all experts, the largest pieces first, so that no thread is left with a long one at the end.
    fn pieces(&self, rows: usize) -> Vec<Piece> {
        let threads = crate::pool::threads();
        // Two thirds of a share: pieces of more would come out unevenly where a thread needs two of them.
        let most = if threads == 1 { rows } else { rows * 2 / (3 * threads) }.max(LEAST_ROWS);
        let experts = 0..self.offsets.len() - 1;
        let pieces_of = |expert: usize| {
            let all = rows_of(self.offsets, expert);
            parts(all.clone(), most).map(move |rows| Piece { expert, whole: rows == all, rows })
        };
        let mut pieces: Vec<Piece> = experts.flat_map(pieces_of).collect();
        pieces.sort_by_key(|piece| Reverse(piece.rows.len()));
        if pieces.len() < threads {
            // Threads that find no piece take part in the gradients of the weights.
            for piece in &mut pieces {
                piece.whole = false;
            }
        }
        pieces
    }
}

/// Where such rows of a matrix with so many columns are.
fn places(rows: &Range<usize>, columns: usize) -> Range<usize> {
    rows.start * columns..rows.end * columns
}

/// The product of these rows' `x` [rows, k] with w [k, n], to their places in [all rows, n].
fn layer<'a>(rows: &Range<usize>, x: &'a [f32], w: Strided<'a>, n: usize, k: usize) -> Product<'a> {
    let (m, first) = (rows.len(), rows.start * n);
    Product { a: Strided::new(x, m, k, false), b: w, first, stride: n, m, n, k }
}
