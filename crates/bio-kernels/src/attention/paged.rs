//! Causal attention of single query tokens over paged keys and values.
//!
//! Scores, their sum and the mix of values are taken in the order of positions, whatever page holds them, however the prompt was cut into
//! chunks and whoever else is in the batch: so a query has the same bits everywhere.

use std::cell::RefCell;

use super::check_heads;
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::isa::{self, Isa, per_isa};
use crate::math::{axpy, dot, exp, max_of, sum_of};

/// Pages are [blocks, kvHeads, blockTokens, headDim].
#[derive(Clone, Copy, Debug)]
pub struct PageShape {
    pub kv_heads: usize,
    pub head_dim: usize,
    pub block_tokens: usize,
}

impl PageShape {
    fn block_values(&self, operation: &'static str) -> Result<usize> {
        let size = checked_product(operation, &[self.kv_heads, self.head_dim, self.block_tokens])?;
        if size > 0 {
            return Ok(size);
        }
        Err(KernelError {
            code: "ERR_BIO_SHAPE",
            operation,
            expected: "pages with heads, dimensions and tokens".into(),
            received: format!("{self:?}"),
        })
    }

    /// Where a token's head starts.
    fn at(&self, block: usize, head: usize, offset: usize) -> usize {
        ((block * self.kv_heads + head) * self.block_tokens + offset) * self.head_dim
    }
}

/// Copies rows [tokens, kvHeads, headDim] to their slots, slot = block·blockTokens + offset.
pub fn paged_write(pages: &mut [f32], rows: &[f32], slots: &[i32], shape: PageShape) -> Result<()> {
    let block_values = shape.block_values("paged_write")?;
    let width = shape.kv_heads * shape.head_dim;
    check_len("paged_write", "rows", rows.len(), checked_product("paged_write", &[slots.len(), width])?)?;
    check_indices("paged_write", "slots", slots, pages.len() / block_values * shape.block_tokens)?;
    for (row, &slot) in rows.chunks_exact(width).zip(slots) {
        let (block, offset) = (slot as usize / shape.block_tokens, slot as usize % shape.block_tokens);
        for (head, values) in row.chunks_exact(shape.head_dim).enumerate() {
            pages[shape.at(block, head, offset)..][..shape.head_dim].copy_from_slice(values);
        }
    }
    Ok(())
}

/// Query token t belongs to row `sequences[t]` of the block tables and sees positions 0 to `positions[t]`.
#[derive(Clone, Copy, Debug)]
pub struct PagedQueries<'a> {
    pub heads: usize,
    pub sequences: &'a [i32],
    pub positions: &'a [i32],
    /// [sequences, maxBlocks]
    pub block_tables: &'a [i32],
    pub max_blocks: usize,
    pub scale: f32,
}

thread_local! {
    /// Scores [group, positions] of one query token and key head.
    static SCORES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// out, q [tokens, heads, headDim].
pub fn paged_attention(
    out: &mut [f32],
    q: &[f32],
    key_pages: &[f32],
    value_pages: &[f32],
    queries: PagedQueries<'_>,
    shape: PageShape,
) -> Result<()> {
    check(out, q, key_pages, value_pages, &queries, &shape)?;
    let PagedQueries { heads, sequences, positions, block_tables, max_blocks, scale } = queries;
    let isa = isa::current();
    let group = heads / shape.kv_heads;
    let width = group * shape.head_dim;
    let out = Disjoint::new(out);
    crate::pool::run(positions.len() * shape.kv_heads, &|task| {
        let (t, kv_head) = (task / shape.kv_heads, task % shape.kv_heads);
        let table = &block_tables[sequences[t] as usize * max_blocks..][..max_blocks];
        let row = (t * heads + kv_head * group) * shape.head_dim;
        // SAFETY: each (token, key head) has rows of its own.
        let out = unsafe { out.part(row..row + width) };
        let pages = Pages { keys: key_pages, values: value_pages, table, kv_head, shape };
        attend(isa, out, &q[row..row + width], &pages, positions[t] as usize + 1, scale);
    });
    Ok(())
}

struct Pages<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    table: &'a [i32],
    kv_head: usize,
    shape: PageShape,
}

