//! Memory that is asked for before its turn: pages lie anywhere, so the hardware can't foresee the next one.

use crate::memory::prefetch;

/// Bytes still to be asked for, a few lines at a time between computations, so that they never fill the queue of loads.
pub(super) struct Ahead<'a> {
    bytes: &'a [u8],
}

impl<'a> Ahead<'a> {
    pub fn new<P: Copy>(values: &'a [P]) -> Self {
        // SAFETY: the same memory, seen as bytes that are never read.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) };
        Self { bytes }
    }

    /// Asks for one of the `parts` that the rest is to be asked for in.
    #[inline(always)]
    pub fn fetch(&mut self, parts: usize) {
        const LINE: usize = 64;
        let share = self.bytes.len().div_ceil(parts.max(1)).next_multiple_of(LINE).min(self.bytes.len());
        let (now, rest) = self.bytes.split_at(share);
        for line in now.chunks(LINE) {
            prefetch(line.as_ptr());
        }
        self.bytes = rest;
    }
}
