//! Memory that is asked for before its turn: blocks lie anywhere, so the hardware can't foresee the next one.

/// Blocks that are computed, and fetched, side by side: memory answers several streams faster than one (NOTES.md).
pub const STREAMS: usize = 4;
const LINE: usize = 64;
/// Lines are counted in fractions, so that they are spread evenly over however many computations there are.
const ONE: usize = 1 << 16;

/// Some blocks' bytes, asked for a line of each at a time between computations, so that they never fill the queue of loads. It costs as many
/// instructions as the computations leave time for: no block's end is looked at, and what lies behind a shorter one is asked for in vain.
pub struct Ahead {
    /// Where each block begins.
    blocks: [*const u8; STREAMS],
    /// Bytes of each that were asked for, and all.
    done: usize,
    bytes: usize,
    /// Calls of kernels that share the rest.
    calls: usize,
    per_part: usize,
    due: usize,
}

impl Ahead {
    pub fn new<P: Copy>(blocks: [&[P]; STREAMS], calls: usize) -> Self {
        let bytes = blocks.iter().map(|block| size_of_val(*block)).max().unwrap_or(0);
        // Where there is no block: the first once more.
        let blocks = blocks.map(|block| if block.is_empty() { blocks[0] } else { block }.as_ptr().cast());
        Self { blocks, done: 0, bytes, calls, per_part: 0, due: 0 }
    }

    /// A call's share is to be asked for in `parts`.
    #[inline(always)]
    pub fn begin(&mut self, parts: usize) {
        let lines = self.bytes.saturating_sub(self.done).div_ceil(LINE) as u32;
        self.per_part = lines as usize * ONE / (self.calls * parts).max(1);
        self.calls = self.calls.saturating_sub(1);
    }

    /// Some of the call's parts are next; `ask` is a prefetch.
    #[inline(always)]
    pub fn fetch(&mut self, parts: usize, ask: impl Fn(*const u8)) {
        self.due += parts * self.per_part;
        while self.due >= ONE {
            self.due -= ONE;
            for block in self.blocks {
                ask(block.wrapping_add(self.done));
            }
            self.done += LINE;
        }
    }
}