impl Pages<'_> {
    /// The tokens of the block that holds positions from `block`·blockTokens on, as [tokens, headDim] inside the pages.
    fn range(&self, block: usize, seen: usize) -> std::ops::Range<usize> {
        let start = self.shape.at(self.table[block] as usize, self.kv_head, 0);
        start
            ..start
                + (seen - block * self.shape.block_tokens).min(self.shape.block_tokens) * self.shape.head_dim
    }
}

/// All query heads of one key head together: every key and value is loaded once.
fn attend(isa: Isa, out: &mut [f32], q: &[f32], pages: &Pages<'_>, seen: usize, scale: f32) {
    let head_dim = pages.shape.head_dim;
    let blocks = seen.div_ceil(pages.shape.block_tokens);
    SCORES.with_borrow_mut(|scores| {
        scores.resize(q.len() / head_dim * seen, 0.0);
        for block in 0..blocks {
            let keys = &pages.keys[pages.range(block, seen)];
            score_block(isa, scores, q, keys, block * pages.shape.block_tokens, seen, head_dim, scale);
        }
        for row in scores.chunks_exact_mut(seen) {
            weigh(isa, row);
        }
        out.fill(0.0);
        for block in 0..blocks {
            let values = &pages.values[pages.range(block, seen)];
            mix_block(isa, out, scores, values, block * pages.shape.block_tokens, seen, head_dim);
        }
    });
}

per_isa! {
    fn score_block(scores: &mut [f32], q: &[f32], keys: &[f32], first: usize, seen: usize, head_dim: usize, scale: f32) {
        for (s, key) in keys.chunks_exact(head_dim).enumerate() {
            for (h, q) in q.chunks_exact(head_dim).enumerate() {
                scores[h * seen + first + s] = dot::<FMA>(q, key) * scale;
            }
        }
    }
}

per_isa! {
    fn weigh(scores: &mut [f32]) {
        let high = max_of(scores);
        for score in scores.iter_mut() {
            *score = exp::<FMA>(*score - high);
        }
        let total = sum_of(scores, |score| score);
        for score in scores.iter_mut() {
            *score /= total;
        }
    }
}

per_isa! {
    fn mix_block(out: &mut [f32], scores: &[f32], values: &[f32], first: usize, seen: usize, head_dim: usize) {
        for (h, out) in out.chunks_exact_mut(head_dim).enumerate() {
            for (s, value) in values.chunks_exact(head_dim).enumerate() {
                axpy::<FMA>(out, scores[h * seen + first + s], value);
            }
        }
    }
}

fn check(
    out: &[f32],
    q: &[f32],
    key_pages: &[f32],
    value_pages: &[f32],
    queries: &PagedQueries<'_>,
    shape: &PageShape,
) -> Result<()> {
    const OPERATION: &str = "paged_attention";
    let block_values = shape.block_values(OPERATION)?;
    check_heads(OPERATION, queries.heads, shape.kv_heads)?;
    let tokens = queries.positions.len();
    let size = checked_product(OPERATION, &[tokens, queries.heads, shape.head_dim])?;
    check_len(OPERATION, "out", out.len(), size)?;
    check_len(OPERATION, "q", q.len(), size)?;
    check_len(OPERATION, "sequences", queries.sequences.len(), tokens)?;
    check_len(OPERATION, "value_pages", value_pages.len(), key_pages.len())?;
    let tables = queries.block_tables.len() / queries.max_blocks.max(1);
    check_indices(OPERATION, "sequences", queries.sequences, tables)?;
    let limit = checked_product(OPERATION, &[queries.max_blocks, shape.block_tokens])?;
    check_indices(OPERATION, "positions", queries.positions, limit)?;
    for (&sequence, &position) in queries.sequences.iter().zip(queries.positions) {
        let used = position as usize / shape.block_tokens + 1;
        let table = &queries.block_tables[sequence as usize * queries.max_blocks..][..used];
        check_indices(OPERATION, "block_tables", table, key_pages.len() / block_values)?;
    }
    Ok(())
}
