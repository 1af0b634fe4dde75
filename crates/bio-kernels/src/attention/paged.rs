//! Causal attention of single query tokens over paged keys and values.
//!
//! Scores, their sum and the mix of values are taken in the order of positions, whatever page holds them, however the prompt was cut into
//! chunks and whoever else is in the batch: so a query has the same bits everywhere.

use std::cell::RefCell;
use std::ops::Range;

use super::{check_heads, weigh};
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::isa::{self, Isa, mul_add, per_isa};
use crate::math::axpy;

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

/// Keys and dimensions that one register holds.
const LANES: usize = 16;
/// Query tokens of one sequence that share a pass over its keys.
const TILE: usize = 16;

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch { scores: Vec::new(), keys: Vec::new() }) };
    static TILES: RefCell<Vec<Range<usize>>> = const { RefCell::new(Vec::new()) };
}

struct Scratch {
    /// [rows, positions]
    scores: Vec<f32>,
    /// One block of keys, [headDim, blockTokens up to a multiple of 16].
    keys: Vec<f32>,
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
    let isa = isa::current();
    let out = Disjoint::new(out);
    TILES.with_borrow_mut(|tiles| {
        cut_tiles(tiles, queries.sequences);
        crate::pool::run(tiles.len() * shape.kv_heads, &|task| {
            let (tokens, kv_head) = (tiles[task / shape.kv_heads].clone(), task % shape.kv_heads);
            let table =
                &queries.block_tables[queries.sequences[tokens.start] as usize * queries.max_blocks..];
            let pages = Pages { keys: key_pages, values: value_pages, table, kv_head, shape };
            SCRATCH.with_borrow_mut(|scratch| attend(isa, &out, q, tokens, &pages, &queries, scratch));
        });
    });
    Ok(())
}

/// Runs of neighbouring query tokens of one sequence, 16 at most.
fn cut_tiles(tiles: &mut Vec<Range<usize>>, sequences: &[i32]) {
    tiles.clear();
    for (t, sequence) in sequences.iter().enumerate() {
        match tiles.last_mut() {
            Some(tile) if sequences[tile.start] == *sequence && tile.len() < TILE => tile.end = t + 1,
            _ => tiles.push(t..t + 1),
        }
    }
}

struct Pages<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    table: &'a [i32],
    kv_head: usize,
    shape: PageShape,
}

impl Pages<'_> {
    /// Where the tokens of a block start, [blockTokens, headDim].
    fn start(&self, block: usize) -> usize {
        self.shape.at(self.table[block] as usize, self.kv_head, 0)
    }
}

/// Some query tokens of one sequence against one key head: each block of keys is turned once and meets all rows.
fn attend(
    isa: Isa,
    out: &Disjoint<'_, f32>,
    q: &[f32],
    tokens: Range<usize>,
    pages: &Pages<'_>,
    queries: &PagedQueries<'_>,
    scratch: &mut Scratch,
) {
    let PageShape { head_dim, block_tokens, kv_heads } = pages.shape;
    let group = queries.heads / kv_heads;
    let width = block_tokens.next_multiple_of(LANES);
    let seen = |t: usize| queries.positions[t] as usize + 1;
    let longest = tokens.clone().map(seen).max().unwrap_or(0);
    let blocks = longest.div_ceil(block_tokens);
    let Scratch { scores, keys } = scratch;
    scores.resize(tokens.len() * group * longest, 0.0);
    keys.resize(head_dim * width, 0.0);
    // Row r is head r % group of token r / group.
    let row_of = |t: usize, h: usize| (t * queries.heads + pages.kv_head * group + h) * head_dim;
    for block in 0..blocks {
        let first = block * block_tokens;
        let length = block_tokens.min(longest - first);
        turn_keys(keys, &pages.keys[pages.start(block)..][..length * head_dim], head_dim, width);
        for (r, row) in scores.chunks_exact_mut(longest).enumerate() {
            let t = tokens.start + r / group;
            let length = block_tokens.min(seen(t).saturating_sub(first));
            if length > 0 {
                let q = &q[row_of(t, r % group)..][..head_dim];
                score_block(isa, &mut row[first..first + length], q, keys, width, queries.scale);
            }
        }
    }
    for (r, row) in scores.chunks_exact_mut(longest).enumerate() {
        let t = tokens.start + r / group;
        weigh(isa, &mut row[..seen(t)]);
        let at = row_of(t, r % group);
        // SAFETY: each (token, head) belongs to one task.
        let out = unsafe { out.part(at..at + head_dim) };
        out.fill(0.0);
        for block in 0..seen(t).div_ceil(block_tokens) {
            let first = block * block_tokens;
            let weights = &row[first..seen(t).min(first + block_tokens)];
            mix_block(isa, out, weights, &pages.values[pages.start(block)..][..weights.len() * head_dim]);
        }
    }
}

/// [tokens, headDim] to [headDim, width].
fn turn_keys(turned: &mut [f32], keys: &[f32], head_dim: usize, width: usize) {
    for (s, key) in keys.chunks_exact(head_dim).enumerate() {
        for (d, value) in key.iter().enumerate() {
            turned[d * width + s] = *value;
        }
    }
}

per_isa! {
    /// Sixteen keys at a time, each score one chain over the dimensions.
    fn score_block(scores: &mut [f32], q: &[f32], keys: &[f32], width: usize, scale: f32) {
        for (part, scores) in scores.chunks_mut(LANES).enumerate() {
            let mut sums = [0.0f32; LANES];
            for (q, keys) in q.iter().zip(keys[part * LANES..].chunks(width)) {
                let keys: &[f32; LANES] = keys[..LANES].try_into().expect("a whole register");
                for i in 0..LANES {
                    sums[i] = mul_add::<FMA>(*q, keys[i], sums[i]);
                }
            }
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score = sum * scale;
            }
        }
    }
}

per_isa! {
    /// out += Σ_s weights[s]·v_s, sixteen dimensions at a time, each one chain over the positions.
    fn mix_block(out: &mut [f32], weights: &[f32], values: &[f32]) {
        let head_dim = out.len();
        for (part, out) in out.chunks_mut(LANES).enumerate() {
            let rows = values[part * LANES..].chunks(head_dim).zip(weights);
            if let Ok(out) = <&mut [f32; LANES]>::try_from(&mut *out) {
                let mut sums = *out;
                for (row, weight) in rows {
                    let row: &[f32; LANES] = row[..LANES].try_into().expect("a whole register");
                    for i in 0..LANES {
                        sums[i] = mul_add::<FMA>(*weight, row[i], sums[i]);
                    }
                }
                *out = sums;
            } else {
                for (row, weight) in rows {
                    axpy::<FMA>(out, *weight, &row[..out.len()]);
                }
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
