//! One product per expert, over rows sorted by expert.

use std::ops::Range;

use super::{
    Blocks, Columns, MatmulShape, PANEL, PANELS, Strided, Target, matmul, multiply_block, pack, panels,
};
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_len, checked_product};
use crate::isa;

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
    let isa = isa::current();
    let size = panels(n) * k * PANEL;
    out.fill(0.0);
    PANELS.with_borrow_mut(|packed| {
        packed.resize(experts * size, 0.0);
        pack_experts(packed, weights, offsets, n, k, transpose_weights);
        // One region for all experts: the tasks of expert e are tasks[e]…tasks[e + 1], so that a busy one uses every thread.
        let blocks: Vec<Blocks> =
            (0..experts).map(|expert| Blocks::new(rows_of(offsets, expert).len(), n, k)).collect();
        let mut ends = Vec::with_capacity(experts);
        let mut total = 0;
        for blocks in &blocks {
            total += blocks.tasks();
            ends.push(total);
        }
        let out = Disjoint::new(out);
        let out = Target { values: &out, first: 0, stride: n };
        crate::pool::run(total, &|task| {
            let expert = ends.partition_point(|&end| end <= task);
            let first = if expert == 0 { 0 } else { ends[expert - 1] };
            let (block, columns) = blocks[expert].of(task - first);
            let start = offsets[expert] as usize;
            let a = Strided::new(x, rows, k, false);
            let b = Columns { panels: &packed[expert * size..][..size], n, depth: k, first: 0 };
            multiply_block(isa, out, a, b, start + block.start..start + block.end, columns, k);
        });
    });
    Ok(())
}

/// Panels of the experts that have rows; the others keep what was there.
fn pack_experts(packed: &mut [f32], weights: &[f32], offsets: &[i32], n: usize, k: usize, transposed: bool) {
    let count = panels(n);
    let size = k * PANEL;
    let packed = Disjoint::new(packed);
    crate::pool::run((offsets.len() - 1) * count, &|task| {
        let (expert, panel) = (task / count, task % count);
        if !rows_of(offsets, expert).is_empty() {
            let b = Strided::new(&weights[expert * n * k..][..n * k], k, n, transposed);
            // SAFETY: each panel is its own task.
            pack::pack_panel(unsafe { packed.part(task * size..(task + 1) * size) }, b, k, panel, n);
        }
    });
}

/// out[e] [n, k] += dyᵀ·x over the rows of expert e.
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
    for (expert, out) in out.chunks_exact_mut(size.max(1)).enumerate() {
        let range = rows_of(offsets, expert);
        let (dy, x) = (&dy[range.start * n..range.end * n], &x[range.start * k..range.end * k]);
        let shape = MatmulShape {
            m: n,
            n: k,
            k: range.len(),
            transpose_a: true,
            transpose_b: false,
            accumulate: true,
        };
        matmul(out, dy, x, shape)?;
    }
    Ok(())
}
