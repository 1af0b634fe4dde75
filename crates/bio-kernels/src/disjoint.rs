//! One slice, written by many tasks in parts that do not overlap.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice that tasks may cut into disjoint parts.
pub(crate) struct Disjoint<'a, T> {
    start: *mut T,
    length: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: `part` hands out access only under its caller's promise that parts do not overlap.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len(), life: PhantomData }
    }

    /// # Safety
    /// While the part lives, no other part may overlap it.
    #[allow(clippy::mut_from_ref)] // what this type is for
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.length, "a part outside the slice");
        // SAFETY: inside the slice by the assertion; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.end - range.start) }
    }

    /// The start of a range that is inside the slice, for tasks whose parts lie between each other's, as columns of a matrix do.
    pub fn pointer(&self, range: Range<usize>) -> *mut T {
        assert!(range.start <= range.end && range.end <= self.length, "a part outside the slice");
        self.start.wrapping_add(range.start)
    }

    /// Asks the cache for a value that will be needed soon.
    pub fn prefetch(&self, index: usize) {
        crate::memory::prefetch(self.start.wrapping_add(index));
    }
}

/// Cuts `count` things, each of `work` values, into tasks worth waking a thread for, and runs `body` on each range.
pub(crate) fn for_ranges(count: usize, work: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
    const VALUES_PER_TASK: usize = 1 << 14;
    let size = (VALUES_PER_TASK / work.max(1)).max(1);
    let tasks = count.div_ceil(size);
    crate::pool::run(tasks, &|task| body(task * size..((task + 1) * size).min(count)));
}
