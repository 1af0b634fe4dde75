//! One product per expert, over rows sorted by expert.

use std::ops::Range;

use super::{Cut, Strided, Target, multiply, panels};
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_len, checked_product};
use crate::isa::{self, Isa};

/// Row ranges of the experts: `offsets` must start at 0, never decrease, and end at `rows`.
pub(crate) fn check_offsets(operation: &'static str, offsets: &[i32], rows: usize) -> Result<()> {
    let ordered = offsets.first() == Some(&0) && offsets.is_sorted();
    if ordered && offsets.last().is_some_and(|&last| last as usize == rows) {
        return Ok(());
    }
    Err(KernelError {
        code: "ERR_BIO_INDEX",
        operation,
        expected: format!("offsets that start at 0, never decrease and end at {rows}"),
        received: format!("{offsets:?}"),
    })
}

pub(crate) fn rows_of(offsets: &[i32], expert: usize) -> Range<usize> {
    offsets[expert] as usize..offsets[expert + 1] as usize
}

/// out[r] [n] = op(weights[e])·x[r]; weights [experts, n, k] if `transpose_weights`, else [experts, k, n].
pub fn grouped_matmul(
    out: &mut [f32],
    x: &[f32],
    weights: &[f32],
    offsets: &[i32],
    n: usize,
    k: usize,
    transpose_weights: bool,
) -> Result<()> {
    let rows = x.len() / k.max(1);
    let experts = offsets.len().saturating_sub(1);
    check_offsets("grouped_matmul", offsets, rows)?;
    check_len("grouped_matmul", "x", x.len(), checked_product("grouped_matmul", &[rows, k])?)?;
    check_len("grouped_matmul", "out", out.len(), checked_product("grouped_matmul", &[rows, n])?)?;
    check_len(
        "grouped_matmul",
        "weights",
        weights.len(),
        checked_product("grouped_matmul", &[experts, n, k])?,
    )?;
    if out.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    if k == 0 {
        out.fill(0.0);
    }
    let experts: Vec<Product<'_>> = (0..experts)
        .map(|expert| {
            let rows = rows_of(offsets, expert);
            let weights = &weights[expert * n * k..(expert + 1) * n * k];
            Product {
                a: Strided::new(&x[rows.start * k..rows.end * k], rows.len(), k, false),
                b: Strided::new(weights, k, n, transpose_weights),
                first: rows.start * n,
                stride: n,
                m: rows.len(),
                n,
                k,
            }
        })
        .collect();
    multiply_all(isa, out, &experts);
    Ok(())
}

/// One expert's product: op(a) [m, k]·op(b) [k, n], whose rows start at `first` of the output and are `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub a: Strided<'a>,
    pub b: Strided<'a>,
    pub first: usize,
    pub stride: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl Product<'_> {
    /// The whole of it on this thread.
    pub fn alone(self, isa: Isa, out: &Disjoint<'_, f32>) {
        self.part(isa, out, 0..self.m, 0..panels(self.n));
    }

    fn part(self, isa: Isa, out: &Disjoint<'_, f32>, rows: Range<usize>, columns: Range<usize>) {
        let Self { a, b, first, stride, n, k, .. } = self;
        multiply(isa, Target { values: out, first, stride }, a, b, n, rows, columns, k, false);
    }
}

/// dW [n, k] = dyᵀ·x of an expert with these rows.
pub(super) fn weight_gradient<'a>(
    expert: usize,
    rows: &Range<usize>,
    dy: &'a [f32],
    x: &'a [f32],
    n: usize,
    k: usize,
) -> Product<'a> {
    let (dy, x) = (&dy[rows.start * n..rows.end * n], &x[rows.start * k..rows.end * k]);
    Product {
        a: Strided::new(dy, n, rows.len(), true),
        b: Strided::new(x, rows.len(), k, false),
        first: expert * n * k,
        stride: k,
        m: n,
        n: k,
        k: rows.len(),
    }
}

/// All products in one region, so that a busy expert uses every thread.
pub(super) fn multiply_all(isa: Isa, out: &mut [f32], products: &[Product<'_>]) {
    let cuts: Vec<Cut> = products.iter().map(|product| Cut::new(product.m, product.n, product.k)).collect();
    // The tasks of product e end before ends[e].
    let ends: Vec<usize> = cuts
        .iter()
        .scan(0, |total, cut| {
            *total += cut.tasks();
            Some(*total)
        })
        .collect();
    let out = Disjoint::new(out);
    crate::pool::run(ends.last().copied().unwrap_or(0), &|task| {
        let at = ends.partition_point(|&end| end <= task);
        let (rows, columns) = cuts[at].of(task - if at == 0 { 0 } else { ends[at - 1] });
        products[at].part(isa, &out, rows, columns);
    });
}

/// out[e] [n, k] = dyᵀ·x over the rows of expert e; 0 without rows.
pub fn grouped_weight_gradient(
    out: &mut [f32],
    dy: &[f32],
    x: &[f32],
    offsets: &[i32],
    n: usize,
    k: usize,
) -> Result<()> {
    let rows = x.len() / k.max(1);
    let experts = offsets.len().saturating_sub(1);
    check_offsets("grouped_weight_gradient", offsets, rows)?;
    check_len(
        "grouped_weight_gradient",
        "x",
        x.len(),
        checked_product("grouped_weight_gradient", &[rows, k])?,
    )?;
    check_len(
        "grouped_weight_gradient",
        "dy",
        dy.len(),
        checked_product("grouped_weight_gradient", &[rows, n])?,
    )?;
    let size = checked_product("grouped_weight_gradient", &[n, k])?;
    check_len(
        "grouped_weight_gradient",
        "out",
        out.len(),
        checked_product("grouped_weight_gradient", &[experts, size])?,
    )?;
    if out.is_empty() {
        return Ok(());
    }
    for expert in 0..experts {
        if rows_of(offsets, expert).is_empty() {
            out[expert * size..(expert + 1) * size].fill(0.0);
        }
    }
    let products: Vec<Product<'_>> =
        (0..experts).map(|expert| weight_gradient(expert, &rows_of(offsets, expert), dy, x, n, k)).collect();
    multiply_all(isa::current(), out, &products);
    Ok(())
}
