//! Causal attention of single query tokens over paged keys and values, in f32, bf16 or int8.
//!
//! Positions are taken in spans of 256 and in order, whatever page holds them, however the prompt was cut into chunks and whoever else is
//! in the batch: so a query has the same bits everywhere.

mod ahead;
mod floats;
mod int8;
mod pages;
mod softmax;
mod tile;

use std::cell::RefCell;
use std::ops::Range;

use self::pages::{PADDING, SPAN};
use self::softmax::state_size;
use self::tile::Tile;
use super::check_heads;
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::isa;

pub use self::pages::PageValue;

/// Pages are [blocks, kvHeads, a head's tokens and dimensions]: see `pages.rs`.
#[derive(Clone, Copy, Debug)]
pub struct PageShape {
    pub kv_heads: usize,
    pub head_dim: usize,
    pub block_tokens: usize,
}

impl PageShape {
    /// Values of a block, all heads.
    fn block_values<P: PageValue>(&self, operation: &'static str) -> Result<usize> {
        let row = self.head_dim.saturating_add(P::SCALE_VALUES);
        let size = checked_product(operation, &[self.kv_heads, row, self.block_tokens])?;
        if size > 0 && self.head_dim > 0 {
            return Ok(size);
        }
        Err(KernelError {
            code: "ERR_BIO_SHAPE",
            operation,
            expected: "pages with heads, dimensions and tokens".into(),
            received: format!("{self:?}"),
        })
    }

    /// Where a head of a block is.
    fn head_range<P: PageValue>(&self, block: usize, head: usize) -> Range<usize> {
        let size = self.block_tokens * (self.head_dim + P::SCALE_VALUES);
        let start = (block * self.kv_heads + head) * size;
        start..start + size
    }

    /// Where a token's values are in a head of them: the first, and the step from each to the next.
    fn values_of<P: PageValue>(&self, token: usize) -> (usize, usize) {
        let within = token % P::POSITIONS_PER_WORD;
        let first = token - within;
        (first * self.head_dim + within, P::POSITIONS_PER_WORD.min(self.block_tokens - first))
    }

    fn head<'a, P: PageValue>(&self, pages: &'a [P], block: usize, head: usize) -> &'a [P] {
        &pages[self.head_range::<P>(block, head)]
    }
}

/// What pages hold: keys and values lie differently in their blocks (`pages.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageContent {
    Keys,
    Values,
}

