//! What pages are made of: f32, bf16 (as u16), or int8 with a scale per token and head.
//!
//! A head of a block is its tokens' rows [blockTokens, headDim], behind them in int8 the tokens' f32 scales, four bytes each, little-endian.

use std::ops::Range;

use super::PageShape;
use crate::convert::{bf16_from_f32, f32_from_bf16};
use crate::isa::{Isa, per_isa};
use crate::quantize::quantize_row;

/// A number format of keys and values. To add one: how many values its scales take, how a row is stored, how rows come back as f32.
pub trait PageValue: Copy + Send + Sync + 'static {
    /// Values that the scale of a token and head takes: 0 where the format has none.
    const SCALE_VALUES: usize;

    /// Stores one token's row in the head of a block.
    fn store(isa: Isa, head: &mut [Self], token: usize, row: &[f32], shape: PageShape);

    /// Some tokens' rows before their scales are applied: [tokens, width], zeros beyond headDim; in `room` unless the page has that very form.
    fn rows<'a>(
        isa: Isa,
        head: &'a [Self],
        tokens: Range<usize>,
        head_dim: usize,
        width: usize,
        room: &'a mut [f32],
    ) -> &'a [f32];

    /// The scale of a token; asked for where SCALE_VALUES > 0 only.
    fn scale(head: &[Self], token: usize, shape: PageShape) -> f32;
}

impl PageValue for f32 {
    const SCALE_VALUES: usize = 0;

    fn store(_: Isa, head: &mut [f32], token: usize, row: &[f32], shape: PageShape) {
        head[token * shape.head_dim..][..shape.head_dim].copy_from_slice(row);
    }

    fn rows<'a>(
        isa: Isa,
        head: &'a [f32],
        tokens: Range<usize>,
        head_dim: usize,
        width: usize,
        room: &'a mut [f32],
    ) -> &'a [f32] {
        let rows = &head[tokens.start * head_dim..tokens.end * head_dim];
        if head_dim == width {
            return rows;
        }
        let room = &mut room[..tokens.len() * width];
        copy_rows(isa, room, rows, head_dim, width);
        room
    }

    fn scale(_: &[f32], _: usize, _: PageShape) -> f32 {
        1.0
    }
}

impl PageValue for u16 {
    const SCALE_VALUES: usize = 0;

    fn store(isa: Isa, head: &mut [u16], token: usize, row: &[f32], shape: PageShape) {
        narrow_row(isa, &mut head[token * shape.head_dim..][..shape.head_dim], row);
    }

    fn rows<'a>(
        isa: Isa,
        head: &'a [u16],
        tokens: Range<usize>,
        head_dim: usize,
        width: usize,
        room: &'a mut [f32],
    ) -> &'a [f32] {
        let room = &mut room[..tokens.len() * width];
        widen_bf16(isa, room, &head[tokens.start * head_dim..tokens.end * head_dim], head_dim, width);
        room
    }

    fn scale(_: &[u16], _: usize, _: PageShape) -> f32 {
        1.0
    }
}

impl PageValue for i8 {
    const SCALE_VALUES: usize = 4;

    fn store(isa: Isa, head: &mut [i8], token: usize, row: &[f32], shape: PageShape) {
        let scale = quantize_row(isa, &mut head[token * shape.head_dim..][..shape.head_dim], row);
        let at = shape.block_tokens * shape.head_dim + token * Self::SCALE_VALUES;
        head[at..at + Self::SCALE_VALUES].copy_from_slice(&scale.to_le_bytes().map(u8::cast_signed));
    }

    fn rows<'a>(
        isa: Isa,
        head: &'a [i8],
        tokens: Range<usize>,
        head_dim: usize,
        width: usize,
        room: &'a mut [f32],
    ) -> &'a [f32] {
        let room = &mut room[..tokens.len() * width];
        widen_int8(isa, room, &head[tokens.start * head_dim..tokens.end * head_dim], head_dim, width);
        room
    }

    fn scale(head: &[i8], token: usize, shape: PageShape) -> f32 {
        let at = shape.block_tokens * shape.head_dim + token * Self::SCALE_VALUES;
        let bytes: [i8; 4] = head[at..at + 4].try_into().expect("four bytes");
        f32::from_le_bytes(bytes.map(i8::cast_unsigned))
    }
}

/// to [rows, width] = f(from [rows, headDim]), zeros behind.
#[inline(always)]
fn each_row<T: Copy>(to: &mut [f32], from: &[T], head_dim: usize, width: usize, f: impl Fn(T) -> f32) {
    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(head_dim)) {
        let (to, padding) = to.split_at_mut(head_dim);
        for (to, from) in to.iter_mut().zip(from) {
            *to = f(*from);
        }
        padding.fill(0.0);
    }
}

per_isa! {
    fn copy_rows(to: &mut [f32], from: &[f32], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, |value| value);
    }
}

per_isa! {
    fn widen_bf16(to: &mut [f32], from: &[u16], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, f32_from_bf16);
    }
}

per_isa! {
    fn widen_int8(to: &mut [f32], from: &[i8], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, f32::from);
    }
}

per_isa! {
    fn narrow_row(to: &mut [u16], from: &[f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = bf16_from_f32(*from);
        }
    }
}
