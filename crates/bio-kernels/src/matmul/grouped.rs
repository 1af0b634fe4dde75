//! One product per expert, over rows sorted by expert.

use std::ops::Range;

use super::{Cut, Strided, Target, multiply};
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
                cut: Cut::new(rows.len(), n, k),
                first: rows.start * n,
                n,
                k,
            }
        })
        .collect();
    multiply_all(isa, out, &experts);
    Ok(())
}

/// One expert's product: op(a)·op(b) at `first` of the output.
struct Product<'a> {
    a: Strided<'a>,
    b: Strided<'a>,
    cut: Cut,
    first: usize,
    n: usize,
    k: usize,
}

/// All products in one region, so that a busy expert uses every thread.
fn multiply_all(isa: Isa, out: &mut [f32], products: &[Product<'_>]) {
    // The tasks of product e end before ends[e].
    let ends: Vec<usize> = products
        .iter()
        .scan(0, |total, product| {
            *total += product.cut.tasks();
            Some(*total)
        })
        .collect();
    let out = Disjoint::new(out);
    crate::pool::run(ends.last().copied().unwrap_or(0), &|task| {
        let at = ends.partition_point(|&end| end <= task);
        let Product { a, b, cut, first, n, k } = &products[at];
        let (rows, columns) = cut.of(task - if at == 0 { 0 } else { ends[at - 1] });
        let out = Target { values: &out, first: *first, stride: *n };
        multiply(isa, out, *a, *b, *n, rows, columns, *k, false);
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
    let products: Vec<Product<'_>> = (0..experts)
        .map(|expert| {
            let rows = rows_of(offsets, expert);
            Product {
                a: Strided::new(&dy[rows.start * n..rows.end * n], n, rows.len(), true),
                b: Strided::new(&x[rows.start * k..rows.end * k], rows.len(), k, false),
                cut: Cut::new(n, k, rows.len()),
                first: expert * size,
                n: k,
                k: rows.len(),
            }
        })
        .collect();
    multiply_all(isa::current(), out, &products);
    Ok(())
}