/// Stores rows [tokens, kvHeads, headDim] in their slots, slot = block·blockTokens + offset, in the pages' number format.
pub fn paged_write<P: PageValue>(
    pages: &mut [P],
    rows: &[f32],
    slots: &[i32],
    shape: PageShape,
    content: PageContent,
) -> Result<()> {
    let block_values = shape.block_values::<P>("paged_write")?;
    let width = shape.kv_heads * shape.head_dim;
    check_len("paged_write", "rows", rows.len(), checked_product("paged_write", &[slots.len(), width])?)?;
    check_indices("paged_write", "slots", slots, pages.len() / block_values * shape.block_tokens)?;
    let isa = isa::current();
    let PageShape { head_dim, block_tokens, .. } = shape;
    P::scratch().with_borrow_mut(|scratch| {
        let rounded = scratch.row(head_dim);
        for (row, &slot) in rows.chunks_exact(width).zip(slots) {
            let (block, token) = (slot as usize / block_tokens, slot as usize % block_tokens);
            for (head, row) in row.chunks_exact(head_dim).enumerate() {
                let head = &mut pages[shape.head_range::<P>(block, head)];
                let scale = P::round_row(isa, rounded, row);
                match content {
                    PageContent::Values => match shape.values_of::<P>(token) {
                        (first, 1) => head[first..][..head_dim].copy_from_slice(rounded),
                        (first, step) => {
                            let places = head[first..].iter_mut().step_by(step);
                            places.zip(&*rounded).for_each(|(to, value)| *to = *value);
                        }
                    },
                    PageContent::Keys => {
                        P::raise_key(rounded);
                        let words = head[..block_tokens * head_dim].chunks_mut(block_tokens * P::PER_WORD);
                        for (words, word) in words.zip(rounded.chunks(P::PER_WORD)) {
                            words[token * word.len()..][..word.len()].copy_from_slice(word);
                        }
                    }
                }
                P::write_scale(head, token, scale, shape);
            }
        }
    });
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

/// Rows of queries that share a pass over keys, if one token's group is not larger.
const ROWS: usize = 64;
/// Bytes of a block that are read in one go at least, by as many of its key heads as that takes: shorter runs leave memory waiting (NOTES.md).
const RUN: usize = 32768;
/// With fewer tasks per thread than this, spans become tasks of their own.
const TASKS_PER_THREAD: usize = 4;

thread_local! {
    static CALL: RefCell<Call> = RefCell::new(Call::default());
}

/// One call's memory.
#[derive(Default)]
struct Call {
    tiles: Vec<Range<usize>>,
    /// Where spans are tasks: [tasks, spans, rows, state].
    states: Vec<f32>,
}

/// out, q [tokens, heads, headDim].
///
/// ```text
/// tile of query tokens of one sequence × some key heads      a task, or, where those are few,
///   span of 256 positions                                     some spans a task
///     four blocks of keys, key head by key head               scores
///     exponentials of the span
///     four blocks of values, key head by key head             weighed sums
///   merge the span into those before it, first to last
/// ```
///
/// The next four blocks are fetched while four are computed, and while exponentials are taken (`ahead.rs`). Dao et al. 2022, with spans of fixed length, since a row's sums may
/// depend on its own positions alone.
pub fn paged_attention<P: PageValue>(
    out: &mut [f32],
    q: &[f32],
    key_pages: &[P],
    value_pages: &[P],
    queries: PagedQueries<'_>,
    shape: PageShape,
) -> Result<()> {
    check(out, q, key_pages, value_pages, &queries, &shape)?;
    // No tokens, and a block may be larger than memory; no heads, and there are no groups of them.
    if out.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    let group = queries.heads / shape.kv_heads;
    let size = state_size(shape.head_dim.next_multiple_of(PADDING));
    let out = Disjoint::new(out);
    CALL.with_borrow_mut(|Call { tiles, states }| {
        let longest_tile = (ROWS / group).max(1);
        cut_tiles(tiles, queries.sequences, longest_tile);
        // Several tokens share what is read: then the rows of one key head are enough for one task.
        let heads = if tiles.iter().all(|tile| tile.len() == 1) {
            RUN.div_ceil(size_of::<P>() * shape.head_range::<P>(0, 0).len()).min(shape.kv_heads)
        } else {
            1
        };
        let parts_of_heads = shape.kv_heads.div_ceil(heads);
        let tile = |task: usize| {
            let first = task % parts_of_heads * heads;
            Tile {
                isa,
                q,
                key_pages,
                value_pages,
                queries: &queries,
                shape,
                group,
                tokens: tiles[task / parts_of_heads].clone(),
                kv_heads: first..(first + heads).min(shape.kv_heads),
            }
        };
        let tasks = tiles.len() * parts_of_heads;
        let spans = queries.positions.iter().map(|&position| position as usize / SPAN + 1).max().unwrap_or(0);
        let enough = TASKS_PER_THREAD * crate::pool::threads();
        if spans <= 1 || tasks >= enough || crate::pool::threads() == 1 {
            crate::pool::run(tasks, &|task| tile(task).attend_all(&out));
            return;
        }
        let rows = longest_tile.min(queries.positions.len()) * group * heads;
        states.resize(tasks * spans * rows * size, 0.0);
        let shared = Disjoint::new(states);
        let of_span = |task: usize, span: usize, rows_of: usize| {
            let start = (task * spans + span) * rows * size;
            start..start + rows_of * size
        };
        // Neighbouring spans in one task: the next one's keys are fetched at the end of one.
        let spans_per_part = spans.div_ceil(enough.div_ceil(tasks));
        let parts = spans.div_ceil(spans_per_part);
        crate::pool::run(tasks * parts, &|index| {
            let (task, part) = (index / parts, index % parts);
            let tile = tile(task);
            let first = part * spans_per_part;
            tile.attend_spans(first..(first + spans_per_part).min(tile.spans()), |span| {
                // SAFETY: each span of each tile has its own part.
                unsafe { shared.part(of_span(task, span, tile.rows())) }
            });
        });
        crate::pool::run(tasks, &|task| {
            let tile = tile(task);
            tile.merge_spans(&out, |span| {
                // SAFETY: written in the region before; no other task has this tile now.
                unsafe { shared.part(of_span(task, span, tile.rows())) }
            });
        });
    });
    Ok(())
}

/// Runs of neighbouring query tokens of one sequence, `longest` at most.
fn cut_tiles(tiles: &mut Vec<Range<usize>>, sequences: &[i32], longest: usize) {
    tiles.clear();
    for (t, sequence) in sequences.iter().enumerate() {
        match tiles.last_mut() {
            Some(tile) if sequences[tile.start] == *sequence && tile.len() < longest => tile.end = t + 1,
            _ => tiles.push(t..t + 1),
        }
    }
}

fn check<P: PageValue>(
    out: &[f32],
    q: &[f32],
    key_pages: &[P],
    value_pages: &[P],
    queries: &PagedQueries<'_>,
    shape: &PageShape,
) -> Result<()> {
    const OPERATION: &str = "paged_attention";
    let block_values = shape.block_values::<P>(OPERATION)?;
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
