//! Attention for training, and over paged keys and values with any tables, slots and positions.
#![no_main]

use bio_kernels::attention::{
    AttentionShape, PageContent, PageShape, PageValue, PagedQueries, attention, attention_backward,
    paged_attention, paged_write,
};
use bio_kernels::rotary::{Rotary, rotary};
use bio_kernels_fuzz::{Draw, check, fuzz_target};

/// A refused write changes nothing, in any format.
fn write<P: PageValue + PartialEq>(
    mut pages: Vec<P>,
    rows: &[f32],
    slots: &[i32],
    shape: PageShape,
    content: PageContent,
) {
    let before = pages.clone();
    let result = paged_write(&mut pages, rows, slots, shape, content);
    assert!(result.is_ok() || pages == before, "written before refused");
    check(result, &[]);
}

fn as_bf16(values: &[f32]) -> Vec<u16> {
    values.iter().map(|value| (value.to_bits() >> 16) as u16).collect()
}

/// Scales among them are any four bytes.
fn as_int8(values: &[f32]) -> Vec<i8> {
    values.iter().map(|value| (value * 16.0) as i8).collect()
}

fuzz_target!(|bytes: &[u8]| {
    Draw::run(bytes, |draw| {
        let kv_heads = draw.size()?;
        let heads = if draw.0.ratio(1u8, 16u8)? {
            draw.size()?
        } else {
            kv_heads.saturating_mul(1 + draw.size()? % 3)
        };
        let (head_dim, batch, length) = (draw.size()?, draw.size()? % 5, draw.size()?);
        let (causal, scale) = (draw.flag()?, 0.25);
        let (query, key) = ([batch, length, heads, head_dim], [batch, length, kv_heads, head_dim]);
        let (q, k, v) = (draw.floats(&query)?, draw.floats(&key)?, draw.floats(&key)?);
        let (mut out, mut sums) = (draw.output(&query)?, draw.output(&[batch, length, heads])?);
        let shape = AttentionShape { batch, length, heads, kv_heads, head_dim, causal, scale };
        check(attention(&mut out, &mut sums, &q, &k, &v, shape), &[&out, &sums]);

        let d_out = draw.floats(&query)?;
        let (mut dq, mut dk, mut dv) = (draw.output(&query)?, draw.output(&key)?, draw.output(&key)?);
        check(
            attention_backward(&mut dq, &mut dk, &mut dv, &d_out, &q, &k, &v, &out, &sums, shape),
            &[&dq, &dk, &dv],
        );

        let (tokens, blocks, block_tokens, max_blocks) =
            (draw.size()?, draw.size()?, draw.size()?, draw.size()?);
        let shape = PageShape { kv_heads, head_dim, block_tokens };
        let format = draw.0.int_in_range(0u8..=2)?;
        let scale_values = if format == 2 { i8::SCALE_VALUES } else { 0 };
        let pages = [blocks, kv_heads, block_tokens, head_dim.saturating_add(scale_values)];
        let (written, rows) = (draw.output(&pages)?, draw.floats(&[tokens, kv_heads, head_dim])?);
        let slots = draw.indices(&[tokens], blocks.saturating_mul(block_tokens))?;
        let content = if draw.flag()? { PageContent::Keys } else { PageContent::Values };
        match format {
            0 => write(written, &rows, &slots, shape, content),
            1 => write(as_bf16(&written), &rows, &slots, shape, content),
            _ => write(as_int8(&written), &rows, &slots, shape, content),
        }

        let (keys, values) = (draw.floats(&pages)?, draw.floats(&pages)?);
        let sequences_held = 1 + draw.size()? % 4;
        let (mut out, q) =
            (draw.output(&[tokens, heads, head_dim])?, draw.floats(&[tokens, heads, head_dim])?);
        let sequences = draw.indices(&[tokens], sequences_held)?;
        let positions = draw.indices(&[tokens], max_blocks.saturating_mul(block_tokens))?;
        let block_tables = draw.indices(&[sequences_held, max_blocks], blocks)?;
        let queries = PagedQueries {
            heads,
            sequences: &sequences,
            positions: &positions,
            block_tables: &block_tables,
            max_blocks,
            scale,
        };
        let result = match format {
            0 => paged_attention(&mut out, &q, &keys, &values, queries, shape),
            1 => paged_attention(&mut out, &q, &as_bf16(&keys), &as_bf16(&values), queries, shape),
            _ => paged_attention(&mut out, &q, &as_int8(&keys), &as_int8(&values), queries, shape),
        };
        check(result, &[&out]);

        let mut out = draw.output(&[tokens, heads, head_dim])?;
        let options = Rotary { heads, head_dim, theta: 1e4, inverse: draw.flag()? };
        check(rotary(&mut out, &q, &positions, options), &[&out]);
        Ok(())
    });
});
