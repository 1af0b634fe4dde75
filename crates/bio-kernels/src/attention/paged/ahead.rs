//! Memory that is asked for before its turn: blocks lie anywhere, so the hardware can't foresee the next one.

use crate::memory::prefetch;

/// Blocks that are computed, and fetched, side by side: memory answers several streams faster than one (NOTES.md).
pub const STREAMS: usize = 4;
const LINE: usize = 64;

/// Some blocks' bytes, asked for a few lines at a time between computations, so that they never fill the queue of loads.
pub struct Ahead {
    /// The next line of each block, and how many are left.
    next: [(*const u8, usize); STREAMS],
    /// Calls of kernels that share the rest.
    calls: usize,
    /// Lines of each block per `fetch`.
    share: usize,
}

impl Ahead {
    pub fn new<P: Copy>(blocks: [&[P]; STREAMS], calls: usize) -> Self {
        let next = blocks.map(|block| (block.as_ptr().cast::<u8>(), size_of_val(block).div_ceil(LINE)));
        Self { next, calls, share: 0 }
    }

    /// One call's part is to be asked for in `parts`.
    #[inline(always)]
    pub fn begin(&mut self, parts: usize) {
        let most = self.next.iter().map(|(_, left)| *left).max().unwrap_or(0);
        self.share = (most as u32).div_ceil((self.calls * parts).max(1) as u32) as usize;
        self.calls = self.calls.saturating_sub(1);
    }

    /// The rest is left to later calls.
    pub fn pause(&mut self) {
        self.share = 0;
    }

    #[inline(always)]
    pub fn fetch(&mut self) {
        for _ in 0..self.share {
            for (line, left) in &mut self.next {
                if *left > 0 {
                    prefetch(*line);
                    *line = line.wrapping_add(LINE);
                    *left -= 1;
                }
            }
        }
    }
}
